// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LinuxSystem
internal import Sandbox
internal import Synchronization
internal import SystemPackage

/// The machine's `git`, in a sandbox of its own for every command.
///
/// A repository is somebody else's data: git has had holes that let it run programs. Here a program it might run sees
/// the machine's programs read-only, the directories of this one checkout, and the network; no configuration, keys,
/// agents or environment of the user. Hooks, filters and other protocols are off besides.
struct GitProgram: Sendable {
    let launcher: Launcher
    /// `Authorization` and the origin it is for.
    var authorization: (origin: String, value: String)?
    /// How git reaches a remote by SSH; `nil` where it must not.
    var ssh: SSHAccess?
    /// Gets what git says on the way.
    var log: @Sendable ([UInt8]) -> Void = { _ in }

    /// Directories of the machine that programs need.
    private static let systemPaths = [
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ssl", "/etc/pki", "/etc/ca-certificates",
        "/etc/alternatives", "/etc/ld.so.cache", "/etc/crypto-policies",
    ]

    /// Longest answer that is kept, in bytes.
    private static let answerByteLimit = 16 << 20
    /// A command that takes longer has failed.
    private static let timeLimit = Duration.seconds(1800)

    /// What SSH may use.
    struct SSHAccess {
        /// The socket of an agent.
        let agent: FilePath?
        /// Lines of a known_hosts file; empty for those of the machine.
        let knownHosts: String

        static let agentPath = "/run/ssh-agent"
        static let knownHostsPath = "/etc/ssh/known_hosts"
        /// Largest known_hosts file that is read, in bytes.
        private static let fileByteLimit = 4 << 20

        /// Nothing of the user's configuration, no passwords, and no host that is not known.
        static let command = """
            ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=\(knownHostsPath) \
            -o GlobalKnownHostsFile=/dev/null -o ForwardAgent=no -o ConnectTimeout=60
            """

        /// The lines as SSH is to see them; blocks on the disk.
        var knownHostsBytes: [UInt8] {
            if !knownHosts.isEmpty { return Array((knownHosts + "\n").utf8) }
            var paths = ["/etc/ssh/ssh_known_hosts"]
            if let home = ProcessInfo.processInfo.environment["HOME"], home.hasPrefix("/") {
                paths.append(home + "/.ssh/known_hosts")
            }
            return paths.flatMap { path -> [UInt8] in
                let file = try? Descriptor.open(host: FilePath(path))
                return ((try? file?.readToEnd(byteLimit: Self.fileByteLimit)) ?? []) + Array("\n".utf8)
            }
        }
    }

    /// One command and where it works.
    struct Command {
        var arguments: [String]
        /// Host directories by where git sees them, writable.
        var directories: [(host: Directory, path: String)] = []
        /// Directory of the repository; `nil` for commands that need none.
        var gitDirectory: String?
        var workTree: String?
    }

    /// Runs a command to its end.
    ///
    /// - Returns: Its standard output.
    /// - Throws: ``Failure`` when it ends with another status than 0; `SourcesError`; `SandboxError`.
    func run(_ command: Command) async throws -> String {
        let spec = try await blocking { [self] in try makeSpec(command) }
        let gathered = Gathered()
        let result = try await withTimeLimit {
            try await launcher.run(spec) { [log] stream, bytes in
                gathered.add(stream, bytes)
                if stream == .standardError { log(bytes) }
            }
        }
        let (output, error) = gathered.content
        guard result.isSuccess else {
            if let failure = result.executionFailure {
                throw SourcesError(
                    .system,
                    "cannot run git: \(failure); sources of the kind git need git on this machine"
                )
            }
            throw Failure(exitCode: result.exitCode, message: Self.lastWords(error))
        }
        guard output.count < Self.answerByteLimit else {
            throw SourcesError(.unavailable, "git answers with more than \(Self.answerByteLimit) bytes")
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// What a command wrote, up to a limit.
    private final class Gathered: Sendable {
        private let streams = Mutex<(output: [UInt8], error: [UInt8])>(([], []))

        var content: (output: [UInt8], error: [UInt8]) { streams.withLock { $0 } }

        func add(_ stream: OutputStream, _ bytes: [UInt8]) {
            streams.withLock { streams in
                switch stream {
                case .standardOutput:
                    streams.output += bytes.prefix(GitProgram.answerByteLimit - streams.output.count)
                case .standardError: streams.error += bytes.prefix(64 << 10 - streams.error.count)
                }
            }
        }
    }

    /// A command that ended badly.
    struct Failure: Error {
        let exitCode: Int32
        /// What git said last, on one line.
        let message: String
    }

    private func withTimeLimit(
        _ body: @escaping @Sendable () async throws -> SandboxResult
    ) async throws -> SandboxResult {
        try await withThrowingTaskGroup(of: SandboxResult?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: Self.timeLimit)
                return nil
            }
            defer { group.cancelAll() }
            guard let result = try await group.next().flatMap({ $0 }) else {
                throw SourcesError(.unavailable, "git was not done within \(Self.timeLimit)")
            }
            return result
        }
    }

