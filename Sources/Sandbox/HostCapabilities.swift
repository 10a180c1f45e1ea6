// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
internal import SystemPackage

/// What this host offers sandboxes: tried, not guessed, when the engine starts.
package struct HostCapabilities: Sendable, Hashable, Codable {
    /// Who keeps a sandbox that may make device nodes from opening them.
    package enum DeviceControl: String, Sendable, Codable {
        /// A control group, as with other engines.
        case controlGroup
        /// Mount flags: devices work only in the sandbox's `/dev`, so nodes a step makes elsewhere cannot be opened.
        case mountFlags
    }

    /// Whether the engine is root of the machine, not of a user namespace.
    package var isMachineRoot: Bool
    /// Whether more than one user id can be used; without it files cannot be given to other users.
    package var hasManyUsers: Bool
    /// Whether the namespaces of a step can be made: as root, or inside ``RootlessEngine``'s namespace.
    package var hasNamespaces: Bool
    /// Whether overlayfs works on the state directory's file system; without it trees must be copied.
    package var hasOverlay: Bool
    /// Whether overlayfs must keep its marks in `user.` attributes, as in a user namespace.
    package var usesUserAttributes: Bool
    /// Whether sandboxes can have a user namespace of their own.
    package var hasUserNamespaces: Bool
    /// Whether system calls can be filtered.
    package var hasFilters: Bool
    package var deviceControl: DeviceControl
    package var limitsMemory: Bool
    package var limitsProcesses: Bool
    package var limitsProcessor: Bool

    /// What is missing, a sentence each, to be shown when the engine starts.
    package var sentences: [String] {
        var result: [String] = []
        func note(_ applies: Bool, _ sentence: String) { if applies { result.append(sentence) } }
        note(
            !hasNamespaces,
            "namespaces cannot be made, so no step can run: start as root, or allow user namespaces to ordinary users"
        )
        note(
            !hasOverlay,
            "overlayfs does not work on the state directory: trees are copied, which takes time and space"
        )
        note(
            !hasManyUsers,
            "only one user id is available: steps cannot give files to other users; add ranges to /etc/subuid and "
                + "/etc/subgid and install newuidmap"
        )
        note(
            !limitsMemory || !limitsProcesses,
            "memory and process limits of steps do not hold: no control group can be used"
        )
        note(
            isMachineRoot && deviceControl == .mountFlags,
            "no control group decides on devices: device nodes that a step makes cannot be opened"
        )
        note(
            !hasUserNamespaces,
            "user namespaces cannot be made: frontends run as user 65534 of this machine instead of nobody's"
        )
        note(!hasFilters, "system calls cannot be filtered: seccomp is missing in this kernel")
        return result
    }

    /// Whether build steps can be run at all.
    package var canRunSteps: Bool { hasNamespaces && hasFilters }

    /// What was found in these circumstances in the last ten minutes, else what is found now.
    ///
    /// Blocks, for some 10 ms when everything has to be tried out. What an administrator changes shows after ten minutes,
    /// or when anything a kernel tells about us has changed.
    static func current(_ tools: LaunchTools) throws(SandboxError) -> HostCapabilities {
        let circumstances = Memory.circumstances(of: tools.launcher)
        if let memory = Memory.read(from: tools.cache), memory.circumstances == circumstances {
            return memory.capabilities
        }
        let (executable, _, groups) = try tools.prepared()
        do {
            let capabilities = HostCapabilities(
                probe: try Probe.run(launcher: executable, scratch: tools.cache),
                groups: groups
            )
            // Only a help: where it cannot be written, the next start tries again.
            try? Memory(circumstances: circumstances, capabilities: capabilities).write(to: tools.cache)
            return capabilities
        } catch {
            throw SandboxError(.unavailable, "cannot find out what this host offers: \(error)", cause: error)
        }
    }

    private init(probe: Probe, groups: ControlGroups) {
        isMachineRoot = geteuid() == 0 && !probe.nested
        hasManyUsers = probe.manyUsers
        hasNamespaces = probe.namespaces
        hasOverlay = probe.overlay
        usesUserAttributes = probe.nested
        hasUserNamespaces = probe.userNamespaces
        hasFilters = probe.seccomp
        deviceControl = groups.deviceControl == .none ? .mountFlags : .controlGroup
        limitsMemory = groups.controllers.contains("memory")
        limitsProcesses = groups.controllers.contains("pids")
        limitsProcessor = groups.controllers.contains("cpu")
    }
}

/// What was found, on disk.
private struct Memory: Codable {
    private static let name = "probe.json"
    private static let byteLimit = 1 << 16
    private static let ageLimitSeconds: Int64 = 600

    var circumstances: [String]
    var capabilities: HostCapabilities

    /// Who asks whom: this boot of the kernel, our user, namespaces, control groups, capabilities and filters, and the
    /// launcher.
    static func circumstances(of launcher: LauncherFile) -> [String] {
        [
            launcher.identity, kernelText("/proc/sys/kernel/random/boot_id"), "\(geteuid())",
            kernelLink("user"), kernelLink("mnt"), kernelText("/proc/self/cgroup"),
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
