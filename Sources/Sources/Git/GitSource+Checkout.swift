// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
package import Snapshots

extension GitSource {
    /// Where git sees the files and the repository of a checkout.
    private static let tree = "/checkout"
    private static let repository = "/repository"
    /// Directories inside each other that are gone through.
    private static let depthLimit = 512

    /// Fetches a commit and checks it out.
    ///
    /// One commit is fetched, without history, where the server lets it be asked for.
    ///
    /// - Parameter log: Gets what git says.
    /// - Throws: `SourcesError`; `CancellationError`.
    package func checkout(
        _ request: GitRequest,
        _ commit: GitCommit,
        secrets: Secrets,
        agents: Agents = { _ in nil },
        log: @escaping @Sendable ([UInt8]) -> Void
    ) async throws -> FileTree {
        var program = try await program(request, secrets, agents)
        program.log = log
        let stage = try await snapshots.stage(on: .scratch)
        let scratch = try await blocking { [state] in try state.scratch("git") }
        do {
            let checkout = Checkout(
                program: program,
                request: request,
                commit: commit,
                tree: stage.upper,
                repository: scratch.directory
            )
            try await telling(request) {
                try await checkout.fetch()
                try await checkout.checkOut()
                try await checkout.finish()
            }
        } catch {
            await stage.discard()
            await remove(scratch.name)
            throw error
        }
        await remove(scratch.name)
        let whole = FileTree(layers: try await stage.commit().map { [$0] } ?? [])
        return request.subdirectory.isEmpty ? whole : try await part(request, of: whole)
    }

    private func remove(_ name: String) async {
        // What stays goes with this process.
        try? await blocking { [state] in try state.temporary.removeTree(name: name) }
    }

    /// What lies in a directory of a tree, as a tree of its own.
    private func part(_ request: GitRequest, of tree: FileTree) async throws -> FileTree {
        let reader = try await TreeReader(tree)
        let path = request.subdirectory
        let layer = try await snapshots.write(on: .scratch) { writer in
            var walked = ""
            for name in path.split(separator: "/") where name != "." {
                walked += walked.isEmpty ? String(name) : "/\(name)"
                // A symlink would lead to what its author likes.
                guard name != "..", let entry = try reader.stat(walked, followSymlinks: false), entry.isDirectory else {
                    throw SourcesError(
                        .notFound,
                        "cannot use \(request.shownRemote): it has no directory \"\(path.prefix(200))\""
                    )
                }
            }
            var options = CopyOptions()
            options.copyDirectoryContents = true
            try writer.copy(from: reader, path, to: "/", options)
        }
        return FileTree(layers: [layer])
    }

    /// One checkout in the making.
    private struct Checkout {
        let program: GitProgram
        let request: GitRequest
        let commit: GitCommit
        let tree: Directory
        let repository: Directory

        /// Whether the repository is a part of the result.
        private var keepsRepository: Bool { request.keepsGitDirectory && request.subdirectory.isEmpty }

        @discardableResult
        private func git(_ arguments: String...) async throws -> String {
            try await program.run(
                GitProgram.Command(
                    arguments: arguments,
                    directories: [(tree, GitSource.tree), (repository, GitSource.repository)],
                    gitDirectory: keepsRepository ? "\(GitSource.tree)/.git" : GitSource.repository,
                    workTree: GitSource.tree
                )
            )
        }

        // MARK: Fetching

        func fetch() async throws {
            let format = commit.checksum.utf8.count == 64 ? "sha256" : "sha1"
            try await git("init", "--quiet", "--template=", "--object-format=\(format)")
            if GitRequest.isCommit(commit.reference) || request.fetchesByCommit {
                try await fetchCommit()
            } else {
                try await fetchReference()
            }
            guard try await hasCommit() else {
                throw SourcesError(
                    .notFound,
                    "cannot fetch \(request.shownRemote): it has no commit \(commit.checksum)"
                )
            }
        }

