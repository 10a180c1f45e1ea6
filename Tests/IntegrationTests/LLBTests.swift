// SPDX-License-Identifier: Apache-2.0

import OCI
import Testing

/// LLB as text and as files, through the executables.
struct LLBTests {
    private static let friendly = """
        {
          "syntax": "llb",
          "operations": {
            "src": {"local": "context", "include": ["a.txt"]},
            "out": {"file": [
              {"copy": "/a.txt", "from": "src", "to": "/b.txt", "mode": "0640"},
              {"mkfile": "/made", "text": "made\\n"}
            ]}
          },
          "result": "out",
          "image": {"cmd": ["/b.txt"], "labels": {"a": "b"}},
          "targets": {"source": {"result": "src"}}
        }
        """

    private func project() async throws -> Project {
        try await Project("FROM scratch\nCOPY a.txt /c.txt\n", files: ["a.txt": "one\n", "build.json": Self.friendly])
    }

    @Test func `a friendly file builds a tree, an image and its targets`() async throws {
        let project = try await project()
        let workspace = project.workspace
        let file = workspace.path("context/build.json")
        try await project.build(
            "--frontend",
            "llb",
            "-f",
            file,
            "-o",
            "type=local,dest=\(workspace.path("tree"))",
            "-o",
            "type=oci,tar=false,dest=\(workspace.path("image"))"
        )
        #expect(try workspace.read("tree/b.txt") == "one\n")
        #expect(try workspace.read("tree/made") == "made\n")
        let config = try BuiltImage(layout: workspace.path("image")).config
        #expect(config["config"]?["Cmd"]?.elements?.first?.text == "/b.txt")
        try await project.build(
            "--frontend",
            "llb",
            "-f",
            file,
            "--target",
            "source",
            "-o",
            "type=local,dest=\(workspace.path("src"))"
        )
        #expect(workspace.names(in: "src") == ["a.txt"])
        let message = try await project.failure("--frontend", "llb", "-f", file, "--target", "sorce")
        #expect(message.contains("did you mean \"source\"?"), "\(message)")
    }

    @Test func `every form of a graph builds the same`() async throws {
        let project = try await project()
        let (kiln, workspace) = (project.kiln, project.workspace)
        let file = workspace.path("context/build.json")
        for (form, name) in [("--lines", "b.lines"), ("--json", "b.wire.json"), ("--friendly", "b.friendly.json")] {
            let dumped = try await kiln.run("llb", "dump", form, file, state: workspace.state)
            try #require(dumped.status == 0, "\(dumped.error)")
            let written = try workspace.write("context/\(name)", dumped.outputText)
            let tree = "tree-\(name)"
            try await project.build(
                "--frontend",
                "llb",
                "-f",
                written,
                "-o",
                "type=local,dest=\(workspace.path(tree))"
            )
            #expect(workspace.names(in: tree) == ["b.txt", "made"])
        }
    }

    @Test func `a protobuf definition comes from a file or the standard input`() async throws {
        let project = try await Project("FROM scratch\n")
        let (kiln, workspace) = (project.kiln, project.workspace)
        let text = #"{"operations": {"a": {"file": [{"mkfile": "/f", "text": "x"}]}}, "result": "a"}"#
        let file = try workspace.write("a.json", text)
        let dumped = try await kiln.run("llb", "dump", "--protobuf", file, state: workspace.state)
        let message = try workspace.write("a.pb", dumped.output)
        let output = "type=local,dest=\(workspace.path("tree"))"
        let built = try await kiln.run("build", "--llb", message, "-o", output, state: workspace.state)
        #expect(built.status == 0, "\(built.error)")
        #expect(try workspace.read("tree/f") == "x")
        let line = "\(kiln.program) build --llb - -o type=local,dest=\(workspace.path("piped")) < \(message)"
        let piped = try await Command("/bin/sh", ["-c", line], environment: ["KILN_STATE_DIR=\(workspace.state)"])
            .result()
        #expect(piped.status == 0, "\(piped.error)")
        #expect(try workspace.read("piped/f") == "x")
        let broken = try workspace.write("broken.pb", "no protobuf at all")
        let refused = try await kiln.run("build", "--llb", broken, state: workspace.state)
        #expect(refused.status == 1)
    }

    @Test func `what a frontend makes of a build file can be looked at`() async throws {
        let project = try await project()
        let (kiln, workspace) = (project.kiln, project.workspace)
        let file = workspace.path("context/Dockerfile")
        let tree = try await kiln.run("llb", "graph", file, state: workspace.state)
        #expect(
            tree.outputText.contains("└─ context  [internal] load build context"),
            "\(tree.outputText)\(tree.error)"
        )
        let dot = try await kiln.run("llb", "graph", "--dot", file, state: workspace.state)
        #expect(dot.outputText.hasPrefix("digraph {\n"))
        let converted = try await kiln.run(
            "build",
            "--call",
            "convert",
            workspace.path("context"),
            state: workspace.state
        )
        #expect(converted.outputText.contains("\"def\""), "\(converted.error)")
        let targets = try await kiln.run(
            "build",
            "--call",
            "targets",
            "--frontend",
            "llb",
            "-f",
            workspace.path("context/build.json"),
            workspace.path("context"),
            state: workspace.state
        )
        #expect(
            targets.outputText == "TARGET     BASE  DESCRIPTION\n(default)\nsource\n",
            "\(targets.outputText)\(targets.error)"
        )
        let check = try await kiln.run("build", "--call", "check", workspace.path("context"), state: workspace.state)
        #expect(check.status == 0, "\(check.outputText)\(check.error)")
    }

    @Test func `check names all that is wrong, with places`() async throws {
        let project = try await Project("FROM scratch\n")
        let (kiln, workspace) = (project.kiln, project.workspace)
        let text = "{\"operations\": {\n\"a\": {\"imag\": \"x\"},\n\"b\": {\"merge\": [\"c\"]}},\n\"result\": \"b\"}"
        let file = try workspace.write("bad.json", text)
        let result = try await kiln.run("llb", "check", file, state: workspace.state)
        #expect(result.status == 1)
        #expect(result.error.contains("\(file):2:6: operations.a: says not what it does"), "\(result.error)")
        #expect(result.error.contains("\(file):3:6: operations.b: needs \"c\""), "\(result.error)")
        let graph =
            #"{"operations": {"a": {"passthrough": "", "outputs": []}, "b": {"source": "x://y"}, "c": {"merge": ["a", "b"]}}, "result": "c:1"}"#
        let wrong = try workspace.write("wrong.json", graph)
        let found = try await kiln.run("llb", "check", wrong, state: workspace.state)
        #expect(found.status == 1)
        #expect(
            found.error.contains("needs an id") && found.error.contains("scheme \"x\" is unknown"),
            "\(found.error)"
        )
        let good = try workspace.write("good.json", Self.friendly)
        let fine = try await kiln.run("llb", "check", good, state: workspace.state)
        #expect(fine.outputText == "\(good): 2 operations, nothing wrong\n", "\(fine.error)")
    }
}
