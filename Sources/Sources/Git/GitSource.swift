// SPDX-License-Identifier: Apache-2.0

package import ContentStore
internal import FoundationEssentials
internal import LinuxSystem
internal import OCI
package import Sandbox
package import Snapshots
internal import Synchronization
package import SystemPackage

/// Repositories as sources of one build.
///
/// Within the life of one object a reference means one commit, however often it is asked for: make one object a build.
package final class GitSource: Sendable {
    /// The value of a secret; `nil` when the build was not given it.
    package typealias Secrets = @Sendable (_ id: String) async throws -> [UInt8]?

    /// The socket of an agent; `nil` when the build was not given one of that name.
    package typealias Agents = @Sendable (_ id: String) async throws -> FilePath?

    let launcher: Launcher
    let snapshots: SnapshotStore
    let state: StateDirectory
    private let isOffline: Bool
    private let found = Mutex<[GitRequest: GitCommit]>([:])

    package init(launcher: Launcher, snapshots: SnapshotStore, state: StateDirectory, isOffline: Bool = false) {
        self.launcher = launcher
        self.snapshots = snapshots
        self.state = state
        self.isOffline = isOffline
    }

    /// Finds the commit a request stands for.
    ///
    /// A request for a whole commit is answered without asking the remote; whether it exists shows when it is fetched.
    ///
    /// - Throws: `SourcesError`: `notFound` when the remote has no such reference, `digestMismatch` when the reference
    ///   points elsewhere than the checksum says.
    package func resolve(
        _ request: GitRequest,
        secrets: Secrets,
        agents: Agents = { _ in nil }
    ) async throws -> GitCommit {
        try request.validate()
        if let commit = found.withLock({ $0[request] }) { return commit }
        let commit = try await find(request, secrets, agents)
        return found.withLock { found in
            // Whoever came first decides what the reference means.
            let first = found[request] ?? commit
            found[request] = first
            return first
        }
    }

    /// What decides the content of a checkout, for the cache.
    package func key(_ request: GitRequest, _ commit: GitCommit) -> String {
        var key = request.keepsGitDirectory ? commit.checksum : commit.commit ?? commit.checksum
        if request.keepsGitDirectory { key += ".git#\(commit.reference)" }
        if !request.subdirectory.isEmpty { key += ":\(request.subdirectory)" }
        if request.skipsSubmodules { key += "(no-submodules)" }
        if request.usesCommitTime { key += "(mtime=commit)" }
        return "git:\(key)"
    }

    private func find(_ request: GitRequest, _ secrets: Secrets, _ agents: Agents) async throws -> GitCommit {
        if request.fetchesByCommit {
            let isName = !request.reference.isEmpty && !GitRequest.isCommit(request.reference)
            let name =
                !isName || request.reference.hasPrefix("refs/") ? request.reference : "refs/heads/\(request.reference)"
            return GitCommit(checksum: request.checksum, reference: isName ? name : request.checksum, commit: nil)
        }
        if GitRequest.isCommit(request.reference) {
            guard request.reference.hasPrefix(request.checksum) else {
                throw Self.mismatch(request, request.reference)
            }
            return GitCommit(checksum: request.reference, reference: request.reference, commit: nil)
        }
        let program = try await program(request, secrets, agents)
        let name = request.reference.isEmpty ? "HEAD" : request.reference
        var arguments = ["ls-remote", "--symref", "--", request.remote, name]
        if name != "HEAD" { arguments.append("\(name)^{}") }
        let answer = try await telling(request) { try await program.run(.init(arguments: arguments)) }
        let advertised = Advertised(answer)
        guard let commit = name == "HEAD" ? advertised.head : advertised.commit(named: name) else {
            throw SourcesError(
                .notFound,
                "cannot fetch \(request.shownRemote): it has no branch or tag \"\(name)\""
            )
        }
        let names = [commit.checksum] + (commit.commit.map { [$0] } ?? [])
        guard names.contains(where: { $0.hasPrefix(request.checksum) }) else {
            throw Self.mismatch(request, names.joined(separator: " or "))
        }
        return commit
    }

    private static func mismatch(_ request: GitRequest, _ found: String) -> SourcesError {
        SourcesError(
            .digestMismatch,
            "cannot use \(request.shownRemote): \(request.reference.isEmpty ? "its head" : request.reference) is \(found), "
                + "expected \(request.checksum)"
        )
    }

    // MARK: Running git

    /// Git with the login a build was given for the remote.
    func program(_ request: GitRequest, _ secrets: Secrets, _ agents: Agents) async throws -> GitProgram {
        if isOffline {
            throw SourcesError(.unavailable, "cannot fetch \(request.shownRemote): this build is offline")
        }
        var program = GitProgram(launcher: launcher)
        if request.isSSH {
            program.ssh = GitProgram.SSHAccess(
                agent: request.agent.isEmpty ? nil : try await agents(request.agent),
                knownHosts: request.knownHosts
            )
            return program
        }
        func secret(_ candidates: [LoginSecret]) async throws -> String? {
            for id in candidates.map(\.id) {
                guard let bytes = try await secrets(id) else { continue }
                var text = String(decoding: bytes, as: UTF8.self)
                while let last = text.last, last.isNewline { text.removeLast() }
                guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                    throw SourcesError(
                        .invalid,
                        "cannot fetch \(request.shownRemote): the secret \(id) holds a control character"
                    )
                }
                return text
            }
            return nil
        }
        if let header = try await secret(request.loginHeaders) {
            program.authorization = (request.origin, header)
        } else if let token = try await secret(request.loginTokens) {
            let login = Data("x-access-token:\(token)".utf8).base64EncodedString()
            program.authorization = (request.origin, "basic \(login)")
        }
        return program
    }

    /// Says which remote a failed command was about.
    func telling<Value>(_ request: GitRequest, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let failure as GitProgram.Failure {
            let words = failure.message.lowercased()
            let code: SourcesError.Code =
                if words.contains("not found") || words.contains("does not exist")
                    || words.contains("not a git repository")
                {
                    .notFound
                } else if words.contains("host key verification failed") || words.contains("permission denied")
                    || words.contains("authentication failed") || words.contains("could not read username")
                    || words.contains("403")
                {
                    .denied
                } else {
                    .unavailable
                }
            let remedy =
                if words.contains("host key verification failed") {
                    "; add the key of \(request.host) to ~/.ssh/known_hosts"
                } else if code == .denied, request.isSSH {
                    "; give the build an agent that has the key, with --ssh \(request.agent)"
                } else if code == .denied {
                    "; pass a token with --secret id=\(request.authTokenSecret),env=NAME"
                } else {
                    ""
                }
            throw SourcesError(
                code,
                "cannot fetch \(request.shownRemote): git ended with \(failure.exitCode): \(failure.message)\(remedy)"
            )
        }
    }
}

