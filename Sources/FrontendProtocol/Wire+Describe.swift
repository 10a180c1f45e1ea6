// SPDX-License-Identifier: Apache-2.0

/// The answer to a question about a build file; its params are those of `build`.
package protocol WorkAnswer: WireRepresentable {
    /// What is asked; a frontend that answers it names it in `provides`.
    static var method: Method { get }
}

extension Wire {
    /// A work request that builds nothing: `describe/targets`, `describe/outline`, `lint`, `convert` or `format`.
    package struct Describe<Answer: WorkAnswer>: WireRequest {
        package static var method: Method { Answer.method }

        package var build: Build

        package init(build: Build) { self.build = build }

        package init(members: MemberReader) throws(MemberError) { build = try Build(members: members) }

        package var members: WireObject { build.members }
    }
}

/// What a build file can build: the answer to `describe/targets`.
public struct TargetsDescription: WorkAnswer {
    package static let method = Method.describeTargets

    /// One thing that can be asked for by the option `target`.
    public struct Target: WireRepresentable {
        /// What `target` takes; may be empty for one that has no name and can only be the default.
        public var name: String
        /// Whether it is built when no target is asked for.
        public var isDefault: Bool
        /// One line for people.
        public var description: String?
        /// What it begins with, as the file has it.
        public var base: String?
        /// As `linux/arm64`, where the file fixes it.
        public var platform: String?
        /// Where it stands in the file.
        public var ranges: [TextRange]

        /// Makes a value of its members.
        public init(
            name: String,
            isDefault: Bool = false,
            description: String? = nil,
            base: String? = nil,
            platform: String? = nil,
            ranges: [TextRange] = []
        ) {
            self.name = name
            self.isDefault = isDefault
            self.description = description
            self.base = base
            self.platform = platform
            self.ranges = ranges
        }

        package init(members: MemberReader) throws(MemberError) {
            name = try members.string("name")
            isDefault = try members.optionalBool("default") ?? false
            description = try members.optionalString("description")
            base = try members.optionalString("base")
            platform = try members.optionalString("platform")
            ranges = try members.ranges()
        }

        package var members: WireObject {
            var members: WireObject = ["name": .string(name), "default": .bool(isDefault)]
            members["description"] = description.map { .string($0) }
            members["base"] = base.map { .string($0) }
            members["platform"] = platform.map { .string($0) }
            members["ranges"] = .ranges(ranges)
            return members
        }
    }

    /// In the order of the file.
    public var targets: [Target]

    /// Takes the targets; at most one is the default.
    public init(targets: [Target]) { self.targets = targets }

    package init(members: MemberReader) throws(MemberError) {
        targets = []
        for reader in try members.objects("targets") { targets.append(try Target(members: reader)) }
        if targets.count(where: \.isDefault) > 1 {
            throw members.invalid("targets", "has more than one default")
        }
    }

    package var members: WireObject { ["targets": .array(targets.map { .object($0.members) })] }
}

/// What the chosen target takes: the answer to `describe/outline`.
public struct OutlineDescription: WorkAnswer {
    package static let method = Method.describeOutline

    /// A build argument.
    public struct Argument: WireRepresentable {
        /// As in `build-arg:NAME`.
        public var name: String
        /// One line for people.
        public var description: String?
        /// What it is when nobody sets it.
        public var value: String?
        /// Where it stands in the file.
        public var ranges: [TextRange]

        /// Makes a value of its members.
        public init(name: String, description: String? = nil, value: String? = nil, ranges: [TextRange] = []) {
            self.name = name
            self.description = description
            self.value = value
            self.ranges = ranges
        }

        package init(members: MemberReader) throws(MemberError) {
            name = try members.string("name")
            description = try members.optionalString("description")
            value = try members.optionalString("value")
            ranges = try members.ranges()
        }

        package var members: WireObject {
            var members: WireObject = ["name": .string(name)]
            members["description"] = description.map { .string($0) }
            members["value"] = value.map { .string($0) }
            members["ranges"] = .ranges(ranges)
            return members
        }
    }

    /// A secret or an SSH socket that steps use.
    public struct Need: WireRepresentable {
        /// The id by which the user gives it.
        public var name: String
        /// Whether the build fails without it.
        public var isRequired: Bool
        /// Where it is used in the file.
        public var ranges: [TextRange]

        /// Makes a value of its members.
        public init(name: String, isRequired: Bool = false, ranges: [TextRange] = []) {
            self.name = name
            self.isRequired = isRequired
            self.ranges = ranges
        }

        package init(members: MemberReader) throws(MemberError) {
            name = try members.string("name")
            isRequired = try members.optionalBool("required") ?? false
            ranges = try members.ranges()
        }

        package var members: WireObject {
            ["name": .string(name), "required": .bool(isRequired), "ranges": .ranges(ranges)]
        }
    }

    /// A cache directory that steps use.
    public struct Cache: WireRepresentable {
        /// Steps with one id share it.
        public var id: String
        /// Where it is used in the file.
        public var ranges: [TextRange]

        /// Makes a value of its members.
        public init(id: String, ranges: [TextRange] = []) {
            self.id = id
            self.ranges = ranges
        }

        package init(members: MemberReader) throws(MemberError) {
            id = try members.string("id")
            ranges = try members.ranges()
        }

        package var members: WireObject { ["id": .string(id), "ranges": .ranges(ranges)] }
    }

    /// The target's name.
    public var name: String?
    /// One line for people.
    public var description: String?
    /// Build arguments it looks at.
    public var arguments: [Argument]
    /// Secrets its steps use.
    public var secrets: [Need]
    /// SSH sockets its steps use.
    public var ssh: [Need]
    /// Cache directories its steps use.
    public var caches: [Cache]

    /// Makes a value of its members.
    public init(
        name: String? = nil,
        description: String? = nil,
        arguments: [Argument],
        secrets: [Need] = [],
        ssh: [Need] = [],
        caches: [Cache] = []
    ) {
        self.name = name
        self.description = description
        self.arguments = arguments
        self.secrets = secrets
        self.ssh = ssh
        self.caches = caches
    }

    package init(members: MemberReader) throws(MemberError) {
        name = try members.optionalString("name")
        description = try members.optionalString("description")
        arguments = []
        for reader in try members.objects("arguments") { arguments.append(try Argument(members: reader)) }
        secrets = []
        for reader in try members.optionalObjects("secrets") ?? [] { secrets.append(try Need(members: reader)) }
        ssh = []
        for reader in try members.optionalObjects("ssh") ?? [] { ssh.append(try Need(members: reader)) }
        caches = []
        for reader in try members.optionalObjects("caches") ?? [] { caches.append(try Cache(members: reader)) }
    }

    package var members: WireObject {
        var members: WireObject = [:]
        members["name"] = name.map { .string($0) }
        members["description"] = description.map { .string($0) }
        members["arguments"] = .array(arguments.map { .object($0.members) })
        members["secrets"] = .array(secrets.map { .object($0.members) })
        members["ssh"] = .array(ssh.map { .object($0.members) })
        members["caches"] = .array(caches.map { .object($0.members) })
        return members
    }
}

extension WireValue {
    fileprivate static func ranges(_ ranges: [TextRange]) -> WireValue {
        .array(ranges.map { .object($0.members) })
    }
}

extension MemberReader {
    /// The member `ranges`; empty when it is missing.
    func ranges() throws(MemberError) -> [TextRange] {
        var ranges: [TextRange] = []
        for reader in try optionalObjects("ranges") ?? [] { ranges.append(try TextRange(members: reader)) }
        return ranges
    }
}
