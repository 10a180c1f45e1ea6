// SPDX-License-Identifier: Apache-2.0

import FrontendKit
import FrontendProtocol
import OCI
import Testing
import YAMLSpec

struct SpecTests {
    @Test func `every unknown key of a file is told at once, with what was meant`() async {
        let message = await complaint(
            """
            imags: {}
            images:
              app:
                base: busybox
                entrypont: [sh]
                steps:
                  - run: make
                    cache: [/root]
                  - {copyy: a, to: b}
                healthcheck: {runn: x}
              Bad: {base: x}
            """
        )
        #expect(message.contains("image.yaml:1:1: unknown key \"imags\" in the spec; did you mean \"images\"?"))
        #expect(message.contains("\"Bad\" cannot name an image"))
        #expect(message.contains(">    1 | imags: {}\n       | ^^^^^"))
    }

    @Test func `every mistake inside of stages is told at once`() async {
        let message = await complaint(
            """
            images:
              app:
                base: busybox
                entrypont: [sh]
                steps:
                  - run: make
                    cache: [/root]
                  - {copyy: a, to: b}
                  - {copy: a}
                  - {run: x, copy: b}
                  - {copy: ../x, to: /}
                  - {content: x, to: /etc/}
                  - {download: "ftp://x", to: /}
                  - {directory: /x, mode: u+x}
                  - {run: x, inputs: ["*.go", ../x]}
                healthcheck: {runn: x}
                ports: [70000]
                stop-signal: SIGTREM
            """
        )
        for expected in [
            "image.yaml:4:5: unknown key \"entrypont\" in image app; did you mean \"entrypoint\"?",
            "image.yaml:7:9: unknown key \"cache\" in a run step; did you mean \"caches\"?",
            "image.yaml:8:10: this step does nothing; did you mean \"copy\"?",
            "copy has no to:", "a step cannot both run and copy; make it two", "copy cannot leave the context: ../x",
            "to: is a directory; content needs the name of a file", "expected an address that begins with https://",
            "mode is \"u+x\", expected octal digits such as 0755 up to 0777",
            "an input is one file or directory: \"*.go\" has a wildcard", "an input cannot leave its tree: ../x",
            "unknown key \"runn\" in healthcheck; did you mean \"run\"?", "healthcheck has no run:",
            "ports holds \"70000\"", "stop-signal is \"SIGTREM\"", "did you mean \"SIGTERM\"?",
        ] {
            #expect(message.contains(expected), "\(expected)\nis missing in\n\(message)")
        }
    }

    @Test(arguments: [
        ("base: [a]", "base is a list, expected a text"), ("base:", "has no base"),
        ("base: context", "base cannot be the context"),
        ("base: Not:A:Name", "neither a stage of this spec nor the name"),
        ("base: busybox\nusers: [Root]", "\"Root\" cannot name a user"),
        ("base: busybox\nusers: [a, a]", "user a is created twice"),
        ("base: busybox\nusers: [{name: a, uid: 5}, {name: b, uid: 5}]", "uid 5 is already a's"),
        ("base: busybox\nusers: [{name: a, uid: -1}]", "expected a number from 0 to 4294967294"),
        ("base: busybox\npackages: {apt: [--force]}", "\"--force\" is no package of apt"),
        ("base: busybox\npackages: {apt: [\"a b\"]}", "write one package an element"),
        ("base: busybox\npackages: {apt: [\"a;reboot\"]}", "is no package of apt"),
        ("base: busybox\npackages: {yum: [a]}", "unknown key \"yum\" in packages"),
        ("base: busybox\nhealthcheck: {run: x, interval: 5}", "expected a time such as 30s"),
        ("base: busybox\nhealthcheck: {run: x, interval: 99999999h}", "expected a time such as 30s"),
        ("base: busybox\nenv: {\"A=B\": c}", "cannot name an environment variable"),
        ("base: busybox\nplatforms: [linux/foo/bar/baz]", "platforms:"),
        ("base: busybox\nsteps: [{run: x, network: bridge}]", "network is \"bridge\", expected default, none, host"),
        ("base: busybox\nsteps: [{run: x, always: yes}]", "write true or false, in small letters"),
        ("base: busybox\nsteps: [{env: {A: b}, workdir: /x}]", "a step cannot both env and workdir"),
        ("base: busybox\nsteps: [{run: x, caches: [{path: /}]}]", "a cache cannot stand in place of the whole tree"),
    ])
    func `a value of the wrong kind is told with what was expected`(body: String, expected: String) async {
        let text = "images:\n  app:\n    " + body.replacing("\n", with: "\n    ") + "\n"
        let message = await complaint(text)
        #expect(message.contains(expected), "\(message)")
    }

