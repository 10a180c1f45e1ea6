// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import SystemPackage
import Testing

/// What frontends may ask for and what can be asked of them, through the executable.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "python3 is not installed"))
struct FrontendCallTests {
    /// A directory with frontends in Python: each solves a graph, or calls another frontend.
    private struct Fixture {
        let kiln: Kiln
        let workspace: Workspace

        init() async throws {
            kiln = try await Kiln.shared
            workspace = try Workspace()
            try workspace.write("project/a.txt", "a\n")
            try workspace.write("project/Dockerfile", "# syntax=acme/first\nFROM scratch\nCOPY a.txt /inner\n")
        }

        /// - `calls`: The frontend it calls; `nil` solves `graph`.
        func write(_ name: String, calls: String? = nil, graph: String = "{}", permissions: String = "") throws {
            let folder = "frontends/\(name)"
            try workspace.write(
                "\(folder)/frontend.toml",
                """
                manifest = 1
                name = "acme/\(name)"
                version = "1.0.0"
                [protocol]
                versions = ["1.0"]
                [entry]
                argv = ["/usr/bin/python3", "main.py"]
                runtime = "host"
                [permissions]
                \(permissions)

                """
            )
            let program = Self.program.replacing("NAME", with: "acme/\(name)").replacing("CALLS", with: calls ?? "")
            try workspace.write("\(folder)/main.py", program.replacing("GRAPH", with: graph))
        }

        /// Lists frontends in the project, each with what it is granted.
        func list(_ grants: [String: String]) throws {
            var text = "version = 1\n[frontends]\n"
            let names = grants.keys.sorted()
            for name in names { text += "\"acme/\(name)\" = { path = \"../frontends/\(name)\" }\n" }
            for name in names { text += "[grant.\"acme/\(name)\"]\n\(grants[name] ?? "")\n" }
            try workspace.write("project/kiln.toml", text)
        }

        func build(_ arguments: String...) async throws -> CommandResult {
            try await kiln.start(
                ["build", workspace.path("project"), "--progress", "quiet"] + arguments,
                state: workspace.state
            ).result()
        }

        private static let program = """
            import json, struct, sys
            def read():
                head = sys.stdin.buffer.read(8)
                if len(head) < 8: sys.exit(0)
                length, stream = struct.unpack('>II', head)
                return stream, sys.stdin.buffer.read(length)
            def send(message):
                text = json.dumps(message).encode()
                sys.stdout.buffer.write(struct.pack('>II', len(text), 0) + text)
                sys.stdout.buffer.flush()
            def call(method, params):
                send({'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params})
                while True:
                    stream, text = read()
                    if stream == 0: return json.loads(text)
            while True:
                stream, text = read()
                if stream: continue
                message = json.loads(text)
                answer = {'protocol': '1.0', 'frontend': {'name': 'NAME', 'version': '1.0.0'}}
                if message['method'] == 'build':
                    done = call('frontend/solve', {'name': 'CALLS'}) if 'CALLS' else call('solve', {'definition': {'json': {'def': json.loads('GRAPH')}}})
                    if 'error' in done:
                        send({'jsonrpc': '2.0', 'id': message['id'], 'error': dict(done['error'], data={'kind': 'buildFile', 'request': 1})})
                        continue
                    done = done['result']
                    refs = done.get('refs') or [{'id': 'linux/amd64', 'ref': done['ref']}]
                    answer = {'refs': [{'id': one['id'], 'ref': one['ref']} for one in refs]}
                send({'jsonrpc': '2.0', 'id': message['id'], 'result': answer})

            """
    }

    // MARK: Frontends that call others

