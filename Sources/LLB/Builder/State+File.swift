// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LLBMessages
internal import OCI

/// Who owns what a file action makes.
public struct FileOwner: Hashable, Sendable {
    /// A user or group by number or by its name in the tree that is written.
    public enum Identity: Hashable, Sendable {
        case id(UInt32)
        case name(String)

        /// Reads a number, `root` or a name.
        public init(_ text: String) {
            if text == "root" {
                self = .id(0)
            } else if let number = Int32(text) {
                self = .id(UInt32(bitPattern: number))
            } else {
                self = .name(text)
            }
        }
    }

    /// The owner; `nil` keeps it, or is root for what is new.
    public var user: Identity?
    /// The group; `nil` keeps it, or is root for what is new.
    public var group: Identity?

    /// An owner by its parts.
    public init(user: Identity?, group: Identity? = nil) {
        self.user = user
        self.group = group
    }

    /// Reads `user` or `user:group`.
    public init(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        user = Identity(String(parts[0]))
        if parts.count > 1 { group = Identity(String(parts[1])) }
    }

    /// Names are looked up in the user database of the input `base`.
    func message(base: Int64) -> Pb_ChownOpt {
        func option(_ identity: Identity) -> Pb_UserOpt {
            var option = Pb_UserOpt()
            switch identity {
            case .id(let id): option.byID = id
            case .name(""): option.byID = 0
            case .name(let name):
                option.byName.name = name
                option.byName.input = base
            }
            return option
        }
        var message = Pb_ChownOpt()
        if let user { message.user = option(user) }
        if let group { message.group = option(group) }
        return message
    }
}

/// How files are copied.
public struct CopyOptions: Hashable, Sendable {
    /// Who owns what is copied; `nil` keeps the owner.
    public var owner: FileOwner?
    /// Mode bits of what is copied; `nil` keeps them.
    public var mode: Int32?
    /// Symbolic mode such as `u+rwX,go-w`; wins over ``mode``.
    public var symbolicMode = ""
    /// Whether a source that is a symlink is what it points at.
    public var followsSymlinks = false
    /// Copies what is in a directory, not the directory.
    public var copiesDirectoryContents = false
    /// Unpacks a file that is an archive.
    public var attemptsUnpack = false
    /// Whether missing directories above the destination are made.
    public var createsDestinationPath = false
    /// Whether the source may hold `*`, `?` and `[…]`.
    public var allowsWildcard = false
    /// Whether a wildcard that matches nothing is fine.
    public var allowsEmptyWildcard = false
    /// Whether something of another kind at the destination gives way.
    public var replacesDestinations = false
    /// Only what matches one of these is copied; empty for all.
    public var includePatterns: [String] = []
    /// What matches one of these is not copied.
    public var excludePatterns: [String] = []
    /// What must exist.
    public var requiredPaths: [String] = []
    /// Nanoseconds since 1970; `nil` keeps the time.
    public var createdTime: Int64?

    /// Options that copy a path as it is.
    public init() {}
}

/// Changes to a tree, made one after the other in one operation.
public struct FileActions: Sendable {
    enum Step: Sendable {
        case make(Pb_FileAction.OneOf_Action, owner: FileOwner?)
        case copy(from: State, Pb_FileActionCopy, owner: FileOwner?)
    }

    private(set) var steps: [Step] = []

    /// More than these in one operation are refused.
    public static let countMax = 10_000

    /// No changes.
    public init() {}

    /// Makes a directory; one that exists stays as it is.
    ///
    /// `createdTime` counts nanoseconds since 1970; `nil` is the time of the build.
    public mutating func makeDirectory(
        _ path: String,
        mode: Int32,
        makesParents: Bool = false,
        owner: FileOwner? = nil,
        createdTime: Int64? = nil
    ) {
        var action = Pb_FileActionMkDir()
        action.path = path
        action.mode = mode & 0o777
        action.makeParents = makesParents
        action.timestamp = createdTime ?? -1
        steps.append(.make(.mkdir(action), owner: owner))
    }

