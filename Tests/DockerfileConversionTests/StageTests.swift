// SPDX-License-Identifier: Apache-2.0

import DockerfileConversion
import LLB
import LLBMessages
import OCI
import Testing

@Suite struct StageTests {
    @Test func `builds only what the target needs`() async throws {
        let text = """
            FROM a AS one
            RUN echo one
            FROM b AS two
            RUN echo two
            FROM c
            COPY --from=one /x /y
            """
        let world = World()
        let converted = try await convert(text, world: world)
        #expect(converted.execs.map(\.meta.args.last) == ["echo one"])
        #expect(
            world.asked == [
                "[internal] load metadata for docker.io/library/a:latest",
                "[internal] load metadata for docker.io/library/c:latest",
            ]
        )
        let two = try await convert(text, options: ["target": "TWO"])
        #expect(two.names.last == "[two 2/2] RUN echo two")
    }

    @Test func `starts stages from stages and keeps their settings`() async throws {
        let converted = try await convert(
            """
            FROM a AS base
            ENV A=1
            WORKDIR /w
            USER app
            ARG B=2
            FROM base
            RUN true
            """
        )
        let meta = try #require(converted.execs.first?.meta)
        #expect(Set(meta.env).isSuperset(of: ["A=1", "B=2"]))
        #expect(meta.cwd == "/w")
        #expect(meta.user == "app")
        #expect(converted.history.last == "RUN |1 B=2 /bin/sh -c true # buildkit")
    }

    @Test func `expands global arguments in FROM only`() async throws {
        let text = "ARG TAG=1\nARG IMG=a:${TAG}\nFROM $IMG\nRUN echo\nARG TAG\nRUN echo"
        let converted = try await convert(text, options: ["build-arg:TAG": "2"])
        #expect(converted.sources[0].identifier.hasPrefix("docker-image://docker.io/library/a:2@"))
        #expect(converted.execs.map { $0.meta.env.contains("TAG=2") } == [false, true])
    }

    @Test func `lets a build argument win over a default but not over ENV`() async throws {
        let text = "FROM a\nARG X=file\nENV Y=$X\nENV X=env\nRUN echo"
        let converted = try await convert(text, options: ["build-arg:X": "client"])
        #expect(converted.image.config.environment.suffix(2) == ["Y=client", "X=env"])
        #expect(converted.history.last == "RUN |1 X=env /bin/sh -c echo # buildkit")
    }

    @Test func `runs the triggers of a base image first`() async throws {
        var image = World.plain
        image.config.onBuild = ["RUN first", "COPY --from=tool /t /t"]
        let world = World(images: ["docker.io/library/a:latest": image])
        let converted = try await convert("FROM a\nONBUILD RUN later\nRUN second", world: world)
        #expect(converted.execs.map(\.meta.args.last) == ["first", "second"])
        #expect(converted.sources.count == 2)
        #expect(converted.image.config.onBuild == ["RUN later"])
        #expect(converted.names.contains { $0.contains("ONBUILD RUN first") })
    }

    @Test func `runs the triggers of a stage in the next one`() async throws {
        let converted = try await convert("FROM a AS base\nONBUILD ENV A=1\nFROM base\nRUN echo")
        #expect(converted.execs[0].meta.env.last == "A=1")
        #expect(converted.image.config.onBuild.isEmpty)
    }

    @Test(arguments: [
        (
            "FROM a AS x\nCOPY --from=y / /\nFROM a AS y\nCOPY --from=x / /",
            "circular dependency detected"
        ),
        ("FROM a\nCOPY --from=1 / /", "invalid stage index 1"),
        ("FROM a\nCOPY --from=later / /\nFROM b AS later\nFROM c", "accepted"),
        (
            "FROM a AS one\nCOPY --from=two / /\nFROM b AS two\nFROM one",
            "needs to be defined before current stage"
        ),
        ("FROM a\nARG x\nCOPY --from=$x / /", "variable expansion is not supported for --from"),
        ("ARG x\nFROM $x", "base name ($x) should not be blank"),
        ("FROM A", "must be lower case"),
        ("FROM --platform=nonsense a", "unknown operating system or architecture"),
        ("FROM --platform=$nothing a", "empty platform value"),
        ("FROM missing", "missing: Unknown()"),
        ("FROM a\nSTOPSIGNAL SIGNONSENSE", "invalid signal"),
        ("FROM a\nEXPOSE 70000", "invalid containerPort"),
        ("FROM a\nEXPOSE 80/icmp", "invalid proto"),
        ("FROM a\nCOPY https://e/x /", "source can't be a URL for COPY"),
        ("FROM a\nADD --checksum=sha256:1 https://e/x /", "invalid checksum"),
        ("FROM a\nADD https://e/a.git?x=1 /", "unknown query"),
        ("FROM a\nCOPY --chmod=99 a /", "invalid chmod parameter"),
        ("FROM a\nRUN --mount=target=/ true", "invalid mount target"),
        ("FROM a\nRUN --device=x true", "--device is not supported"),
    ])
    func `refuses what cannot be meant`(text: String, reason: String) async {
        let message = await refusal(text)
        #expect(message.contains(reason), "\(message)")
    }

    @Test func `says which line is wrong`() async throws {
        let error = await #expect(throws: ConversionError.self) {
            _ = try await convert("FROM a\n\nRUN true\nSTOPSIGNAL nonsense")
        }
        #expect(error?.lines == 4...4)
        let missing = await #expect(throws: ConversionError.self) {
            _ = try await convert("FROM a AS misssing\nFROM missing", options: ["target": "nope"])
        }
        #expect(missing?.message.contains("\"nope\" could not be found") == true)
        let image = await #expect(throws: ConversionError.self) {
            _ = try await convert("FROM a AS missin\nFROM missing")
        }
        #expect(image?.suggestion == "missin")
        #expect(image?.cause is World.Unknown)
        #expect(image?.lines == 2...2)
    }

    @Test func `survives files that are nothing but stages or steps`() async throws {
        var chain = "FROM scratch AS s0\nWORKDIR /w\n"
        for index in 1..<10_000 { chain += "FROM s\(index - 1) AS s\(index)\n" }
        #expect(try await convert(chain).operations.count == 1)
        var copies = "FROM scratch AS s0\nWORKDIR /w\n"
        for index in 1..<3000 {
            copies += "FROM scratch AS s\(index)\nCOPY --from=s\(index - 1) / /\n"
        }
        #expect(try await convert(copies).operations.count == 3000)
        let steps = "FROM scratch\n" + String(repeating: "RUN x\n", count: 5000)
        #expect(try await convert(steps).execs.count == 5000)
    }
}
