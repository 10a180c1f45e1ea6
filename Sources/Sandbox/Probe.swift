// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
internal import SystemPackage

/// What `kiln-sandbox --probe` answers.
struct Probe: Codable, Hashable {
    /// Whether we are in a user namespace ourselves.
    var nested: Bool
    var manyUsers: Bool
    /// Whether the namespaces of a step can be made.
    var namespaces: Bool
    var overlay: Bool
    var userNamespaces: Bool
    var seccomp: Bool

    /// The answer of the last ten minutes in these circumstances, else a new one.
    ///
    /// Trying takes some 4 ms of every start otherwise. What an administrator changes shows after ten minutes, or when
    /// anything a kernel tells about us has changed.
    static func remembered(launcher: LauncherExecutable, scratch: Directory) throws -> Probe {
        let circumstances = circumstances(of: launcher)
        if let memory = Memory.read(from: scratch), memory.circumstances == circumstances { return memory.probe }
        let probe = try run(launcher: launcher, scratch: scratch)
        // Only a help: where it cannot be written, the next start tries again.
        try? Memory(circumstances: circumstances, probe: probe).write(to: scratch)
        return probe
    }

    /// Tries everything out.
    static func run(launcher: LauncherExecutable, scratch: Directory) throws -> Probe {
        let name = "sandbox-probe-\(randomToken(count: 8))"
        try scratch.makeDirectory(name, mode: 0o700)
        defer { try? scratch.removeTree(name: name) }
        let directory = try scratch.directory(name)
        let layers = try ["lower", "upper", "work"].map { name in
            try directory.makeDirectories(name, mode: 0o700).descriptor
        }
        guard let answer = try launcher.answer(to: ["--probe"], descriptors: layers) else {
            throw SandboxError(.unavailable, "the launcher's probe failed")
        }
        return try JSONDecoder().decode(Probe.self, from: Data(answer))
    }

    /// Who asks whom: this boot of the kernel, our user, namespaces, capabilities and filters, and the launcher.
    private static func circumstances(of launcher: LauncherExecutable) -> [String] {
        [
            launcher.digest, kernelText("/proc/sys/kernel/random/boot_id"), "\(geteuid())",
            kernelLink("user"), kernelLink("mnt"),
            kernelText("/proc/self/status").split(separator: "\n")
                .filter { $0.hasPrefix("Cap") || $0.hasPrefix("Seccomp") || $0.hasPrefix("NoNewPrivs") }
                .joined(separator: " "),
        ]
    }

    private static func kernelText(_ path: String) -> String {
        let bytes = try? Descriptor.open(host: .init(path)).readToEnd(byteLimit: 1 << 16)
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    private static func kernelLink(_ namespace: String) -> String {
        (try? Directory(host: "/proc/self/ns").readLink(name: namespace)) ?? ""
    }
}

/// A probe's answer on disk.
private struct Memory: Codable {
    private static let name = "probe.json"
    private static let byteLimit = 1 << 16
    private static let ageLimitSeconds: Int64 = 600

    var circumstances: [String]
    var probe: Probe

    /// - Returns: `nil` when there is none, it is old, or it cannot be read.
    static func read(from directory: Directory) -> Memory? {
        guard let file = try? directory.open(name, scope: .noSymlinks),
            let written = try? file.status().modified.seconds,
            let bytes = try? file.readToEnd(byteLimit: byteLimit)
        else { return nil }
        let age = Int64(time(nil)) - written
        guard (0..<ageLimitSeconds).contains(age) else { return nil }
        return try? JSONDecoder().decode(Memory.self, from: Data(bytes))
    }

    func write(to directory: Directory) throws {
        let temporary = ".\(Self.name).\(randomToken(count: 8))"
        try directory.createFile(temporary, mode: 0o600).write(JSONEncoder().encode(self))
        try directory.rename(temporary, to: directory, Self.name, replacing: true)
    }
}