    // MARK: The sandbox

    private func makeSpec(_ command: Command) throws -> SandboxSpec {
        let options = Self.options + (ssh == nil ? [] : ["-c", "protocol.ssh.allow=always"])
        var spec = SandboxSpec(profile: .step, root: .empty, arguments: ["git"] + options + command.arguments)
        spec.environment = environment(command)
        spec.network = .host
        spec.hostName = "git"
        if let tree = command.workTree { spec.workingDirectory = tree }
        for path in Self.systemPaths {
            guard let descriptor = try? Descriptor.open(host: FilePath(path)) else { continue }
            spec.mounts.append(.init(.bind(descriptor), at: path, isReadOnly: true, allowsPrivileges: false))
        }
        let accounts = Array("root:x:0:0:root:/tmp:/bin/sh\n".utf8)
        spec.mounts.append(.init(.file(accounts, mode: 0o644), at: "/etc/passwd", isReadOnly: true))
        spec.mounts.append(.init(.tmpfs(byteLimit: 64 << 20), at: "/tmp"))
        if let ssh {
            let hosts = SandboxSpec.Mount.Source.file(ssh.knownHostsBytes, mode: 0o644)
            spec.mounts.append(.init(hosts, at: SSHAccess.knownHostsPath, isReadOnly: true))
            if let agent = ssh.agent {
                let socket = try Descriptor.place(host: agent)
                spec.mounts.append(.init(.bind(socket), at: SSHAccess.agentPath, allowsPrivileges: false))
            }
        }
        for (host, path) in command.directories {
            var mount = SandboxSpec.Mount(.bind(host.descriptor), at: path, allowsPrivileges: false)
            mount.allowsExecution = false
            spec.mounts.append(mount)
        }
        spec.processLimits = [
            .init(name: "core", soft: 0, hard: 0), .init(name: "fsize", soft: 16 << 30, hard: 16 << 30),
            .init(name: "nofile", soft: 1024, hard: 1024),
        ]
        spec.resourceLimits = .init(memoryBytes: 4 << 30, processCount: 256)
        return spec
    }

    /// Settings that come before whatever a repository says.
    private static let options = [
        "protocol.allow=never", "protocol.http.allow=always", "protocol.https.allow=always",
        "protocol.git.allow=always",
        "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null",
        "core.excludesFile=/dev/null",
        "core.protectHFS=true", "core.protectNTFS=true", "core.bigFileThreshold=64m", "safe.directory=*", "gc.auto=0",
        "maintenance.auto=false", "advice.detachedHead=false", "init.defaultBranch=master", "submodule.recurse=false",
        "credential.helper=", "http.lowSpeedLimit=1000", "http.lowSpeedTime=60", "http.followRedirects=initial",
    ]
    .flatMap { ["-c", $0] }

    private func environment(_ command: Command) -> [String] {
        var environment = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LC_ALL=C", "TZ=UTC",
            "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=/bin/false", "SSH_ASKPASS=/bin/false", "GIT_CONFIG_NOSYSTEM=1",
            "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
            "GIT_ALLOW_PROTOCOL=http:https:git\(ssh == nil ? "" : ":ssh")", "GIT_PROTOCOL_FROM_USER=0",
            "GIT_NO_REPLACE_OBJECTS=1", "GIT_SSH_COMMAND=\(ssh == nil ? "/bin/false" : SSHAccess.command)",
            "GIT_SSH_VARIANT=ssh", "GIT_LFS_SKIP_SMUDGE=1",
        ]
        if ssh?.agent != nil { environment.append("SSH_AUTH_SOCK=\(SSHAccess.agentPath)") }
        if let directory = command.gitDirectory { environment.append("GIT_DIR=\(directory)") }
        if let tree = command.workTree { environment.append("GIT_WORK_TREE=\(tree)") }
        if let (origin, value) = authorization {
            // By the environment: arguments can be read by every process of the sandbox's own.
            environment += [
                "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.\(origin).extraHeader",
                "GIT_CONFIG_VALUE_0=Authorization: \(value)",
            ]
        }
        let own = ProcessInfo.processInfo.environment
        for name in ["http_proxy", "https_proxy", "no_proxy", "all_proxy"] {
            if let value = own[name] ?? own[name.uppercased()], !value.isEmpty {
                environment.append("\(name)=\(value)")
            }
        }
        return environment
    }

    private static func lastWords(_ error: [UInt8]) -> String {
        let lines = String(decoding: error, as: UTF8.self).split(whereSeparator: \.isNewline)
        let told = lines.filter { line in
            ["fatal:", "error:", "remote:"].contains { line.hasPrefix($0) }
                || ["Permission denied", "verification failed"].contains { line.contains($0) }
        }
        let words = (told.isEmpty ? lines.suffix(1) : told.suffix(3)).joined(separator: "; ")
        let plain = words.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) }
        return String(String(plain).prefix(500))
    }
}