        private func fetchReference() async throws {
            try await fetch("+\(commit.reference):\(commit.reference)")
            let now = try await git("rev-parse", "--verify", "--quiet", commit.reference).trimmedLine
            if now == commit.checksum { return }
            // It moved since it was resolved: what the key says counts.
            try await fetchCommit()
            try await git("update-ref", commit.reference, commit.checksum)
        }

        private func fetchCommit() async throws {
            do {
                try await fetch(commit.checksum)
            } catch is GitProgram.Failure {
                // The server gives no single commits: take all it has.
                try await git(
                    "fetch",
                    "--quiet",
                    "--tags",
                    "--no-recurse-submodules",
                    "--",
                    request.remote,
                    "+refs/heads/*:refs/remotes/origin/*"
                )
            }
            if request.fetchesByCommit, !GitRequest.isCommit(commit.reference), try await hasCommit() {
                try await git("update-ref", commit.reference, commit.checksum)
            }
        }

        private func fetch(_ wanted: String) async throws {
            try await git(
                "fetch",
                "--quiet",
                "--depth=1",
                "--no-tags",
                "--no-recurse-submodules",
                "--update-head-ok",
                "--",
                request.remote,
                wanted
            )
        }

        private func hasCommit() async throws -> Bool {
            do {
                try await git("cat-file", "-e", "\(commit.checksum)^{commit}")
                return true
            } catch is GitProgram.Failure {
                return false
            }
        }

        // MARK: Files

        func checkOut() async throws {
            if keepsRepository {
                try await git("checkout", "--quiet", "--force", "--detach", commit.checksum)
            } else {
                try await git("read-tree", "--reset", "-u", commit.checksum)
            }
            guard !request.skipsSubmodules, try await hasSubmodules() else { return }
            // Addresses of submodules may be relative to the repository's own.
            let own = keepsRepository ? request.shownRemote : request.remote
            try await git("config", "remote.origin.url", own)
            try await git("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
        }

        private func hasSubmodules() async throws -> Bool {
            try await blocking { [tree] in try tree.statusIfExists(name: ".gitmodules")?.isRegular == true }
        }

        func finish() async throws {
            if keepsRepository {
                // A login in the address is not for whoever gets the result.
                try await git("config", "remote.origin.url", request.shownRemote)
                try await git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
                try await blocking { [tree] in
                    let repository = try tree.directory(".git")
                    for name in ["FETCH_HEAD", "ORIG_HEAD"] where try repository.statusIfExists(name: name) != nil {
                        try repository.remove(name: name)
                    }
                }
            } else if !request.skipsSubmodules, try await hasSubmodules() {
                // Files that point at a repository which is gone.
                try await blocking { [tree] in
                    try GitSource.walk(tree) { directory, entry in
                        if entry == ".git", try directory.status(name: entry).isRegular {
                            try directory.remove(name: entry)
                        }
                    }
                }
            }
            guard request.usesCommitTime else { return }
            let text = try await git("log", "-1", "--format=%ct", commit.checksum).trimmedLine
            guard let seconds = Int64(text) else {
                throw SourcesError(.unavailable, "git tells no time of commit \(commit.checksum)")
            }
            try await blocking { [tree] in
                let time = FileStatus.Time(seconds: seconds)
                try GitSource.walk(tree) { directory, entry in try directory.setTime(name: entry, time) }
                try tree.setTime(name: "", time)
            }
        }
    }

    /// Visits everything below a directory, what is in a directory before the directory itself.
    ///
    /// Goes down without recursion of the stack beyond ``depthLimit``.
    private static func walk(
        _ directory: Directory,
        depth: Int = 0,
        _ visit: (Directory, String) throws -> Void
    ) throws {
        guard depth < depthLimit else {
            throw SourcesError(.invalid, "a checkout has more than \(depthLimit) directories inside each other")
        }
        for entry in try directory.entries() {
            if try directory.status(name: entry.name).isDirectory {
                try walk(try directory.directory(entry.name), depth: depth + 1, visit)
            }
            try visit(directory, entry.name)
        }
    }
}

extension String {
    /// The text without the line's end.
    fileprivate var trimmedLine: String { String(prefix { !$0.isNewline }) }
}
