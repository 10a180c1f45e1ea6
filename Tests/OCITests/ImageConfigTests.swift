// SPDX-License-Identifier: Apache-2.0

import OCI
import Testing

@Suite struct ImageConfigTests {
    private static let digest = Digest.of("layer")

    @Test func `writes the members in Go's order and leaves out what is empty`() {
        var config = ImageConfig(
            created: Timestamp(seconds: 1_700_000_000, nanoseconds: 120_000_000),
            author: "A <a@b>",
            platform: Platform(os: "linux", architecture: "arm64", variant: "v8"),
            rootFS: .init(diffIDs: [Self.digest])
        )
        config.history = [.init(createdBy: "RUN a && b", comment: "c", emptyLayer: true)]
        config.config = ContainerConfig(
            user: "1:2",
            exposedPorts: ["80/tcp", "443/tcp"],
            environment: ["A=1"],
            entrypoint: ["/e"],
            command: ["c"],
            volumes: ["/v"],
            workingDirectory: "/w",
            labels: ["z": "1", "a": "2"],
            stopSignal: "9",
            argsEscaped: true,
            healthcheck: .init(test: ["NONE"], interval: 5, retries: 3),
            onBuild: ["RUN x"],
            shell: ["sh"]
        )
        let text = String(decoding: config.encoded, as: UTF8.self)
        #expect(
            text
                == #"{"created":"2023-11-14T22:13:20.12Z","author":"A \u003ca@b\u003e","architecture":"arm64","#
                + #""os":"linux","variant":"v8","rootfs":{"type":"layers","diff_ids":["\#(Self.digest)"]},"#
                + #""history":[{"created_by":"RUN a \u0026\u0026 b","comment":"c","empty_layer":true}],"#
                + #""config":{"User":"1:2","ExposedPorts":{"443/tcp":{},"80/tcp":{}},"Env":["A=1"],"#
                + #""Entrypoint":["/e"],"Cmd":["c"],"Volumes":{"/v":{}},"WorkingDir":"/w","#
                + #""Labels":{"a":"2","z":"1"},"StopSignal":"9","ArgsEscaped":true,"#
                + #""Healthcheck":{"Test":["NONE"],"Interval":5,"Retries":3},"OnBuild":["RUN x"],"Shell":["sh"]}}"#
        )
        #expect((try? ImageConfig(parsing: config.encoded)) == config)
    }

    @Test func `writes an image without layers as BuildKit does`() {
        let config = ImageConfig(platform: Platform(os: "linux", architecture: "amd64"))
        #expect(
            String(decoding: config.encoded, as: UTF8.self)
                == #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":null},"config":{}}"#
        )
    }

    @Test(arguments: [
        "[]", "null", #"{"config":[]}"#, #"{"config":{"Env":"x"}}"#, #"{"config":{"Env":[1]}}"#,
        #"{"created":"yesterday"}"#, #"{"rootfs":{"diff_ids":["sha256:x"]}}"#, #"{"history":{}}"#,
        #"{"config":{"ExposedPorts":["80"]}}"#, #"{"architecture":5}"#,
        #"{"config":{"ArgsEscaped":"yes"}}"#,
    ])
    func `refuses members of the wrong shape`(text: String) {
        #expect(throws: OCIError.self) { try ImageConfig(parsing: Array(text.utf8)) }
    }

    @Test func `reads members in any case and null as absent`() throws {
        let text =
            #"{"OS":"linux","Architecture":"amd64","config":{"env":["A=1"],"Cmd":null},"unknown":1}"#
        let config = try ImageConfig(parsing: Array(text.utf8))
        #expect(config.platform.os == "linux")
        #expect(config.config.environment == ["A=1"])
        #expect(config.config.command.isEmpty)
    }

    @Test(arguments: [
        "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2024-02-29T23:59:59.000000001Z",
        "2023-06-01T12:00:00+02:00", "2023-06-01T12:00:00.5-07:30", "9999-12-31T23:59:59Z",
    ])
    func `keeps times as they were written`(text: String) throws {
        #expect(try Timestamp(parsing: text).description == text)
    }

    @Test(arguments: [
        "", "2023", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-01-01 00:00:00Z",
        "2023-01-01T24:00:00Z",
        "2023-01-01T00:00:00", "2023-01-01T00:00:00.Z", "2023-01-01T00:00:00z",
        "2023-01-01T00:00:00+0200",
        "2023-01-01T00:00:00ZZ", "20२3-01-01T00:00:00Z",
    ])
    func `refuses what is no time`(text: String) {
        #expect(throws: OCIError.self) { try Timestamp(parsing: text) }
    }

    @Test func `counts days across centuries`() throws {
        #expect(try Timestamp(parsing: "2000-03-01T00:00:00Z").seconds == 951_868_800)
        #expect(try Timestamp(parsing: "1969-12-31T23:59:59Z").seconds == -1)
        #expect(Timestamp(seconds: -1).description == "1969-12-31T23:59:59Z")
        #expect(try Timestamp(parsing: "2023-06-01T12:00:00+02:00").seconds == 1_685_613_600)
    }
}