    @Test func `a frontend has another one build, and the tree is its own then`() async throws {
        let fixture = try await Fixture()
        try fixture.write("first", calls: "dockerfile", permissions: #"frontends = ["dockerfile"]"#)
        try fixture.list(["first": #"frontends = ["dockerfile"]"#])
        for (out, arguments) in [("out", []), ("named", ["--frontend", "acme/first"])] as [(String, [String])] {
            let result = try await fixture.kiln.start(
                ["build", fixture.workspace.path("project"), "-o", fixture.workspace.path(out)] + arguments,
                state: fixture.workspace.state
            ).result()
            #expect(result.status == 0, "\(result.error)")
            #expect(try fixture.workspace.read("\(out)/inner") == "a\n")
        }
    }

    @Test func `F215: a frontend calls only those that its package names`() async throws {
        let fixture = try await Fixture()
        try fixture.write("first", calls: "acme/second", permissions: #"frontends = ["dockerfile"]"#)
        try fixture.write("second")
        try fixture.list(["first": #"frontends = ["dockerfile"]"#, "second": ""])
        let result = try await fixture.build()
        #expect(result.status == 1)
        #expect(result.error.contains(#"F215 acme/first may not call frontend "acme/second""#), "\(result.error)")
    }

    @Test func `F216: frontends that call each other in a circle are stopped`() async throws {
        let fixture = try await Fixture()
        try fixture.write("first", calls: "acme/second", permissions: #"frontends = ["acme/second"]"#)
        try fixture.write("second", calls: "acme/first", permissions: #"frontends = ["acme/first"]"#)
        try fixture.list(["first": #"frontends = ["acme/second"]"#, "second": #"frontends = ["acme/first"]"#])
        let result = try await fixture.build()
        #expect(result.status == 1)
        #expect(
            result.error.contains("F216 frontend cycle: acme/first → acme/second → acme/first"),
            "\(result.error)"
        )
    }

    @Test func `at most eight frontends stand inside each other`() async throws {
        let fixture = try await Fixture()
        let names = ["first", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9"]
        var grants: [String: String] = [:]
        for (name, next) in zip(names, names.dropFirst() + ["dockerfile"]) {
            let callee = next == "dockerfile" ? next : "acme/\(next)"
            try fixture.write(name, calls: callee, permissions: "frontends = [\"\(callee)\"]")
            grants[name] = "frontends = [\"\(callee)\"]"
        }
        try fixture.list(grants)
        let result = try await fixture.build()
        #expect(result.status == 1)
        #expect(result.error.contains("8 frontends stand inside each other, which is the limit"), "\(result.error)")
    }

    // MARK: Rights

    @Test(arguments: [
        (
            #"{"input":-1,"dest":"/s","output":-1,"mountType":"SECRET","secretOpt":{"ID":"key"}}"#, "",
            #"the secret "key""#
        ),
        (#"{"input":-1,"dest":"/s","output":-1,"mountType":"SSH","SSHOpt":{"ID":"key"}}"#, "", "an SSH agent"),
        (#"{"input":-1,"dest":"/s","output":-1,"mountType":"TMPFS"}"#, #""network":"HOST","#, "the host's network"),
        (#"{"input":-1,"dest":"/s","output":-1,"mountType":"TMPFS"}"#, #""security":"INSECURE","#, "all privileges"),
    ])
    func `F214: what a frontend was not granted it cannot put into a step`(
        _ mount: String,
        _ member: String,
        _ what: String
    ) async throws {
        let fixture = try await Fixture()
        let graph = """
            {"e":{"exec":{\(member)"meta":{"args":["true"],"cwd":"/"},\
            "mounts":[{"input":-1,"dest":"/","output":0},\(mount)]}},\
            "o":{"inputs":[{"digest":"e"}]}}
            """
        try fixture.write("first", graph: graph)
        try fixture.list(["first": ""])
        let result = try await fixture.build("--secret", "id=key,env=HOME", "--allow", "network.host")
        #expect(result.status == 1)
        #expect(result.error.contains("F214 acme/first uses \(what)"), "\(result.error)")
    }

    @Test func `F214: a frontend that asks for more than the project grants does not run`() async throws {
        let fixture = try await Fixture()
        try fixture.write("first", permissions: #"secrets = ["key"]"#)
        try fixture.list(["first": ""])
        let result = try await fixture.build()
        #expect(result.status == 1)
        #expect(result.error.contains(#"F214 kiln.toml: acme/first 1.0.0 asks for secret "key""#), "\(result.error)")
    }

    // MARK: Questions

    @Test func `a check prints what it found, and its status tells`() async throws {
        let fixture = try await Fixture()
        try fixture.workspace.write("project/Dockerfile", "FROM scratch AS one\nMAINTAINER x\n")
        let found = try await fixture.build("--check")
        #expect(found.status == 1)
        #expect(found.outputText.contains("Dockerfile:2: warning: MaintainerDeprecated: "), "\(found.outputText)")
        try fixture.workspace.write("project/Dockerfile", "FROM scratch AS one\nARG WORD=value\nENV K=$WORD\n")
        let clean = try await fixture.build("--check")
        #expect(clean.status == 0, "\(clean.outputText)")
        let targets = try await fixture.build("--call", "targets")
        #expect(targets.outputText == "TARGET         BASE     DESCRIPTION\none (default)  scratch\n")
        let outline = try await fixture.build("--call", "outline,format=json")
        #expect(outline.outputText.contains(#""name":"WORD","value":"value""#), "\(outline.outputText)")
    }

    @Test func `questions go with no output, and only known ones are asked`() async throws {
        let fixture = try await Fixture()
        for arguments in [["--check", "-o", "out"], ["--call", "poem"], ["--call", "targets,format=xml"]] {
            let result = try await fixture.kiln.start(
                ["build", fixture.workspace.path("project")] + arguments,
                state: fixture.workspace.state
            ).result()
            #expect(result.status == 1)
            #expect(result.error.hasPrefix("kiln: "), "\(result.error)")
        }
    }

    // MARK: Traces and reuse

    @Test func `a recorded session is played again without an engine, and another behaviour shows`() async throws {
        let fixture = try await Fixture()
        let action =
            #"{"input":-1,"secondaryInput":-1,"output":0,"mkfile":{"path":"/x","mode":420,"data":"eAo=","timestamp":-1}}"#
        try fixture.write("first", graph: #"{"f":{"file":{"actions":[\#(action)]}},"o":{"inputs":[{"digest":"f"}]}}"#)
        try fixture.list(["first": ""])
        let trace = fixture.workspace.path("trace")
        let built = try await fixture.build("--frontend-trace", trace)
        #expect(built.status == 0, "\(built.error)")
        let files = fixture.workspace.names(in: "trace").sorted()
        #expect(files == ["blobs", "manifest", "replay.sh", "stderr.log", "trace.jsonl"])
        let lines = try fixture.workspace.read("trace/trace.jsonl").split(separator: "\n")
        #expect(lines.first?.hasPrefix(#"{"trace":1,"protocol":"1.0""#) == true)
        #expect(lines.last == #"{"end":{"status":0}}"#)
        let same = try await fixture.kiln.run(
            "frontend",
            "replay",
            trace,
            "--",
            fixture.workspace.path("frontends/first"),
            state: fixture.workspace.state
        )
        #expect(same.status == 0, "\(same.outputText)\(same.error)")
        #expect(same.outputText == "the result is the same\n")
        try fixture.write("first", calls: "dockerfile")
        let other = try await fixture.kiln.run(
            "frontend",
            "replay",
            trace,
            "--",
            fixture.workspace.path("frontends/first"),
            state: fixture.workspace.state
        )
        #expect(other.status == 1)
        #expect(other.outputText.contains("asked, but not in the trace: frontend/solve"), "\(other.outputText)")
        // A trace is never written over.
        let again = try await fixture.build("--frontend-trace", trace)
        #expect(again.status == 1)
        #expect(again.error.contains("the directory is not empty"), "\(again.error)")
    }

    @Test func `the result of the built-in frontend is kept and found again, one under development keeps none`()
        async throws
    {
        let fixture = try await Fixture()
        try fixture.workspace.write("project/Dockerfile", "FROM scratch\nCOPY a.txt /\n")
        func records() -> [String] {
            fixture.workspace.names(in: "state/cache/frontend-results").flatMap { key in
                fixture.workspace.names(in: "state/cache/frontend-results/\(key)")
            }
        }
        #expect(try await fixture.build().status == 0)
        #expect(records().count == 1)
        #expect(try await fixture.build().status == 0)
        #expect(records().count == 1)
        try fixture.workspace.write("project/Dockerfile", "FROM scratch\nCOPY a.txt /b\n")
        #expect(try await fixture.build().status == 0)
        #expect(records().count == 2)
        try fixture.write("first")
        #expect(try await fixture.build("--frontend", fixture.workspace.path("frontends/first")).status == 0)
        #expect(records().count == 2)
    }
}
