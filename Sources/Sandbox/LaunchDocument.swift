// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LinuxSystem

/// A spec as the launcher reads it: JSON, and the descriptors the JSON names by index.
///
/// The launcher is strict: unknown keys, wrong types and indices out of range are errors. `spec.c` is the other side.
struct LaunchDocument: Encodable {
    struct Root: Encodable {
        var kind: String
        var lower: [Int]?
        var upper: Int?
        var work: Int?
        var source: Int?
        var readOnly: Bool
    }

    struct Mount: Encodable {
        var kind: String
        var target: String
        var readOnly: Bool
        var execute: Bool
        var privileges: Bool
        var source: Int?
        var subpath: String?
        var lower: [Int]?
        var upper: Int?
        var work: Int?
        var size: UInt64?
        var mode: UInt32?
        var uid: UInt32?
        var gid: UInt32?
    }

    struct User: Encodable {
        var uid: UInt32
        var gid: UInt32
        var groups: [UInt32]
    }

    struct ProcessLimit: Encodable {
        var name: String
        var soft: UInt64
        var hard: UInt64
    }

    /// Parents beneath which the launcher makes the sandbox's own control groups.
    struct ControlGroups: Encodable {
        var unified: Int?
        var memory: Int?
        var pids: Int?
        var cpu: Int?
        /// Groups the process joins as they are.
        var join: [Int]
        var memoryBytes: UInt64?
        var processCount: UInt64?
        var processorMillis: UInt64?
    }

    var version = 1
    var id: String
    var profile: String
    var root: Root
    var arguments: [String]
    var environment: [String]
    var workingDirectory: String
    var executable: Int?
    var user: User
    var hostname: String
    var network: String
    var mounts: [Mount]
    var limits: [ProcessLimit]
    var filter: Int?
    /// Whether a control group decides which devices may be opened; without it devices work nowhere but in `/dev`.
    var deviceControl: Bool
    var userxattr: Bool
    var cgroupNamespace: Bool
    var groups: ControlGroups?
    var removeStubParents: Bool
}

/// Gathers the descriptors a launch passes on and numbers them.
struct PassedDescriptors {
    /// The launcher's own: standard streams, the document, status, liveness.
    static let reservedCount = 6
    /// More than the 500 layers overlayfs takes, less than any usual limit of open files.
    static let countMax = 1000

    private(set) var all: [Descriptor] = []

    mutating func add(_ descriptor: Descriptor) -> Int {
        all.append(descriptor)
        return all.count - 1
    }

    mutating func add(_ descriptors: [Descriptor]) -> [Int] { descriptors.map { add($0) } }

    mutating func add(_ descriptor: Descriptor?) -> Int? { descriptor.map { add($0) } }
}

extension LaunchDocument {
    /// What a host adds to a spec.
    struct Surroundings {
        var filter: Descriptor?
        var groups: ControlGroups.Parents?
        var hasDeviceControl: Bool
        var usesUserAttributes: Bool
        var hasControlGroupNamespace: Bool
    }

    /// Checks a spec and turns it into a document.
    ///
    /// - Throws: ``SandboxError`` with `invalidSpec`, or `unavailable` when no memory file can be made.
    init(
        _ spec: SandboxSpec,
        id: String,
        surroundings: Surroundings,
        passing passed: inout PassedDescriptors
    ) throws(SandboxError) {
        try spec.validate()
        self.id = id
        profile = spec.profile.rawValue
        root =
            switch spec.root {
            case .overlay(let lower, let upper, let work):
                Root(
                    kind: "overlay",
                    lower: passed.add(lower),
                    upper: passed.add(upper),
                    work: passed.add(work),
                    readOnly: spec.rootIsReadOnly || upper == nil
                )
            case .directory(let source):
                Root(kind: "directory", source: passed.add(source), readOnly: spec.rootIsReadOnly)
            case .empty:
                Root(kind: "empty", readOnly: spec.rootIsReadOnly)
            }
        arguments = spec.arguments
        environment = spec.environment
        workingDirectory = spec.workingDirectory
        executable = passed.add(spec.executable)
        user = User(
            uid: spec.user.user,
            gid: spec.user.group,
            groups: spec.user.supplementaryGroups
        )
        hostname = spec.hostName
        network = spec.network.rawValue
        mounts = []
        for mount in spec.generatedMounts + spec.mounts {
            mounts.append(try Mount(mount, passing: &passed))
        }
        limits = spec.processLimits.map {
            ProcessLimit(name: $0.name, soft: $0.soft, hard: $0.hard)
        }
        filter = passed.add(surroundings.filter)
        deviceControl = surroundings.hasDeviceControl
        userxattr = surroundings.usesUserAttributes
        cgroupNamespace = surroundings.hasControlGroupNamespace
        groups = surroundings.groups.map { parents in
            ControlGroups(
                unified: passed.add(parents.unified),
                memory: spec.resourceLimits.memoryBytes == nil ? nil : passed.add(parents.memory),
                pids: spec.resourceLimits.processCount == nil ? nil : passed.add(parents.pids),
                cpu: spec.resourceLimits.processorMillis == nil ? nil : passed.add(parents.cpu),
                join: passed.add(parents.joined),
                memoryBytes: spec.resourceLimits.memoryBytes,
                processCount: spec.resourceLimits.processCount,
                processorMillis: spec.resourceLimits.processorMillis
            )
        }
        removeStubParents = spec.removesStubParents
        if passed.all.count > PassedDescriptors.countMax {
            throw SandboxError(
                .invalidSpec,
                "cannot start a sandbox of \(passed.all.count) layers and mounts: at most "
                    + "\(PassedDescriptors.countMax) are possible"
            )
        }
    }

    /// The document in a memory file that nobody can change any more.
    func sealed() throws(SandboxError) -> Descriptor {
        do {
            let file = try Descriptor.memory("kiln-sandbox-spec", sealable: true)
            try file.write(Array(JSONEncoder().encode(self)))
            try file.seal()
            return file
        } catch {
            throw SandboxError(
                .unavailable,
                "cannot hand the spec to the launcher: \(error)",
                cause: error
            )
        }
    }
}

extension LaunchDocument.Mount {
    init(_ mount: SandboxSpec.Mount, passing passed: inout PassedDescriptors) throws(SandboxError) {
        target = mount.target
        readOnly = mount.isReadOnly
        execute = mount.allowsExecution
        privileges = mount.allowsPrivileges
        switch mount.source {
        case .bind(let descriptor, let path):
            kind = "bind"
            source = passed.add(descriptor)
            subpath = path
        case .overlay(let lowerLayers, let upperLayer, let workDirectory, let path):
            kind = "overlay"
            lower = passed.add(lowerLayers)
            upper = passed.add(upperLayer)
            work = passed.add(workDirectory)
            subpath = path
        case .tmpfs(let byteLimit, let permissions):
            kind = "tmpfs"
            size = byteLimit
            mode = permissions
        case .file(let bytes, let permissions, let user, let group):
            kind = "file"
            mode = permissions
            uid = user
            gid = group
            do {
                let file = try Descriptor.memory("kiln-sandbox-file")
                try file.write(bytes)
                source = passed.add(file)
            } catch {
                throw SandboxError(
                    .unavailable,
                    "cannot hand the file for \(mount.target) to the launcher: \(error)",
                    cause: error
                )
            }
        }
    }
}
