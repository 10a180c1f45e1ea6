// SPDX-License-Identifier: Apache-2.0

import LLB
import LLBMessages
import LLBText
import OCI
import Testing

@Suite struct FriendlyTests {
    private func document(_ text: String) throws -> FriendlyDocument {
        try FriendlyDocument(parsing: Array(text.utf8))
    }

    private func operation(_ text: String, last: Bool = true) throws -> Pb_Op {
        let text = #"{"operations": {"base": {"image": "a"}, "x": \#(text)}, "result": "x"}"#
        let graph = try definition(of: text).graph(capabilities: nil)
        return try #require(graph.vertices.last).operation
    }

    @Test func `is as short as its example`() throws {
        let text = """
            {
              "syntax": "llb",
              "operations": {
                "base": {"image": "alpine:3.20"},
                "src": {"local": "context", "exclude": ["*.o"]},
                "build": {
                  "exec": "make -C /src",
                  "from": "base",
                  "env": {"A": "1"},
                  "mounts": {"/src": {"from": "src", "output": 1}, "/root/.cache": {"cache": "make", "sharing": "locked"}}
                },
                "out": {"file": [{"copy": "/bin/tool", "from": "build:1", "to": "/usr/bin/", "mode": "0755"}], "from": "base"}
              },
              "result": "out"
            }
            """
        let graph = try definition(of: text).graph()
        #expect(
            graph.vertices.map(\.name) == [
                "docker-image://docker.io/library/alpine:3.20", "local://context", "/bin/sh -c make -C /src",
                "copy /bin/tool /usr/bin/",
            ]
        )
        let exec = graph.vertices[2].operation.exec
        #expect(exec.meta.args == ["/bin/sh", "-c", "make -C /src"])
        #expect(exec.mounts.map(\.dest) == ["/", "/root/.cache", "/src"])
        #expect(exec.mounts.map(\.output) == [0, -1, 1])
        let copy = graph.vertices[3].operation
        #expect(copy.inputs.map(\.index) == [0, 1])
        #expect(copy.file.actions[0].copy.mode == 0o755)
    }

    @Test func `knows every short form`() throws {
        #expect(try operation(#"{"image": "b:1", "resolve": "pull"}"#).source.attrs == ["image.resolvemode": "pull"])
        #expect(
            try operation(#"{"git": "https://h/r.git", "ref": "v1", "subdir": "d"}"#).source.identifier
                == "git://h/r.git#v1:d"
        )
        #expect(try operation(#"{"http": "https://h/f", "mode": "0600"}"#).source.attrs["http.perm"] == "0600")
        #expect(
            try operation(#"{"source": "x://y", "attrs": {"k": "v"}}"#.replacing("x://", with: "local://")).source.attrs
                == ["k": "v"]
        )
        #expect(try operation(#"{"merge": ["base", "scratch", "base"]}"#).merge.inputs.map(\.input) == [0, -1, 1])
        #expect(try operation(#"{"diff": {"upper": "base"}}"#).diff.lower.input == -1)
        #expect(try operation(#"{"passthrough": "p", "outputs": ["base"]}"#).passthrough.outputs == [0])
        #expect(try operation(#"{"op": {"merge": {"inputs": [{}]}}, "inputs": ["base"]}"#).merge.inputs.count == 1)
    }

    @Test func `fills in the platform of the build where nothing is said`() throws {
        let document = try document(
            """
            {"operations": {"a": {"image": "a"}, "b": {"image": "b", "platform": "linux/arm64"},
              "c": {"image": "c", "platform": null}, "d": {"merge": ["a", "b", "c"]}}, "result": "d"}
            """
        )
        let definition = try document.definition(
            of: document.outcome(target: nil),
            platform: Platform(os: "linux", architecture: "riscv64")
        )
        let platforms = try definition.graph().vertices.map { $0.operation.platform.architecture }
        #expect(platforms == ["riscv64", "arm64", "", ""])
    }

    @Test func `points operations at their lines`() throws {
        let text = "{\"operations\": {\n\"a\": {\"image\": \"a\"},\n\"b\": {\n\"merge\": [\"a\"]}}, \"result\": \"b\"}"
        let document = try document(text)
        let definition = try document.definition(
            of: document.outcome(target: nil),
            file: (name: "x.json", content: Array(text.utf8))
        )
        let lines = definition.operations.dropLast().map { operation in
            definition.locations(of: operation.digest).flatMap(\.ranges).map { [$0.start.line, $0.end.line] }
        }
        #expect(lines == [[[2, 2]], [[3, 4]]])
    }

    @Test func `leaves out what a target does not need`() throws {
        let document = try document(
            """
            {"operations": {"a": {"image": "a"}, "b": {"image": "b"}},
             "targets": {"one": {"result": "a"}, "none": {"result": "scratch"}}}
            """
        )
        let one = try document.definition(of: document.outcome(target: "one"), pruned: true)
        #expect(one.operations.count == 2)
        #expect(try document.definition(of: document.outcome(target: "none"), pruned: true).isScratch)
        let error = #expect(throws: LLBTextError.self) { try document.outcome(target: "on") }
        #expect(error?.description.contains("did you mean \"one\"") == true)
        #expect(throws: LLBTextError.self) { try document.outcome(target: nil) }
    }

    @Test func `makes an image config`() throws {
        let document = try document(
            """
            {"operations": {"a": {"image": "a"}}, "result": "a",
             "image": {"inherit": "a", "cmd": ["x"], "env": {"A": "2", "B": "3"}, "ports": [80, "53/udp"],
               "healthcheck": {"cmd": "true", "interval": "5m"}}}
            """
        )
        let settings = try #require(document.outcome(target: nil).image)
        var base = ImageConfig(platform: .host)
        base.config.environment = ["A=1"]
        base.config.entrypoint = ["e"]
        let config = settings.config(on: base, platform: .host).config
        #expect(config.environment == ["A=2", "B=3"])
        #expect(config.entrypoint == ["e"])
        #expect(config.command == ["x"])
        #expect(config.exposedPorts == ["80/tcp", "53/udp"])
        #expect(config.healthcheck?.interval == 300_000_000_000)
        #expect(document.image(of: "a") == "docker.io/library/a:latest")
    }

    @Test func `passes over comments and directive lines`() throws {
        let text = """
            # syntax=llb
            // made by hand
            {"operations": {"//": "why", "a": {"image": "a", "// note": 1}}, "result": "a"}
            """
        #expect(try definition(of: text).operations.count == 2)
    }
}
