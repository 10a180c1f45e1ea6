// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem

/// What this host offers sandboxes: tried, not guessed, when the engine starts.
package struct HostCapabilities: Sendable, Hashable {
    /// Who keeps a sandbox that may make device nodes from opening them.
    package enum DeviceControl: Sendable, Hashable {
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

    /// Tries everything out, or takes what was found some minutes ago.
    ///
    /// Blocks for some milliseconds.
    ///
    /// - Parameter scratch: A directory of the file system that will hold layers.
    init(
        launcher: LauncherExecutable,
        groups: ControlGroups,
        scratch: Directory
    ) throws(SandboxError) {
        let probe: Probe
        do {
            probe = try Probe.remembered(launcher: launcher, scratch: scratch)
        } catch {
            throw SandboxError(
                .unavailable,
                "cannot find out what this host offers: \(error)",
                cause: error
            )
        }
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
