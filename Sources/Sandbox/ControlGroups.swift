// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import SystemPackage

/// The control groups of one launcher, beneath which each sandbox gets its own.
///
/// Names are `kiln-<pid>-<start ticks>-<token>`, so that a later engine can tell a dead one's groups and remove them. What the host does
/// not have, or does not let us use, is absent here.
final class ControlGroups: Sendable {
    /// Who decides which devices a sandbox may open.
    enum DeviceControl: Sendable {
        /// A program attached to a version 2 group.
        case program
        /// The `devices` hierarchy of version 1.
        case hierarchy
        /// Nobody: devices work nowhere but in the sandbox's `/dev`.
        case none
    }

    let deviceControl: DeviceControl
    /// Limits that sandboxes can have.
    let controllers: Set<String>
    /// Whether version 2 is the only one, so that a sandbox may see its own part of it.
    let isUnified: Bool
    private let confined: LaunchDocument.ControlGroups.Parents
    private let open: LaunchDocument.ControlGroups.Parents
    private let ours: [(parent: Directory, name: String)]

    private static let prefix = "kiln-"

    init() {
        let process = ProcessIdentity.current
        let token = randomToken(count: 8)
        let name = "\(Self.prefix)\(process.pid)-\(process.startTicks)-\(token)"
        var ours: [(parent: Directory, name: String)] = []
        func make(_ parent: Directory?) -> Directory? {
            guard let parent else { return nil }
            Self.sweep(parent)
            do {
                try parent.makeDirectory(name, mode: 0o755)
            } catch {
                return nil
            }
            ours.append((parent, name))
            return try? parent.directory(name)
        }
        let mounts = ControlGroupMounts.current
        isUnified = mounts.isUnified
        let unified = make(mounts.unified)
        var controllers: Set<String> = []
        if let unified, mounts.isUnified {
            controllers = Self.enableControllers(root: mounts.unified, in: unified)
        }
        let memory = make(mounts.memory)
        let pids = make(mounts.pids)
        let cpu = make(mounts.cpu)
        if memory != nil { controllers.insert("memory") }
        if pids != nil { controllers.insert("pids") }
        if cpu != nil { controllers.insert("cpu") }
        self.controllers = controllers

        // Beside version 1 the unified hierarchy has no controllers to hand down.
        let handedDown = mounts.isUnified ? controllers : []
        let confinedGroup = Self.child("confined", of: unified, controllers: handedDown)
        let openGroup = Self.child("open", of: unified, controllers: handedDown)
        var joined: [Descriptor] = []
        if let confinedGroup, Self.attachDeviceProgram(confinedGroup) {
            deviceControl = .program
        } else if let devices = make(mounts.devices), Self.restrict(devices) {
            deviceControl = .hierarchy
            joined = [devices.descriptor]
        } else {
            deviceControl = .none
        }
        confined = .init(
            unified: confinedGroup?.descriptor,
            memory: memory?.descriptor,
            pids: pids?.descriptor,
            cpu: cpu?.descriptor,
            joined: joined
        )
        open = .init(
            unified: openGroup?.descriptor,
            memory: memory?.descriptor,
            pids: pids?.descriptor,
            cpu: cpu?.descriptor,
            joined: []
        )
        self.ours = ours
    }

    deinit { for group in ours { Self.remove(group.name, in: group.parent) } }

    func parents(for profile: SandboxSpec.Profile) -> LaunchDocument.ControlGroups.Parents {
        profile == .insecure ? open : confined
    }

    /// Removes what is left of one sandbox after its launcher is gone; kills what is in it.
    func removeLeftovers(id: String) {
        for parents in [confined, open] {
            for group in [parents.unified, parents.memory, parents.pids, parents.cpu].compactMap({
                $0
            }) {
                Self.remove(id, in: Directory(group))
            }
        }
    }

    // MARK: Making

    private static func enableControllers(root: Directory?, in group: Directory) -> Set<String> {
        for directory in [root, group].compactMap({ $0 }) {
            for controller in ["memory", "pids", "cpu"] {
                write("+\(controller)", to: "cgroup.subtree_control", in: directory)
            }
        }
        let text = (try? group.open("cgroup.subtree_control").readToEnd(byteLimit: 4096)) ?? []
        return Set(
            String(decoding: text, as: UTF8.self).split { $0 == " " || $0 == "\n" }.map(String.init)
        )
    }

    private static func child(
        _ name: String,
        of group: Directory?,
        controllers: Set<String>
    ) -> Directory? {
        guard let group, let child = try? group.makeDirectories(name) else { return nil }
        for controller in controllers {
            write("+\(controller)", to: "cgroup.subtree_control", in: child)
        }
        return child
    }

