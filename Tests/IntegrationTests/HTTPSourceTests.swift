// SPDX-License-Identifier: Apache-2.0

import Foundation
import OCI
import RegistryTestSupport
import Synchronization
import Testing

/// Files of the web as sources, through the executable and a server on loopback.
struct HTTPSourceTests {
    /// A server whose files a test can change.
    private final class Files: Sendable {
        let content = Mutex<[String: ScriptedServer.Reply]>([:])

        func server() throws -> ScriptedServer {
            try ScriptedServer { [self] request in
                guard let reply = content.withLock({ $0[request.path] }) else {
                    return ScriptedServer.Reply(status: 404)
                }
                let tag = reply.headers.first { $0.name == "ETag" }?.value
                if let tag, request.headers["if-none-match"]?.contains(tag) == true {
                    return ScriptedServer.Reply(status: 304, headers: reply.headers)
                }
                return reply
            }
        }

        func set(_ path: String, _ text: String, _ headers: [(name: String, value: String)] = []) {
            content.withLock { $0[path] = ScriptedServer.Reply(headers: headers, body: Array(text.utf8)) }
        }
    }

    private func build(_ project: Project, _ extra: String...) async throws -> (BuildReport, Workspace) {
        let result = try await project.kiln.start(
            project.arguments(["-o", "type=local,dest=\(project.workspace.path("tree"))"] + extra),
            state: project.workspace.state
        )
        .result()
        let report = try BuildReport(result.error)
        try #require(result.status == 0, "\(report.message)")
        return (report, project.workspace)
    }

    @Test func `ADD fetches a file once, and again when the server has another`() async throws {
        let files = Files()
        let server = try files.server()
        files.set("/d/tool.txt", "one\n", [("ETag", "\"1\""), ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")])
        let project = try await Project("FROM scratch\nADD --chmod=640 http://\(server.host)/d/tool.txt?x=1 /in/\n")
        let (_, workspace) = try await build(project)
        #expect(try workspace.read("tree/in/tool.txt") == "one\n")
        let attributes = try FileManager.default.attributesOfItem(atPath: workspace.path("tree/in/tool.txt"))
        #expect((attributes[.modificationDate] as? Date)?.timeIntervalSince1970 == 1_445_412_480)
        #expect(attributes[.posixPermissions] as? Int == 0o640)

        let bodies = { server.requests.count { $0.method == "GET" } }
        let before = bodies()
        let (second, _) = try await build(project)
        #expect(bodies() == before)
        #expect(second.steps.values.contains { $0.isCached })
        files.set("/d/tool.txt", "two\n", [("ETag", "\"2\"")])
        _ = try await build(project)
        #expect(try workspace.read("tree/in/tool.txt") == "two\n")
    }

    @Test func `a checksum is kept, and with one nobody is asked again`() async throws {
        let files = Files()
        let server = try files.server()
        files.set("/f", "one\n")
        let digest = Digest.of("one\n")
        let good = try await Project("FROM scratch\nADD --checksum=\(digest) http://\(server.host)/f /f\n")
        let (_, workspace) = try await build(good)
        #expect(try workspace.read("tree/f") == "one\n")
        let count = server.requests.count
        _ = try await build(good)
        #expect(server.requests.count == count)
        let other = Digest.of("two\n")
        let bad = try await Project("FROM scratch\nADD --checksum=\(other) http://\(server.host)/f /f\n")
        let message = try await bad.failure()
        #expect(message.contains("its digest is \(digest), expected \(other)"), "\(message)")
    }

    @Test func `redirections are followed to a limit, without the login`() async throws {
        let other = try ScriptedServer { request in
            ScriptedServer.Reply(body: Array("login: \(request.headers["authorization"] ?? "none")\n".utf8))
        }
        let server = try ScriptedServer { request in
            request.path == "/once"
                ? ScriptedServer.Reply(status: 302, headers: [("Location", "http://\(other.host)/x")])
                : ScriptedServer.Reply(status: 302, headers: [("Location", request.path)])
        }
        let project = try await Project("FROM scratch\nADD http://\(server.host)/once /f\n")
        let secret = try project.workspace.write("login", "Bearer of-the-test")
        let (_, workspace) = try await build(project, "--secret", "id=HTTP_AUTH_HEADER_127.0.0.1,src=\(secret)")
        #expect(try workspace.read("tree/f") == "login: none\n")
        #expect(server.requests.first?.headers["authorization"] == "Bearer of-the-test")
        let circle = try await Project("FROM scratch\nADD http://\(server.host)/circle /f\n")
        let message = try await circle.failure(status: 75)
        #expect(message.contains("redirected more than 10 times"), "\(message)")
    }

    @Test func `a body that breaks off is fetched anew, a failure is told`() async throws {
        let tries = Mutex(0)
        let server = try ScriptedServer { request in
            guard request.path == "/f" else { return ScriptedServer.Reply(status: 404) }
            let number = tries.withLock { tries in
                tries += 1
                return tries
            }
            return ScriptedServer.Reply(body: Array("whole\n".utf8), cutAfter: number == 1 ? 3 : nil)
        }
        let project = try await Project("FROM scratch\nADD http://\(server.host)/f /f\n")
        let (_, workspace) = try await build(project)
        #expect(try workspace.read("tree/f") == "whole\n")
        let missing = try await Project("FROM scratch\nADD http://\(server.host)/nowhere?token=s3cr3t /f\n")
        let message = try await missing.failure()
        #expect(
            message.contains("cannot fetch http://\(server.host)/nowhere: ") && message.contains("404"),
            "\(message)"
        )
    }

    @Test func `what a server calls a file cannot lead out of its place`() async throws {
        let files = Files()
        let server = try files.server()
        files.set("/evil", "one\n", [("Content-Disposition", "attachment; filename=\"../../etc/passwd\"")])
        let text = """
            {"operations": {"f": {"http": "http://\(server.host)/evil"}}, "result": "f"}
            """
        let project = try await Project("FROM scratch\n", files: ["b.json": text])
        let (_, workspace) = try await build(
            project,
            "--frontend",
            "llb",
            "-f",
            project.workspace.path("context/b.json")
        )
        #expect(workspace.names(in: "tree") == ["passwd"])
    }

    @Test func `an archive or a Dockerfile of the web is a build context`() async throws {
        let files = Files()
        let server = try files.server()
        let workspace = try Workspace()
        try workspace.write("c/Dockerfile", "FROM scratch\nCOPY a.txt /from-archive\n")
        try workspace.write("c/a.txt", "one\n")
        try await runTool("/usr/bin/tar", "-C", workspace.path("c"), "-czf", workspace.path("c.tgz"), ".")
        let archive = try workspace.bytes("c.tgz")
        files.content.withLock { $0["/c.tgz"] = ScriptedServer.Reply(body: archive) }
        files.set("/Dockerfile", "FROM scratch\nADD http://\(server.host)/Dockerfile /itself\n")
        let kiln = try await Kiln.shared
        for (path, name) in [("c.tgz", "from-archive"), ("Dockerfile", "itself")] {
            let result = try await kiln.run(
                "build",
                "http://\(server.host)/\(path)",
                "-o",
                "type=local,dest=\(workspace.path("tree"))",
                state: workspace.state
            )
            #expect(result.status == 0, "\(result.error)")
            #expect(workspace.exists("tree/\(name)"))
        }
    }
}
