// SPDX-License-Identifier: Apache-2.0

import FrontendKit
import FrontendProtocol
import LLB
import LLBMessages
import LinuxSystem
import OCI
import Testing

/// Where trees come from: the build context with its ignore file, and named contexts, as an engine sees them asked for.
@Suite(.timeLimit(.minutes(2)))
struct ContextTests {
    private let spec = "images:\n  app: {base: \"alpine:3\", files: [{copy: a.txt, to: /a.txt}]}\n"

    /// The sources of all trees a build asks for.
    private func sources(_ options: [String: String], files: [String: String] = [:]) throws -> [Pb_SourceOp] {
        let engine = try EngineStub()
        try engine.initialize()
        _ = try engine.call("build", buildParams(spec, options: options), StubWorld(files: files).respond).get()
        return try engine.asked.flatMap { method, params -> [Pb_SourceOp] in
            guard method == "solve", case .bytes(let bytes)? = params["definition"] else { return [] }
            return try Definition(serialized: bytes).graph().vertices.map(\.operation.source)
                .filter { !$0.identifier.isEmpty }
        }
    }

    private func refusal(_ options: [String: String], files: [String: String] = [:]) throws -> String {
        let engine = try EngineStub()
        try engine.initialize()
        let answer = try engine.call("build", buildParams(spec, options: options), StubWorld(files: files).respond)
        guard case .failure(let failure) = answer else { return "accepted" }
        return failure.message
    }

    /// What the build's own tree leaves out, as LLB has it.
    private func excluded(_ files: [String: String], options: [String: String] = [:]) throws -> String? {
        try sources(options, files: files).last { $0.identifier == "local://context" }?.attrs["local.excludepatterns"]
    }

    @Test func `the ignore file beside the build file is believed before that of the context`() throws {
        #expect(try excluded([:]) == nil)
        #expect(try excluded([".dockerignore": "# no\nnode_modules\n!keep\n"]) == #"["node_modules","!keep"]"#)
        let both = [".dockerignore": "one\n", "deploy/image.yaml.dockerignore": "two\n"]
        #expect(try excluded(both, options: ["filename": "deploy/image.yaml"]) == #"["two"]"#)
        #expect(try excluded(both) == #"["one"]"#)
    }

    @Test(arguments: [
        ("https://example.com/repo.git#main:sub", "git://example.com/repo.git#main:sub"),
        ("https://example.com/src.tar.gz", "https://example.com/src.tar.gz"),
    ])
    func `a context from elsewhere is a source of its own, and nothing of it is ignored`(
        location: String,
        identifier: String
    ) throws {
        let found = try sources(["context": location], files: [".dockerignore": "one\n"])
        #expect(found.contains { $0.identifier == identifier }, "\(found.map(\.identifier))")
        #expect(!found.contains { $0.identifier == "local://context" })
    }

    @Test(arguments: [
        ("context:alpine:3", "docker-image://busybox:1", "docker-image://docker.io/library/busybox:1@"),
        ("context:alpine:3::linux/amd64", "https://example.com/root.tar", "https://example.com/root.tar"),
        ("context:alpine:3::linux/arm64", "https://example.com/root.tar", "docker-image://docker.io/library/alpine:3@"),
        ("context:alpine:3", "https://example.com/base.git#v1", "git://example.com/base.git#v1"),
        ("context:alpine:3", "local:base", "local://base"),
        (
            "context:alpine:3", "oci-layout://store:tag@sha256:" + String(repeating: "c", count: 64),
            "oci-layout://docker.io/library/alpine@sha256:c"
        ),
    ])
    func `a named context stands for the image of its name`(option: String, value: String, prefix: String) throws {
        let found = try sources([option: value])
        #expect(found.contains { $0.identifier.hasPrefix(prefix) }, "\(found.map(\.identifier))")
    }

    @Test func `a named directory has an ignore file of its own`() throws {
        let found = try sources(["context:alpine:3": "local:base"], files: [".dockerignore": "x\n"])
        #expect(found.contains { $0.identifier == "local://base" && $0.attrs["local.excludepatterns"] == #"["x"]"# })
    }

    @Test func `a base that is the empty tree asks for nothing`() throws {
        let found = try sources(["context:alpine:3": "docker-image://scratch"])
        #expect(
            Set(found.map(\.identifier)) == ["local://context", "local://dockerfile"],
            "\(found.map(\.identifier))"
        )
    }

    @Test(arguments: [
        ("ftp://example.com/x", "expected docker-image://, oci-layout://, http://, https://, local:, input: or git"),
        ("oci-layout://store", "expected a name and a digest"), ("input:none", "there is no such input"),
    ])
    func `a named context that means nothing is refused with its value`(value: String, reason: String) throws {
        #expect(try refusal(["context:alpine:3": value]).contains(reason))
    }

    @Test func `an ignore file that cannot be read is named`() throws {
        let message = try refusal([:], files: [".dockerignore": String(repeating: "x", count: 100_000)])
        #expect(message.contains(".dockerignore: cannot read ignore file: line 1 has 100000 bytes"), "\(message)")
    }

    @Test func `several platforms that are wrong, or refused as one image, are told by option`() throws {
        #expect(try refusal(["platform": "linux/amd64,no such"]).contains("option platform=no such"))
        #expect(
            try refusal(["platform": "linux/amd64,linux/arm64", "multi-platform": "false"])
                .contains("cannot build for 2 platforms: option multi-platform is false")
        )
        #expect(try refusal(["multi-platform": "perhaps"]).contains("multi-platform=perhaps: expected true or false"))
    }

    @Test func `the config of an image from nothing has a search path and a directory`() {
        let image = ImageConfig.empty(Platform(os: "linux", architecture: "arm64"))
        #expect(image.config.environment == ["PATH=" + State.defaultPath])
        #expect(image.config.workingDirectory == "/")
        #expect(image.platform.architecture == "arm64")
    }

    @Test(arguments: ["SOURCE_DATE_EPOCH", "BUILDKIT_SYNTAX", "HTTP_PROXY", "no_proxy"])
    func `some build arguments need no declaration`(name: String) {
        #expect(CommonOptions.isPredefinedArgument(name))
        #expect(!CommonOptions.isPredefinedArgument("MY_" + name))
    }
}