    private static func attachDeviceProgram(_ group: Directory) -> Bool {
        (try? group.descriptor.attachDeviceProgram()) != nil
    }

    /// The same rules as the device program, for version 1.
    private static func restrict(_ group: Directory) -> Bool {
        let rules = [
            "c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
            "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm",
        ]
        return write("a", to: "devices.deny", in: group)
            && rules.allSatisfy { write($0, to: "devices.allow", in: group) }
    }

    @discardableResult
    private static func write(_ text: String, to file: String, in group: Directory) -> Bool {
        (try? group.open(file, flags: O_WRONLY).write(text.utf8)) != nil
    }

    // MARK: Removing

    /// Removes groups of engines that are gone.
    private static func sweep(_ parent: Directory) {
        for entry in (try? parent.entries()) ?? [] where entry.name.hasPrefix(prefix) {
            let parts = entry.name.dropFirst(prefix.count).split(separator: "-")
            guard parts.count == 3, let pid = Int32(parts[0]), let ticks = UInt64(parts[1]) else {
                continue
            }
            if !ProcessIdentity(pid: pid, startTicks: ticks).isAlive {
                remove(entry.name, in: parent)
            }
        }
    }

    /// Kills all processes of a group and of those beneath it, and removes them.
    private static func remove(_ name: String, in parent: Directory) {
        guard let group = try? parent.directory(name, scope: .noSymlinks) else { return }
        for entry in (try? group.entries()) ?? [] where entry.kind == .directory {
            remove(entry.name, in: group)
        }
        // A group stays busy until the last zombie is reaped, a moment after the kill.
        for attempt in 0..<20 {
            do {
                try parent.remove(name: name, isDirectory: true)
                return
            } catch  where error.errno == .resourceBusy {
                if attempt == 0 { killAll(in: group) }
                usleep(5000)
            } catch {
                return
            }
        }
    }

    private static func killAll(in group: Directory) {
        if write("1", to: "cgroup.kill", in: group) { return }
        let text = (try? group.open("cgroup.procs").readToEnd(byteLimit: 1 << 20)) ?? []
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            if let pid = pid_t(line), pid > 1 { _ = Glibc.kill(pid, SIGKILL) }
        }
    }
}

extension LaunchDocument.ControlGroups {
    /// Groups beneath which a sandbox makes its own, and groups it joins.
    struct Parents: Sendable {
        var unified: Descriptor?
        var memory: Descriptor?
        var pids: Descriptor?
        var cpu: Descriptor?
        var joined: [Descriptor]
    }
}

/// Where this host's control group hierarchies are, as far as this process can make groups there.
struct ControlGroupMounts {
    var unified: Directory?
    var isUnified = false
    var memory: Directory?
    var pids: Directory?
    var cpu: Directory?
    var devices: Directory?

    /// Reads `/proc/self/mountinfo` and `/proc/self/cgroup`.
    static var current: ControlGroupMounts {
        var result = ControlGroupMounts()
        let mounts = text(of: "/proc/self/mountinfo")
        let own = ownGroups()
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let separator = fields.firstIndex(of: "-"), fields.count > separator + 3 else {
                continue
            }
            let path = String(fields[4])
            switch fields[separator + 1] {
            case "cgroup2":
                result.unified = try? Directory(host: FilePath(path))
                result.isUnified = path == "/sys/fs/cgroup"
            case "cgroup":
                for controller in fields[separator + 3].split(separator: ",") {
                    result.add(String(controller), at: path, own: own[String(controller)] ?? "/")
                }
            default: continue
            }
        }
        return result
    }

    /// Limits above us hold for sandboxes as well, so groups of version 1 are made beneath our own.
    private mutating func add(_ controller: String, at path: String, own: String) {
        func directory() -> Directory? { try? Directory(host: FilePath(path + own)) }
        switch controller {
        case "memory": memory = directory()
        case "pids": pids = directory()
        case "cpu": cpu = directory()
        case "devices": devices = directory()
        default: break
        }
    }

    private static func ownGroups() -> [String: String] {
        var result: [String: String] = [:]
        for line in text(of: "/proc/self/cgroup").split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            if fields.count < 3 { continue }
            for controller in fields[1].split(separator: ",") {
                result[String(controller)] = String(fields[2])
            }
        }
        return result
    }

    private static func text(of path: FilePath) -> String {
        let bytes = (try? Descriptor.open(host: path).readToEnd(byteLimit: 16 << 20)) ?? []
        return String(decoding: bytes, as: UTF8.self)
    }
}