    /// Writes a file.
    public mutating func makeFile(
        _ path: String,
        mode: Int32,
        data: [UInt8],
        owner: FileOwner? = nil,
        createdTime: Int64? = nil
    ) {
        var action = Pb_FileActionMkFile()
        action.path = path
        action.mode = mode & 0o777
        action.data = .init(data)
        action.timestamp = createdTime ?? -1
        steps.append(.make(.mkfile(action), owner: owner))
    }

    /// Makes a symlink at `path`.
    public mutating func makeSymlink(
        to target: String,
        at path: String,
        owner: FileOwner? = nil,
        createdTime: Int64? = nil
    ) {
        var action = Pb_FileActionSymlink()
        action.oldpath = target
        action.newpath = path
        action.timestamp = createdTime ?? -1
        steps.append(.make(.symlink(action), owner: owner))
    }

    /// Removes a file or a directory with all it holds.
    public mutating func remove(
        _ path: String,
        allowsNotFound: Bool = false,
        allowsWildcard: Bool = false
    ) {
        var action = Pb_FileActionRm()
        action.path = path
        action.allowNotFound = allowsNotFound
        action.allowWildcard = allowsWildcard
        steps.append(.make(.rm(action), owner: nil))
    }

    /// Copies from another tree.
    public mutating func copy(
        from source: State,
        _ path: String,
        to destination: String,
        options: CopyOptions = CopyOptions()
    ) {
        var action = Pb_FileActionCopy()
        let cleaned = SlashPath.clean(path)
        action.src = SlashPath.join(SlashPath.isAbsolute(cleaned) ? "/" : source.directory, cleaned)
        action.dest = destination
        if options.symbolicMode.isEmpty { action.mode = options.mode ?? -1 }
        action.modeStr = options.symbolicMode
        action.followSymlink = options.followsSymlinks
        action.dirCopyContents = options.copiesDirectoryContents
        action.attemptUnpackDockerCompatibility = options.attemptsUnpack
        action.createDestPath = options.createsDestinationPath
        action.allowWildcard = options.allowsWildcard
        action.allowEmptyWildcard = options.allowsEmptyWildcard
        action.alwaysReplaceExistingDestPaths = options.replacesDestinations
        action.includePatterns = options.includePatterns
        action.excludePatterns = options.excludePatterns
        action.requiredPaths = options.requiredPaths
        action.timestamp = options.createdTime ?? -1
        steps.append(.copy(from: source, action, owner: options.owner))
    }
}

extension State {
    /// Changes the tree.
    ///
    /// Relative paths begin at the state's directory.
    public func file(_ actions: FileActions, constraints: Constraints = Constraints()) -> State {
        guard !actions.steps.isEmpty else { return self }
        var constraints = constraints
        constraints.require(Capability.fileBase)
        let steps = actions.steps.map { step in
            switch step {
            case .make(let action, let owner):
                BuiltFile.Step(action: placed(action), owner: owner, source: nil)
            case .copy(let source, var copy, let owner):
                BuiltFile.Step(
                    action: {
                        copy.dest = placed(copy.dest, keepsSlash: true)
                        return .copy(copy)
                    }(),
                    owner: owner,
                    source: source.output
                )
            }
        }
        return withOutput(.file(BuiltFile(base: output, steps: steps)), constraints)
    }

    private func placed(_ action: Pb_FileAction.OneOf_Action) -> Pb_FileAction.OneOf_Action {
        switch action {
        case .mkdir(var mkdir):
            mkdir.path = placed(mkdir.path)
            return .mkdir(mkdir)
        case .mkfile(var mkfile):
            mkfile.path = placed(mkfile.path)
            return .mkfile(mkfile)
        case .rm(var rm):
            rm.path = placed(rm.path)
            return .rm(rm)
        case .symlink, .copy: return action
        }
    }

    /// A trailing `/` or `/.` means "into it" and stays where `keepsSlash` is true.
    private func placed(_ path: String, keepsSlash: Bool = false) -> String {
        var cleaned = SlashPath.clean(path)
        if !SlashPath.isAbsolute(cleaned) { cleaned = SlashPath.join("/", directory, cleaned) }
        guard keepsSlash else { return cleaned }
        if path.hasSuffix("/"), !cleaned.hasSuffix("/") { return cleaned + "/" }
        if path.hasSuffix("/.") { return (cleaned == "/" ? "/" : cleaned + "/") + "." }
        return cleaned
    }
}
