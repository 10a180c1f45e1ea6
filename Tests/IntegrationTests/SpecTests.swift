// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing

/// Image specs in YAML through the executable: what runs again and what does not, and what is told.
struct SpecTests {
    private let spec = """
        stages:
          build:
            base: busybox
            workdir: /src
            steps:
              - run: cat src/*.txt > /result; date +%N >> /stamp
                inputs: [{path: src, exclude: ["*.md"]}, Makefile]
                name: compile
        images:
          app: {base: scratch, files: [{copy: /result, from: build, to: /result}]}
        """

    private func project(_ spec: String, _ files: [String: String] = [:]) async throws -> Project {
        try await Project("", files: files.merging(["image.yaml": spec]) { first, _ in first })
    }

    private func build(_ project: Project) async throws -> BuildReport {
        let output = project.workspace.path("out")
        return try await project.build(
            "-f",
            project.workspace.path("context/image.yaml"),
            "--frontend",
            "yaml",
            "-o",
            "type=local,dest=\(output)"
        )
    }

    private func failure(_ project: Project) async throws -> String {
        try await project.failure("-f", project.workspace.path("context/image.yaml"), "--frontend", "yaml")
    }

    @Test func `only declared inputs run a step again`() async throws {
        let project = try await project(
            spec,
            ["src/a.txt": "one\n", "src/notes.md": "x", "Makefile": "all:\n", "README": "x"]
        )
        #expect(try await build(project).step("compile").isCached == false)
        #expect(try project.workspace.read("out/result") == "one\n")
        try project.workspace.write("context/README", "changed")
        try project.workspace.write("context/src/notes.md", "changed")
        try project.workspace.write("context/src2/b.txt", "new")
        #expect(try await build(project).step("compile").isCached)
        try project.workspace.write("context/src/b.txt", "two\n")
        #expect(try await build(project).step("compile").isCached == false)
        #expect(try project.workspace.read("out/result") == "one\ntwo\n")
    }

    @Test func `a step sees its inputs and nothing else of the context, and cannot change them`() async throws {
        let project = try await project(
            """
            images:
              app:
                base: busybox
                workdir: /w
                steps:
                  - run: |
                      test -f a/in && test ! -e b && test ! -e image.yaml
                      ! touch a/new 2> /dev/null
                      touch c/new
                    inputs: [a, {path: c, writable: true}]
                  - run: test ! -e a && test ! -e c
            """,
            ["a/in": "1", "b/out": "2", "c/in": "3"]
        )
        _ = try await build(project)
        #expect(!project.workspace.exists("context/c/new"))
    }

    @Test func `mistakes are told at once, with their lines`() async throws {
        let project = try await project("images:\n  app:\n    base: busybox\n    entrypont: [sh]\n    usr: x\n")
        let message = try await failure(project)
        #expect(
            message.contains("image.yaml:4:5: unknown key \"entrypont\" in image app; did you mean \"entrypoint\"?")
        )
        #expect(message.contains(">    4 |     entrypont: [sh]\n       |     ^^^^^^^^^"))
        #expect(message.contains("image.yaml:5:5: unknown key \"usr\" in image app; did you mean \"user\"?"))
    }

    @Test func `a step that fails is told with the lines of the spec`() async throws {
        let project = try await project(
            "images:\n  app:\n    base: busybox\n    steps:\n      - run: false; echo never\n"
        )
        let message = try await failure(project)
        #expect(message.contains("image.yaml:5"))
        #expect(message.contains("exit code: 1"))
    }

    @Test func `an include cannot leave the context by a link`() async throws {
        let project = try await project("include: [link.yaml]\nimages:\n  app: {base: busybox}\n", ["x": ""])
        let secret = try project.workspace.write("outside.yaml", "marker-of-a-secret: 1\n")
        try FileManager.default.createSymbolicLink(
            atPath: project.workspace.path("context/link.yaml"),
            withDestinationPath: secret
        )
        let message = try await failure(project)
        #expect(message.contains("cannot include link.yaml: there is no such file in the context"))
        #expect(!message.contains("marker-of-a-secret"))
    }

    @Test func `weaknesses are told with the build`() async throws {
        let project = try await project(
            "variables: {v: 1}\nimages:\n  app: {base: busybox, steps: [{run: 'echo ${v}'}]}\n"
        )
        let report = try await build(project)
        #expect(report.warnings.sorted() == ["UnusedVariable", "VariableInScript"])
    }
}