/// What `git ls-remote --symref` tells.
private struct Advertised {
    private var objects: [String: String] = [:]
    private var headName: String?

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\t", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { continue }
            if parts[0].hasPrefix("ref: ") {
                if parts[1] == "HEAD" { headName = String(parts[0].dropFirst(5)) }
            } else if GitRequest.isCommit(parts[0]) {
                objects[parts[1]] = parts[0]
            }
        }
    }

    /// What a clone would check out.
    var head: GitCommit? {
        objects["HEAD"].map { GitCommit(checksum: $0, reference: headName ?? $0, commit: nil) }
    }

    /// The branch or else the tag of a name, as `git checkout` decides.
    func commit(named name: String) -> GitCommit? {
        let bare = name.hasPrefix("refs/") ? String(name.dropFirst(5)) : name
        for reference in ["refs/\(bare)", "refs/heads/\(bare.trimming("heads/"))"] {
            guard let object = objects[reference] else { continue }
            let peeled = reference.hasPrefix("refs/tags/") ? objects["\(reference)^{}"] : nil
            return GitCommit(checksum: object, reference: reference, commit: peeled)
        }
        let tag = "refs/tags/\(bare.trimming("tags/"))"
        return objects[tag].map { GitCommit(checksum: $0, reference: tag, commit: objects["\(tag)^{}"]) }
    }
}

extension String {
    fileprivate func trimming(_ prefix: String) -> Substring {
        hasPrefix(prefix) ? dropFirst(prefix.count) : self[...]
    }
}
