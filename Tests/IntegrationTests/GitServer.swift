// SPDX-License-Identifier: Apache-2.0

import Foundation
import RegistryTestSupport
import Synchronization

/// Repositories served by git's own `http-backend` on loopback, and the files of a folder beside them.
final class GitServer: Sendable {
    let workspace: Workspace
    private let server: ScriptedServer
    private let login = Login()

    /// What the server demands of a client; `nil` is nothing.
    private final class Login: Sendable {
        let header = Mutex<String?>(nil)
    }

    /// - Parameter files: The folder whose files are served; without one there are only repositories.
    init(files: String? = nil) throws {
        let workspace = try Workspace()
        let login = login
        self.workspace = workspace
        server = try ScriptedServer { request in
            if let wanted = login.header.withLock({ $0 }), request.headers["authorization"] != wanted {
                return ScriptedServer.Reply(status: 401, headers: [("WWW-Authenticate", "Basic realm=\"git\"")])
            }
            if let files, !request.path.contains(".git/") { return Self.file(files + request.path) }
            return Self.answer(request, root: workspace.path("served"))
        }
    }

    var requests: [ScriptedServer.Request] { server.requests }

    /// Lets in only those who show a header; `nil` everybody.
    func demand(_ header: String?) { login.header.withLock { $0 = header } }

    var address: String { "http://\(server.host)" }

    func address(_ name: String) -> String { "http://\(server.host)/\(name).git" }

    /// Makes a repository with one commit of some files.
    ///
    /// - Returns: The commit.
    @discardableResult
    func makeRepository(_ name: String, _ files: [String: String]) async throws -> String {
        try await git(name, "init", "--quiet", "-b", "main", ".", makes: true)
        try await commit(name, files)
        try FileManager.default.createDirectory(
            atPath: workspace.path("served"),
            withIntermediateDirectories: true
        )
        try FileManager.default.createSymbolicLink(
            atPath: workspace.path("served/\(name).git"),
            withDestinationPath: workspace.path("work/\(name)/.git")
        )
        return try await head(name)
    }

    /// Adds a commit of some files to a repository's branch.
    @discardableResult
    func commit(_ name: String, _ files: [String: String]) async throws -> String {
        for (path, text) in files { try workspace.write("work/\(name)/\(path)", text) }
        try await git(name, "add", "--all")
        try await git(name, "commit", "--quiet", "--allow-empty", "-m", "change")
        return try await head(name)
    }

    func head(_ name: String) async throws -> String {
        try await git(name, "rev-parse", "HEAD").trimmingCharacters(in: .newlines)
    }

    /// Runs git in a repository's work tree.
    @discardableResult
    func git(_ name: String, _ arguments: String..., makes: Bool = false) async throws -> String {
        let directory = workspace.path("work/\(name)")
        if makes {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        }
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]
        let result = try await Command(
            "/usr/bin/git",
            ["-C", directory] + identity + arguments,
            environment: ["GIT_COMMITTER_DATE=2020-01-02T03:04:05Z", "GIT_AUTHOR_DATE=2020-01-02T03:04:05Z"]
        )
        .result()
        guard result.status == 0 else { throw TestFailure("git \(arguments): \(result.error)") }
        return result.outputText
    }

    private static func file(_ path: String) -> ScriptedServer.Reply {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else { return ScriptedServer.Reply(status: 404) }
        return ScriptedServer.Reply(body: [UInt8](data))
    }

    private static func answer(_ request: ScriptedServer.Request, root: String) -> ScriptedServer.Reply {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/git")
        process.arguments = ["-c", "safe.directory=*", "http-backend"]
        process.environment = [
            "PATH": "/usr/bin:/bin", "GIT_PROJECT_ROOT": root, "GIT_HTTP_EXPORT_ALL": "1", "HOME": "/nonexistent",
            "PATH_INFO": request.path, "QUERY_STRING": String(request.target.drop { $0 != "?" }.dropFirst()),
            "REQUEST_METHOD": request.method, "CONTENT_TYPE": request.headers["content-type"] ?? "",
            "CONTENT_LENGTH": String(request.body.count), "GIT_PROTOCOL": request.headers["git-protocol"] ?? "",
            "HTTP_CONTENT_ENCODING": request.headers["content-encoding"] ?? "", "REMOTE_ADDR": "127.0.0.1",
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        ]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return ScriptedServer.Reply(status: 500) }
        input.fileHandleForWriting.write(Data(request.body))
        try? input.fileHandleForWriting.close()
        let all = [UInt8](output.fileHandleForReading.readDataToEndOfFile())
        process.waitUntilExit()
        return reply(all)
    }

    /// Splits what a CGI program wrote into head and body.
    private static func reply(_ bytes: [UInt8]) -> ScriptedServer.Reply {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return ScriptedServer.Reply(status: 500) }
        var reply = ScriptedServer.Reply(body: Array(bytes[end.upperBound...]))
        for line in String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = parts[1].trimmingCharacters(in: .whitespaces)
            if parts[0] == "Status" {
                reply.status = Int(value.prefix(3)) ?? 500
            } else {
                reply.headers.append((String(parts[0]), value))
            }
        }
        return reply
    }
}
