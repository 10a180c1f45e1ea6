// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

/// One process in a sandbox: what it runs, what it sees, what it may do.
///
/// Everything of the host is named by an open descriptor, never by a path, so nothing an image or a
/// build file says can choose a path of the host. Paths in a spec are paths inside the sandbox: they are
/// absolute, hold no NUL, and are resolved there, symlinks included.
package struct SandboxSpec: Sendable {
    /// The set of rights and kernel objects a process starts with.
    package enum Profile: String, Sendable {
        /// A build step, as BuildKit runs it: 14 capabilities, Docker's system call filter, masked `/proc`.
        case step
        /// A build step with `security=insecure`: all capabilities the engine has, no filter, no masks, all devices.
        case insecure
        /// A frontend: no network, a `/proc` of its own processes alone, no capability, a short list of system calls, no
        /// new privileges.
        case frontend
    }

    /// Where `/` comes from.
    package enum Root: Sendable {
        /// Layer directories, topmost first. Without `upper` the root is read-only; `work` lies on the file system
        /// of `upper`, is empty, and cannot be used twice. Nothing of `upper` is sure to be on disk until it is synced, and
        /// it is worthless if the machine stops before. No layers at all means `upper` alone.
        case overlay(lower: [Descriptor], upper: Descriptor?, work: Descriptor?)
        /// A plain directory, used as it is: for hosts without overlayfs.
        case directory(Descriptor)
        /// An empty tmpfs that only the mounts fill.
        case empty
    }

    /// Which network a process sees.
    package enum Network: String, Sendable {
        /// Its own, with nothing but a loopback device.
        case none
        /// The engine's.
        case host
    }

    /// Who a process is.
    ///
    /// Names are looked up by the caller: an image's `/etc/passwd` is its business.
    package struct User: Sendable, Hashable {
        package var user: UInt32
        package var group: UInt32
        /// Further groups; `group` need not be among them.
        package var supplementaryGroups: [UInt32]

        package init(user: UInt32, group: UInt32, supplementaryGroups: [UInt32] = []) {
            self.user = user
            self.group = group
            self.supplementaryGroups = supplementaryGroups
        }

        package static let root = User(user: 0, group: 0)
    }

    /// A limit of `setrlimit`, by its name without `RLIMIT_`, in lower case ("nofile"); `UInt64.max` is no limit.
    package struct ProcessLimit: Sendable, Hashable {
        package var name: String
        package var soft: UInt64
        package var hard: UInt64

        package init(name: String, soft: UInt64, hard: UInt64) {
            self.name = name
            self.soft = soft
            self.hard = hard
        }
    }

    /// What a sandbox as a whole may use.
    ///
    /// Kept by control groups; where the host has none the limits do not hold, and ``HostCapabilities`` says so.
    package struct ResourceLimits: Sendable, Hashable {
        /// Memory with swap, in bytes.
        package var memoryBytes: UInt64?
        /// Processes and threads.
        package var processCount: UInt64?
        /// Processor time, in thousandths of one core.
        package var processorMillis: UInt64?

        package init(
            memoryBytes: UInt64? = nil,
            processCount: UInt64? = nil,
            processorMillis: UInt64? = nil
        ) {
            self.memoryBytes = memoryBytes
            self.processCount = processCount
            self.processorMillis = processorMillis
        }
    }

    /// An additional line of `/etc/hosts`.
    package struct HostEntry: Sendable, Hashable {
        package var name: String
        package var address: String

        package init(name: String, address: String) {
            self.name = name
            self.address = address
        }
    }

    package var profile: Profile
    package var root: Root
    /// Whether the root is read-only.
    ///
    /// Mount points that are missing must then exist already, unless the root is empty.
    package var rootIsReadOnly = false
    /// The command and its arguments.
    ///
    /// Without ``executable``, the first is a path, or a name looked up in `PATH`.
    package var arguments: [String]
    /// The file to run, when it is not one of the sandbox's own.
    ///
    /// It is shown read-only at `/.kiln-executable`, so the root must be ``Root/empty`` or writable.
    package var executable: Descriptor?
    /// `NAME=VALUE` each.
    ///
    /// Nothing else is in the environment: the engine's own is never inherited.
    package var environment: [String] = []
    /// Made (mode 0755, owned by ``user``) when it is missing.
    package var workingDirectory = "/"
    package var user = User.root
    package var hostName = "buildkitsandbox"
    package var network = Network.none
    /// In order: a later mount covers an earlier one at or above its target.
    package var mounts: [Mount] = []
    /// Whether `/etc/hosts` and `/etc/resolv.conf` are generated and mounted read-only.
    ///
    /// Only in the step profiles.
    package var hasGeneratedNames = true
    package var extraHosts: [HostEntry] = []
    /// Content of `/etc/resolv.conf`; `nil` takes the host's (see ``ResolverConfiguration``).
    package var resolverConfiguration: [UInt8]?
    package var processLimits: [ProcessLimit] = []
    package var resourceLimits = ResourceLimits()
    /// Whether directories made on the way to a mount point are removed afterwards as the mount point itself is, if
    /// they are still empty; also `/dev`, `/proc` and `/sys`.
    ///
    /// BuildKit's `removeMountStubsRecursive`.
    package var removesStubParents = false

    package init(profile: Profile, root: Root, arguments: [String]) {
        self.profile = profile
        self.root = root
        self.arguments = arguments
    }

    /// A frontend in an empty read-only root, with the limits every frontend gets.
    ///
    /// It sees its own processes in `/proc`, the harmless devices in `/dev`, an empty `/tmp` of
    /// ``frontendScratchByteLimit`` bytes in which nothing can be run, and what the caller mounts.
    ///
    /// - Parameters:
    ///   - executable: The file to run; `nil` when the first argument is a path inside.
    ///   - libraries: Shared libraries the executable needs, see ``SharedLibraries``.
    package static func frontend(
        executable: Descriptor?,
        arguments: [String],
        libraries: [Mount] = []
    ) -> SandboxSpec {
        var spec = SandboxSpec(profile: .frontend, root: .empty, arguments: arguments)
        spec.executable = executable
        spec.rootIsReadOnly = true
        var scratch = Mount(.tmpfs(byteLimit: frontendScratchByteLimit), at: "/tmp")
        scratch.allowsExecution = false
        spec.mounts = [scratch] + libraries
        spec.hasGeneratedNames = false
        spec.hostName = "frontend"
        spec.processLimits = [
            ProcessLimit(name: "core", soft: 0, hard: 0),
            ProcessLimit(name: "data", soft: 4 << 30, hard: 4 << 30),
            ProcessLimit(name: "fsize", soft: 64 << 20, hard: 64 << 20),
            ProcessLimit(name: "memlock", soft: 64 << 10, hard: 64 << 10),
            ProcessLimit(name: "nofile", soft: 256, hard: 256),
            ProcessLimit(name: "nproc", soft: 256, hard: 256),
        ]
        spec.resourceLimits = ResourceLimits(memoryBytes: frontendMemoryByteLimit, processCount: 256)
        return spec
    }

    /// Memory of a frontend that asks for no limit of its own, in bytes.
    package static let frontendMemoryByteLimit: UInt64 = 1 << 30
    /// Size of a frontend's `/tmp`, in bytes; counts as its memory.
    package static let frontendScratchByteLimit: UInt64 = 64 << 20
}
