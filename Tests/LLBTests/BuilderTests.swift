// SPDX-License-Identifier: Apache-2.0

import LLB
import LLBMessages
import OCI
import SwiftProtobuf
import Testing

@Suite struct BuilderTests {
    private func operations(
        _ state: State,
        _ options: MarshalOptions = MarshalOptions()
    ) throws -> [Pb_Op] {
        try state.definition(options).operations.map { try Pb_Op(serializedBytes: $0.bytes) }
    }

    @Test func `makes scratch of nothing`() throws {
        #expect(try State.scratch.definition().isScratch)
        #expect(try State.merge([.scratch, .scratch]).definition().isScratch)
        #expect(try DeferredOutput().state.definition().isScratch)
    }

    @Test func `uses equal inputs once and numbers the outputs of mounts by destination`() throws {
        let base = try State.image("a")
        var options = RunOptions(arguments: ["x"])
        options.mounts = [
            Mount("/z", source: try State.image("a")), Mount("/b", source: try State.image("b")),
            Mount("/cache", kind: .cache(id: "c", sharing: .locked)),
        ]
        options.mounts[1].isReadOnly = true
        let exec = base.run(options)
        let last = try #require(try operations(exec.root).dropLast().last)
        #expect(last.inputs.count == 2)
        #expect(last.exec.mounts.map(\.dest) == ["/", "/b", "/cache", "/z"])
        #expect(last.exec.mounts.map(\.input) == [0, 1, -1, 0])
        #expect(last.exec.mounts.map(\.output) == [0, -1, -1, 1])
        #expect(try exec.mount("/z")?.definition().head()?.index == 1)
        #expect(exec.mount("/cache") == nil)
    }

    @Test func `shifts action indices by the number of inputs`() throws {
        var actions = FileActions()
        actions.copy(from: try .image("b"), "x", to: "y/")
        actions.makeDirectory("d", mode: 0o7755, owner: FileOwner("app:10"))
        actions.remove("/gone", allowsNotFound: true)
        let state = try State.image("a").inDirectory("/w").file(actions)
        let file = try #require(try operations(state).dropLast().last).file
        #expect(file.actions.map(\.input) == [0, 2, 3])
        #expect(file.actions.map(\.secondaryInput) == [1, -1, -1])
        #expect(file.actions.map(\.output) == [-1, -1, 0])
        #expect(file.actions[0].copy.src == "/x" && file.actions[0].copy.dest == "/w/y/")
        #expect(file.actions[0].copy.mode == -1 && file.actions[0].copy.timestamp == -1)
        #expect(file.actions[1].mkdir.path == "/w/d" && file.actions[1].mkdir.mode == 0o755)
        #expect(file.actions[1].mkdir.owner.user.byName.name == "app")
        #expect(file.actions[1].mkdir.owner.group.byID == 10)
        #expect(file.actions[2].rm.path == "/gone")
    }

    @Test func `sets environment, directory and platform from a config`() throws {
        var config = ImageConfig(
            platform: Platform(os: "linux", architecture: "arm64", variant: "v8")
        )
        config.config.environment = ["A=1", "B", "=x", "A=2"]
        config.config.workingDirectory = "w"
        let state = try State.image("a").applying(config)
        #expect(state.environment.assignments == ["B=", "A=2"])
        #expect(state.directory == "/w")
        #expect(state.platform?.variant == nil)
        let exec = try #require(
            try operations(state.run(RunOptions(arguments: ["x"])).root).dropLast().last
        )
        #expect(exec.platform.architecture == "arm64" && exec.platform.variant.isEmpty)
    }

    @Test func `tells a step where its agent is`() throws {
        var options = RunOptions(arguments: ["x"])
        options.sshSockets = [RunSSHSocket(), RunSSHSocket(id: "b", target: "/s")]
        options.secrets = [
            RunSecret(id: "a", target: "/run/a"), RunSecret(id: "b", environmentName: "B"),
        ]
        let exec = try #require(try operations(State.image("a").run(options).root).dropLast().last)
            .exec
        #expect(exec.meta.env == ["SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0"])
        #expect(exec.mounts.map(\.dest) == ["/", "/run/a", "/run/buildkit/ssh_agent.0", "/s"])
        #expect(exec.secretenv.map(\.name) == ["B"])
    }

    @Test func `marks local sources without a session`() throws {
        var options = MarshalOptions()
        options.localUniqueID = "u"
        let source = try #require(try operations(.local("context"), options).first).source
        #expect(source.attrs == ["local.unique": "u"])
        var local = State.LocalOptions(session: "s")
        local.excludePatterns = ["a<b", "ü"]
        let other = try #require(try operations(.local("context", options: local)).first).source
        #expect(
            other.attrs == ["local.session": "s", "local.excludepatterns": #"["a\u003cb","ü"]"#]
        )
    }

    @Test(arguments: [
        (
            "https://github.com/a/b.git", "git://github.com/a/b.git#main:sub",
            "https://github.com/a/b.git"
        ),
        ("git@github.com:a/b.git", "git://github.com/a/b.git#main:sub", "git@github.com:a/b.git"),
        ("ssh://u@h:22/p", "git://h:22/p#main:sub", "ssh://u@h:22/p"),
        ("github.com/a/b", "git://github.com/a/b#main:sub", "https://github.com/a/b"),
    ])
    func `names repositories alike whatever the protocol`(
        url: String,
        identifier: String,
        remote: String
    ) throws {
        let state = State.git(
            url,
            options: State.GitOptions(reference: "main", subdirectory: "sub")
        )
        let source = try #require(try operations(state).first).source
        #expect(source.identifier == identifier)
        #expect(source.attrs["git.fullurl"] == remote)
        #expect((source.attrs["git.mountsshsock"] != nil) == (url.contains("@")))
    }

    @Test func `builds upon a received definition without touching its bytes`() throws {
        let first = try State.image("a").run(RunOptions(arguments: ["x"])).root.definition()
        let state = try State(first).run(RunOptions(arguments: ["y"])).root
        let second = try state.definition()
        #expect(second.operations.prefix(2) == first.operations.prefix(2))
        #expect(try State(Definition.scratch).definition().isScratch)
    }

    @Test func `says where operations come from`() throws {
        let file = SourceFile(filename: "F", language: "L", data: [1])
        let location = SourceLocation(file: file, ranges: [SourceRange(startLine: 3, endLine: 4)])
        let definition = try State.image(
            "a",
            constraints: Constraints(name: "n", locations: [location])
        ).definition()
        let digest = try #require(definition.operations.first?.digest)
        #expect(definition.locations(of: digest).first?.ranges.first?.start.line == 3)
        #expect(definition.source?.infos.first?.filename == "F")
        #expect(try definition.graph()[digest]?.name == "n")
    }

    @Test func `writes and forgets sixty thousand steps without recursion`() throws {
        var state = try State.image("a")
        for index in 0..<60000 { state = state.run(RunOptions(arguments: ["\(index)"])).root }
        #expect(try state.definition().operations.count == 60002)
    }

    @Test(arguments: [
        ("", "."), ("/", "/"), ("a//b/./c/..", "a/b"), ("../a/../..", "../.."), ("/../a", "/a"),
        ("./", "."),
    ])
    func `cleans paths as Go does`(path: String, cleaned: String) {
        #expect(SlashPath.clean(path) == cleaned)
    }
}
