// SPDX-License-Identifier: Apache-2.0

import DockerfileConversion
import DockerfileSyntax
import LLB
import LLBMessages
import OCI
import Testing

@Suite struct OptionTests {
    @Test func `applies options to every step`() async throws {
        let converted = try await convert(
            "FROM a AS x\nRUN true",
            options: [
                "add-hosts": "db=10.0.0.1,\"six=FE80::0:1\"", "shm-size": "4096",
                "ulimit": "nofile=10:20,core=-1",
                "force-network-mode": "host", "cgroup-parent": "cg", "hostname": "h",
                "no-cache": "X",
                "image-resolve-mode": "pull", "label:l": "v", "memory": "1000",
                "build-arg:HTTP_PROXY": "http://p",
            ]
        )
        let exec = try #require(converted.execs.first)
        #expect(
            exec.meta.extraHosts.map { "\($0.host)=\($0.ip)" } == ["db=10.0.0.1", "six=fe80::1"]
        )
        #expect(exec.mounts.contains { $0.dest == "/dev/shm" && $0.tmpfsOpt.size == 4096 })
        #expect(exec.meta.ulimit.map { [$0.soft, $0.hard] } == [[10, 20], [-1, -1]])
        #expect(
            exec.network == .host && exec.meta.cgroupParent == "cg" && exec.meta.hostname == "h"
        )
        #expect(exec.meta.proxyEnv.httpProxy == "http://p")
        #expect(converted.sources[0].attrs["image.resolvemode"] == "pull")
        #expect(converted.image.config.labels == ["l": "v"])
        let vertex = try #require(converted.graph.vertices.last)
        #expect(vertex.ignoresCache && vertex.metadata.linuxResources.memory == 1000)
    }

    @Test(arguments: [
        ("platform", "nonsense"), ("image-resolve-mode", "x"), ("add-hosts", "a"),
        ("add-hosts", "a=1.2.3"),
        ("add-hosts", "a=01.2.3.4"), ("add-hosts", "\"a=1.2.3.4"), ("shm-size", "1k"),
        ("shm-size", "-1"),
        ("ulimit", "x=1"), ("ulimit", "nofile=2:1"), ("ulimit", "nofile=a"),
        ("force-network-mode", "x"),
        ("multi-platform", "x"), ("memory", "0"), ("cpusetcpus", "3-1"), ("memswap", "-2"),
        ("build-arg:BUILDKIT_DOCKERFILE_CHECK", "nonsense"), ("target", "nope"),
        ("override-copy-image", "x"),
    ])
    func `refuses options with values they cannot have`(name: String, value: String) async {
        let message = await refusal("FROM a", options: [name: value])
        #expect(message != "accepted")
        #expect(
            message.contains(value) || name.hasPrefix("build-arg") || name == "override-copy-image",
            "\(message)"
        )
    }

    @Test func `builds for the platform that is asked for`() async throws {
        let text = "FROM a AS t\nARG TARGETPLATFORM\nARG BUILDPLATFORM\nRUN echo $TARGETARCH"
        let converted = try await convert(text, options: ["platform": "linux/arm64,linux/arm/v7"])
        let exec = try #require(converted.graph.vertices.last)
        #expect(exec.platform == Platform(os: "linux", architecture: "arm64"))
        #expect(exec.operation.exec.meta.env.contains("TARGETPLATFORM=linux/arm64"))
        #expect(exec.operation.exec.meta.env.contains("BUILDPLATFORM=linux/amd64"))
        #expect(exec.name.hasPrefix("[linux/arm64 2/2] RUN"))
        #expect(converted.image.platform == Platform(os: "linux", architecture: "arm64"))
    }

    @Test func `crosses from the build platform`() async throws {
        let text = "FROM --platform=$BUILDPLATFORM a AS t\nARG TARGETARCH\nRUN true"
        let converted = try await convert(
            text,
            options: ["platform": "linux/arm64", "multi-platform": "true"]
        )
        let exec = try #require(converted.graph.vertices.last)
        #expect(exec.platform.architecture == "amd64")
        #expect(exec.name.hasPrefix("[linux/amd64->arm64 2/2]"))
        #expect(converted.image.platform.architecture == "arm64")
    }

    @Test func `P-INPUT-04: replaces images and stages by named contexts`() async throws {
        let text =
            "FROM a AS base\nRUN gone\nFROM base\nCOPY --from=b:1 /x /y\nCOPY --from=dir sub /z"
        let options = [
            "context:base": "docker-image://other:2",
            "context:b:1": "oci-layout://store:tag@\(Digest.of("x"))",
            "context:dir": "local:where", "local-sessionid:where": "else",
            "sharedkey:localdir:dir": "key",
        ]
        let converted = try await convert(
            text,
            options: options,
            world: World(files: [".dockerignore": "*.tmp"])
        )
        #expect(converted.execs.isEmpty)
        let identifiers = Set(converted.sources.map(\.identifier))
        #expect(identifiers.contains("docker-image://docker.io/library/other:2"))
        #expect(identifiers.contains("oci-layout://docker.io/library/b:1@\(Digest.of("x"))"))
        let local = try #require(converted.sources.first { $0.identifier == "local://where" })
        #expect(
            local.attrs == [
                "local.session": "else", "local.sharedkeyhint": "context:dir-key",
                "local.followpaths": #"["sub"]"#,
                "local.excludepatterns": #"["*.tmp"]"#,
            ]
        )
    }

    @Test func `prefers the named context of a platform`() async throws {
        let options = [
            "context:a::linux/amd64": "docker-image://amd", "context:a": "docker-image://any",
        ]
        let converted = try await convert("FROM a\nRUN true", options: options)
        #expect(converted.sources[0].identifier == "docker-image://docker.io/library/amd:latest")
    }

    @Test(arguments: [
        "nonsense", "ftp:x", "docker-image://UPPER", "oci-layout://x", "git:x", "input:gone",
    ])
    func `refuses named contexts that mean nothing`(value: String) async {
        #expect(await refusal("FROM a", options: ["context:a": value]) != "accepted")
    }

    @Test func `takes inputs as contexts`() async throws {
        let input = try State.image("given").definition()
        let world = World(inputs: ["context": input, "in": input])
        let converted = try await convert(
            "FROM a\nCOPY x /\nCOPY --from=other y /",
            options: ["context:other": "input:in"],
            world: world
        )
        #expect(Set(converted.sources.map(\.identifier)).count == 2)
    }

    @Test func `takes repositories and archives as the build context`() async throws {
        let git = try await convert(
            "FROM scratch\nCOPY x /",
            options: ["context": "https://e/r.git#main:d"]
        )
        #expect(git.sources[0].identifier == "git://e/r.git#main:d")
        let gzip = String(decoding: [0x1f, 0x0b] as [UInt8], as: UTF8.self)
        let plain = try await convert(
            "FROM scratch\nCOPY x /",
            options: ["context": "https://e/x"],
            world: World(files: ["context": gzip])
        )
        #expect(plain.sources[0].identifier == "https://e/x")
        #expect(plain.actions.count == 1)
    }

    @Test func `leaves out what the ignore file says and tells who copies it`() async throws {
        let text = "FROM scratch\nCOPY a.tmp /\nCOPY b /"
        let beside = World(files: ["Dockerfile.dockerignore": "*.tmp\n", ".dockerignore": "b"])
        let converted = try await convert(text, world: beside)
        #expect(converted.sources[0].attrs["local.excludepatterns"] == #"["*.tmp"]"#)
        #expect(converted.sources[0].attrs["local.followpaths"] == #"["a.tmp","b"]"#)
        #expect(converted.warnings.map(\.rule.name) == ["CopyIgnoredFile"])
        let top = try await convert(text, world: World(files: [".dockerignore": "b"]))
        #expect(top.sources[0].attrs["local.excludepatterns"] == #"["b"]"#)
    }

    @Test func `sets times to the epoch`() async throws {
        let converted = try await convert(
            "FROM a\nWORKDIR /w\nENV A=1",
            options: ["build-arg:SOURCE_DATE_EPOCH": "1700000000"]
        )
        #expect(converted.result.epoch == 1_700_000_000)
        #expect(converted.image.history.allSatisfy { $0.created?.seconds == 1_700_000_000 })
        #expect(converted.actions[0].mkdir.timestamp == 1_700_000_000_000_000_000)
        let stage =
            "FROM scratch AS src\nADD https://e/x /\nFROM scratch\nARG SOURCE_DATE_EPOCH\nENV A=$SOURCE_DATE_EPOCH"
        let resolved = try await convert(
            stage,
            options: ["build-arg:SOURCE_DATE_EPOCH": "src"],
            world: World(time: 5)
        )
        #expect(resolved.image.config.environment.last == "A=5")
        #expect(
            await refusal("FROM a", options: ["build-arg:SOURCE_DATE_EPOCH": "what"]).contains(
                "invalid SOURCE_DATE_EPOCH"
            )
        )
    }

    @Test func `fails the build when findings are errors`() async {
        let message = await refusal("# check=error=true\nFROM a as b")
        #expect(message.contains("lint violation found for rules: FromAsCasing"))
    }
}