    @Test func `only images have settings of containers`() async {
        let text = "stages:\n  a:\n    base: busybox\n    cmd: [x]\nimages:\n  b: {base: a}\n"
        #expect(await complaint(text).contains("image.yaml:4:5: only images have \"cmd\""))
    }

    @Test func `stages that need each other are refused`() async {
        let text = """
            stages:
              a: {base: b}
              b: {base: busybox, files: [{copy: x, from: c, to: y}]}
              c: {base: a}
            images:
              i: {base: a}
            """
        #expect(await complaint(text).contains("stages need each other: a → b → c → a"))
    }

    @Test func `extension keys are for anchors`() async throws {
        let text = """
            x-common: &common {base: busybox, env: {A: b}}
            images:
              one: *common
              two: {<<: *common, user: nobody}
            """
        #expect(try await convert(text, target: "two").config.config.environment.last == "A=b")
    }

    @Test func `steps, stages and targets have their limits`() async {
        let steps = String(repeating: "      - {run: x}\n", count: 2001)
        #expect(
            await complaint("images:\n  a:\n    base: busybox\n    steps:\n" + steps).contains(
                "a spec has at most 2000 steps"
            )
        )
        let images = (0...1000).map { "  i\($0): {base: busybox}\n" }.joined()
        #expect(await complaint("images:\n" + images).contains("a spec has at most 1000 stages and images"))
        let values = (0..<200).map { "\"\($0)\"" }.joined(separator: ", ")
        let many = (0..<10).map { "  i\($0): {base: busybox, matrix: {v: [\(values)]}}\n" }.joined()
        #expect(await complaint("variables: {v: 1}\nimages:\n" + many).contains("a spec has at most 1000 targets"))
    }

    // MARK: Includes

    @Test func `files are included once, and may use what others declare`() async throws {
        let files = [
            "a.yaml": "include: [sub/b.yaml, ./sub/../c.yaml]\n",
            "sub/b.yaml": "include: c.yaml\nstages:\n  base: {base: \"busybox:${v}\"}\n",
            "c.yaml": "variables: {v: 1}\n",
        ]
        let document = try await load("include: [a.yaml]\nimages:\n  app: {base: base}\n", files: files)
        #expect(document.sources.map(\.name) == ["image.yaml", "a.yaml", "sub/b.yaml", "c.yaml"])
        #expect(document.declarations.map(\.name) == ["base", "app"])
    }

    @Test(arguments: [
        ("../x.yaml", "it is not inside of the context"), ("/etc/passwd", "it is not inside of the context"),
        ("a/../../x", "it is not inside of the context"), ("", "it is not inside of the context"),
        ("missing.yaml", "there is no such file in the context"),
        ("self.yaml", "files include each other: self.yaml → self.yaml"),
        ("circle1.yaml", "files include each other: circle1.yaml → circle2.yaml → circle1.yaml"),
        ("bad.yaml", "bad.yaml:1:1: unknown key \"iamges\" in an included file; did you mean \"images\"?"),
        ("deep0.yaml", "files are included more than 8 deep"), ("default.yaml", "only the build file itself says"),
    ])
    func `what cannot be included is told with its place`(path: String, expected: String) async {
        var files = [
            "self.yaml": "include: [self.yaml]\n", "circle1.yaml": "include: [circle2.yaml]\n",
            "circle2.yaml": "include: [circle1.yaml]\n", "bad.yaml": "iamges: {}\n", "default.yaml": "default: app\n",
        ]
        for level in 0..<20 { files["deep\(level).yaml"] = "include: [deep\(level + 1).yaml]\n" }
        let message = await complaint("include: [\"\(path)\"]\nimages:\n  app: {base: busybox}\n", files: files)
        #expect(message.contains(expected), "\(message)")
    }

    @Test func `a spec has so many files at most`() async {
        var files: [String: String] = [:]
        for index in 0..<100 { files["f\(index).yaml"] = "x-a: 1\n" }
        let list = (0..<100).map { "f\($0).yaml" }.joined(separator: ", ")
        #expect(await complaint("include: [\(list)]\n", files: files).contains("a spec has at most 64 files"))
    }

    @Test func `one name is declared once, in whatever file`() async {
        let files = ["a.yaml": "variables: {v: 1}\nstages:\n  app: {base: busybox}\n"]
        let message = await complaint(
            "include: [a.yaml]\nvariables: {v: 2}\nimages:\n  app: {base: busybox}\n",
            files: files
        )
        #expect(message.contains("image.yaml:2:13: variable \"v\" is declared twice"))
        #expect(message.contains("image.yaml:4:3: \"app\" is already a stage"))
        #expect(message.contains("the first one is at a.yaml:3"))
    }

    // MARK: Targets

    private let several = """
        variables: {python: "3.11", slim: false}
        stages:
          base: {base: "python:${python}"}
        images:
          app:
            base: base
            matrix: {python: ["3.11", "3.12"], slim: [true, false], exclude: [{python: "3.11", slim: true}]}
          docs: {base: base}
        """

    @Test func `an image's matrix makes a target of each cell that is not excluded`() async throws {
        let names = try await load(several).targets().map(\.name)
        #expect(names == ["base", "app-3.11-false", "app-3.12-true", "app-3.12-false", "docs"])
    }

    @Test func `several images need a choice, and the choices are told`() async {
        let message = await complaint(several)
        #expect(message.contains("which image? There are app-3.11-false, app-3.12-true, app-3.12-false, docs"))
        #expect(
            await complaint(several, target: "dosc").contains("there is no target \"dosc\"; did you mean \"docs\"?")
        )
        #expect(await complaint(several, target: "zzz").contains("targets: base, app-3.11-false"))
    }

    @Test func `arguments choose a cell of a matrix`() async throws {
        let document = try await load(several)
        let cell = try document.target(named: "app", arguments: ["python": "3.11"])
        #expect(cell.name == "app-3.11-false")
        let message = await complaint(several, target: "app", arguments: ["python": "3.12"])
        #expect(message.contains("which app? Its matrix has app-3.12-true, app-3.12-false"))
    }

    @Test func `a cell's values reach the stages below`() async throws {
        let converted = try await convert(several, target: "app-3.12-true")
        let source = try converted.operations().compactMap { $0["source"]?["identifier"]?.text }
        #expect(source.first?.hasPrefix("docker-image://docker.io/library/python:3.12@sha256:") == true)
    }

    @Test func `a matrix has so many cells at most, of variables that exist`() async {
        let values = (0..<20).map { "\"\($0)\"" }.joined(separator: ", ")
        let text =
            "variables: {a: 1, b: 2}\nimages:\n  app:\n    base: busybox\n    matrix: {a: [\(values)], b: [\(values)], c: [1]}\n"
        let message = await complaint(text)
        #expect(message.contains("the matrix has more than 256 cells with b"))
        #expect(message.contains("the matrix names \"c\", which is no variable of this spec"))
    }

    // MARK: Questions

    @Test func `targets and outline tell what can be built with what`() async throws {
        let text = """
            variables:
              token: {description: of the registry}
              unrelated: x
            default: app
            images:
              app:
                base: busybox
                description: The application
                steps:
                  - {run: x, secrets: [key, {id: other, required: false}], ssh: true, caches: [/c]}
              tool: {base: alpine:3}
            """
        let document = try await load(text)
        let targets = try document.targetsDescription()
        #expect(targets.targets.map(\.name) == ["app", "tool"])
        #expect(targets.targets.map(\.isDefault) == [true, false])
        #expect(targets.targets[0].description == "The application")
        let target = try document.target(named: nil, arguments: [:])
        let spec = try Spec(
            document,
            Spec.Request(target: target, targetPlatform: amd64, buildPlatform: amd64, isLenient: true)
        )
        let outline = spec.outline(of: target)
        #expect(outline.arguments.map(\.name) == ["token", "unrelated"])
        #expect(outline.arguments[0].description == "of the registry")
        #expect(outline.secrets.map(\.name) == ["key", "other"])
        #expect(outline.secrets.map(\.isRequired) == [true, false])
        #expect(outline.ssh.map(\.name) == ["default"])
        #expect(outline.caches.map(\.id) == ["/c"])
    }

    @Test func `the linter finds what is hardly wanted, each with its place`() async throws {
        let text = """
            variables: {used: 1, unused: 2, script: 3}
            stages:
              lost: {base: busybox}
            images:
              app:
                base: alpine
                env: {DB_PASSWORD: hunter2, A: "${used}"}
                files:
                  - {copy: ., to: /app}
                  - {download: "https://example.com/x", to: /x}
                steps:
                  - run: apt-get install -y curl; echo ${script} ${HOME}
            """
        let converted = try await convert(text)
        let findings = SpecLinter.findings(converted.spec, arguments: ["usd": "1", "HTTP_PROXY": "x"])
        #expect(
            findings.map { $0.code ?? "" } == [
                "UnusedVariable", "UnusedVariable", "VariableInScript", "UndeclaredArgument", "UnusedStage",
                "UnpinnedImage", "UnpinnedImage", "SecretInEnvironment", "WholeContext", "DownloadWithoutChecksum",
                "PackageManagerInRun", "RootUser",
            ]
        )
        #expect(findings[3].message.hasSuffix("did you mean \"used\"?"))
        #expect(findings[7].ranges.first?.startLine == 7)
    }
}
