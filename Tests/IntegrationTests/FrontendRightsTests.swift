// SPDX-License-Identifier: Apache-2.0

import Glibc
import OCI
import Testing

/// What frontends of a project may do, by the ids of `Protocol/SPEC.md`: two frontends, of which one calls the other.
@Suite(.enabled(if: geteuid() == 0, "building needs root"), .serialized, .timeLimit(.minutes(4)))
struct FrontendRightsTests {
    /// Frames, the first two requests, `ask` for a request with its answer, `finish` with a ref or an error.
    static let prelude = """
        #!/usr/bin/python3
        import json, os, struct, sys
        stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        count = 0
        def receive():
            while True:
                header = stdin.read(8)
                if len(header) < 8: sys.exit(0)
                length, stream = struct.unpack(">II", header)
                payload = stdin.read(length)
                if stream == 0: return json.loads(payload)
        def send(**message):
            text = json.dumps({"jsonrpc": "2.0", **message}).encode()
            stdout.write(struct.pack(">II", len(text), 0) + text)
            stdout.flush()
        def ask(method, **params):
            global count
            count += 1
            send(id=count, method=method, params=params)
            return receive()
        def finish(answer, ref):
            if "error" in answer:
                send(id=work["id"], error={"code": -32000, "message": answer["error"]["data"]["kind"] + ": "
                     + answer["error"]["message"], "data": {"kind": answer["error"]["data"]["kind"], "request": count}})
            else:
                send(id=work["id"], result={"refs": [{"id": "linux/amd64", "ref": ref(answer["result"])}]})
            stdin.read()
        def start(name):
            global work
            send(id=receive()["id"], result={"protocol": "1.0", "frontend": {"name": name, "version": "1.0.0"}})
            work = receive()
        file = lambda path: {"file": {"actions": [{"input": -1, "secondaryInput": -1, "output": 0,
            "mkfile": {"path": path, "mode": 420, "data": "aGVsbG8K", "timestamp": -1}}]}}
        definition = lambda operation: {"json": {"def": {"a": operation, "out": {"inputs": [{"digest": "a"}]}}}}

        """

    static func manifest(_ name: String, _ permissions: String = "") -> String {
        """
        manifest = 1
        name     = "our/\(name)"
        version  = "1.0.0"
        [protocol]
        versions = ["1.0"]
        [entry]
        argv    = ["frontend.py"]
        runtime = "host"
        [permissions]
        \(permissions)
        """
    }

    /// Builds with the outer frontend, which has the inner one build.
    ///
    /// - Parameters:
    ///   - inner: What the inner one does, as Python.
    ///   - innerAsks: Its permissions in its manifest.
    ///   - grants: The tables of `kiln.toml`.
    private func build(
        inner: String,
        innerAsks: String = "",
        grants: String
    ) async throws -> (CommandResult, BuildReport, Project) {
        let outer = """
            start("our/outer")
            finish(ask("frontend/solve", name="our/inner"), lambda result: result["refs"][0]["ref"])
            """
        let project = try await Project("# syntax=our/outer\n")
        let files = [
            "kiln.toml": """
            version = 1
            [frontends]
            "our/outer" = { path = "outer" }
            "our/inner" = { path = "inner" }
            \(grants)
            """,
            "outer/frontend.toml": Self.manifest("outer", #"frontends = ["our/inner"]\#nsecrets = ["token"]"#),
            "outer/frontend.py": Self.prelude + outer,
            "inner/frontend.toml": Self.manifest("inner", innerAsks),
            "inner/frontend.py": Self.prelude + "start(\"our/inner\")\n" + inner,
        ]
        for (name, text) in files { try project.workspace.write("context/" + name, text, mode: 0o755) }
        let (result, report) = try await project.tryBuild("-o", "type=local,dest=" + project.workspace.path("out"))
        return (result, report, project)
    }

    private static let grants = """
        [grant."our/outer"]
        frontends = ["our/inner"]
        secrets = ["token"]
        host-runtime = true
        [grant."our/inner"]
        host-runtime = true
        """

    private static let usesSecret = """
        step = {"exec": {"meta": {"args": ["true"], "cwd": "/"}, "mounts": [{"dest": "/", "input": -1},
            {"dest": "/s", "input": -1, "output": -1, "mountType": "SECRET", "secretOpt": {"ID": "token"}}]}}
        finish(ask("solve", definition=definition(step)), lambda result: result["ref"])
        """

    @Test func `P-NEST-01: a frontend has another one build, and the tree is its own`() async throws {
        let (result, report, project) = try await build(
            inner: #"finish(ask("solve", definition=definition(file("/inner"))), lambda result: result["ref"])"#,
            grants: Self.grants
        )
        try #require(result.status == 0, "\(report.message)")
        #expect(try project.workspace.read("out/inner") == "hello\n")
    }

    @Test func `P-PERM-01, P-NEST-04: the called frontend has its own rights, not its caller's`() async throws {
        let (result, report, _) = try await build(inner: Self.usesSecret, grants: Self.grants)
        #expect(result.status != 0)
        #expect(report.message.contains("denied"), "\(report.message)")
        #expect(report.message.contains("the secret \"token\""), "\(report.message)")
    }

    @Test func `P-PERM-01: what is asked for and not granted keeps a frontend from starting, F214`() async throws {
        let (result, report, _) = try await build(
            inner: Self.usesSecret,
            innerAsks: #"secrets = ["token"]"#,
            grants: Self.grants
        )
        #expect(result.status != 0)
        #expect(report.message.contains("F214"), "\(report.message)")
    }

    @Test func `P-NEST-02: a circle of frontends is refused, F216`() async throws {
        let (result, report, _) = try await build(
            inner: #"finish(ask("frontend/solve", name="our/outer"), lambda result: None)"#,
            innerAsks: #"frontends = ["our/outer"]"#,
            grants: Self.grants.replacing(
                "[grant.\"our/inner\"]",
                with: "[grant.\"our/inner\"]\nfrontends = [\"our/outer\"]"
            )
        )
        #expect(result.status != 0)
        #expect(report.message.contains("F216"), "\(report.message)")
    }

    @Test func `P-TRACE-02: the value of a secret is in no trace`() async throws {
        let project = try await Project(
            "FROM busybox\nRUN --mount=type=secret,id=token,required=true test -s /run/secrets/token\n"
        )
        let secret = try project.workspace.write("token", "correct horse battery staple")
        let trace = project.workspace.path("trace")
        let report = try await project.build("--secret", "id=token,src=\(secret)", "--frontend-trace", trace)
        _ = report
        var text = ""
        for name in ["trace.jsonl", "stderr.log", "manifest"] { text += try project.workspace.read("trace/" + name) }
        for name in project.workspace.names(in: "trace/blobs/sha256") {
            text += String(decoding: try project.workspace.bytes("trace/blobs/sha256/" + name), as: UTF8.self)
        }
        #expect(text.contains("\"build\""))
        #expect(text.contains("token"))
        #expect(!text.contains("correct horse"))
    }
}
