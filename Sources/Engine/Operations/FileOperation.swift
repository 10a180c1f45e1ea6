// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import LLB
internal import LLBMessages
internal import OCI
internal import Snapshots
internal import Solver

/// Copies, makes and removes files: BuildKit's FileOp.
///
/// Runs in this process; nothing is mounted.
struct FileOperation: DefinedOperation {
    let name: String
    let file: Pb_FileOp
    let inputCount: Int
    let snapshots: SnapshotStore

    func cacheMap() throws -> CacheMap {
        let key = try FileCacheKey(file, inputCount: inputCount)
        let rules = key.selections.indices.map { input -> InputRule in
            guard let selections = key.selections[input] else { return InputRule() }
            let distinct = distinctSelections(selections)
            return InputRule(selector: key.selector(input: input)) { result in
                try await contentDigest(of: result, distinct)
            }
        }
        return CacheMap(digest: key.digest, inputs: rules)
    }

    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable] {
        let trees = try inputs.map(fileTree)
        let plan = try FileActionPlan(file.actions, inputCount: inputCount)
        var results = [FileTree?](repeating: nil, count: plan.chains.count)

        func tree(_ tree: FileActionPlan.Tree) -> FileTree {
            switch tree {
            case .scratch: .scratch
            case .input(let index): trees[index]
            case .chain(let index): results[index] ?? .scratch
            }
        }
        // A chain reads only chains that end before its own last action.
        let order = plan.chains.indices.sorted {
            (plan.chains[$0].actions.last ?? 0) < (plan.chains[$1].actions.last ?? 0)
        }
        for index in order {
            let chain = plan.chains[index]
            let base = tree(chain.base)
            var actions: [FileStep] = []
            for action in chain.actions {
                let secondary = file.actions[action].secondaryInput >= 0 ? tree(plan.secondary[action]) : nil
                actions.append(
                    FileStep(
                        action: file.actions[action],
                        source: try await secondary.asyncMap { try await TreeReader($0) },
                        owner: try await owner(file.actions[action], base: base, trees)
                    )
                )
            }
            let steps = actions
            let layer = try await snapshots.write(on: base) { writer in
                for step in steps { try step.run(writer) }
            }
            results[index] = base.adding(layer)
        }
        return plan.outputs.map { results[$0] ?? .scratch }
    }

    /// The owner an action gives, names looked up in the tree it names.
    ///
    /// A name that the tree does not list means root, and for a group the user's own: so BuildKit has it, and files that
    /// rely on it are around.
    private func owner(
        _ action: Pb_FileAction,
        base: FileTree,
        _ trees: [FileTree]
    ) async throws -> TreeOwner? {
        let option: Pb_ChownOpt
        switch action.action {
        case .copy(let copy) where copy.hasOwner: option = copy.owner
        case .mkdir(let mkdir) where mkdir.hasOwner: option = mkdir.owner
        case .mkfile(let mkfile) where mkfile.hasOwner: option = mkfile.owner
        case .symlink(let symlink) where symlink.hasOwner: option = symlink.owner
        default: return nil
        }
        func accounts(_ named: Pb_NamedUserOpt) async throws -> AccountLookup {
            let index = Int(exactly: named.input) ?? -1
            let tree = trees.indices.contains(index) ? trees[index] : base
            return try await AccountLookup(tree: tree)
        }
        var owner = TreeOwner.root
        switch option.user.user {
        // Without a group, a name brings its account's group, and a number is its own group.
        case .byID(let id): owner = TreeOwner(uid: id, gid: id)
        case .byName(let named):
            if let (user, group) = try await accounts(named).userAndGroupID(named.name) {
                owner = TreeOwner(uid: user, gid: group)
            }
        case nil: break
        }
        switch option.group.user {
        case .byID(let id): owner.gid = id
        case .byName(let named):
            let accounts = try await accounts(named)
            if let group = try? accounts.groupID(named.name) { owner.gid = group }
        case nil: break
        }
        return owner
    }
}

/// One action with what it needs at hand.
private struct FileStep: Sendable {
    let action: Pb_FileAction
    let source: TreeReader?
    let owner: TreeOwner?

    func run(_ writer: TreeWriter) throws {
        switch action.action {
        case .mkdir(let mkdir):
            try writer.makeDirectory(
                mkdir.path,
                mode: UInt32(bitPattern: mkdir.mode),
                makeParents: mkdir.makeParents,
                owner: owner,
                timestamp: Self.time(mkdir.timestamp)
            )
        case .mkfile(let mkfile):
            try writer.makeFile(
                mkfile.path,
                mode: UInt32(bitPattern: mkfile.mode),
                data: Array(mkfile.data),
                owner: owner,
                timestamp: Self.time(mkfile.timestamp)
            )
        case .symlink(let symlink):
            try writer.makeSymbolicLink(
                symlink.newpath,
                to: symlink.oldpath,
                owner: owner,
                timestamp: Self.time(symlink.timestamp)
            )
        case .rm(let rm):
            try writer.remove(
                rm.path,
                allowNotFound: rm.allowNotFound,
                allowWildcard: rm.allowWildcard
            )
        case .copy(let copy):
            guard let source else {
                throw EngineError(.invalidDefinition, "cannot copy \(copy.src): the source is an empty tree")
            }
            try writer.copy(from: source, copy.src, to: copy.dest, options(copy))
        case nil:
            throw EngineError(.invalidDefinition, "a file action is of no known kind")
        }
    }

    private func options(_ copy: Pb_FileActionCopy) -> TreeCopyOptions {
        var options = TreeCopyOptions()
        options.owner = owner
        // A symbolic mode wins; the octal one then means nothing, not even for the directories made on the way.
        options.mode = copy.mode < 0 || !copy.modeStr.isEmpty ? nil : UInt32(bitPattern: copy.mode)
        options.modeChange = copy.modeStr
        options.timestamp = Self.time(copy.timestamp)
        options.followSymlink = copy.followSymlink
        options.copyDirectoryContents = copy.dirCopyContents
        options.attemptUnpack = copy.attemptUnpackDockerCompatibility
        options.createDestinationPath = copy.createDestPath
        options.allowWildcard = copy.allowWildcard
        options.allowEmptyWildcard = copy.allowEmptyWildcard
        options.alwaysReplaceExisting = copy.alwaysReplaceExistingDestPaths
        options.includePatterns = copy.includePatterns
        options.excludePatterns = copy.excludePatterns
        options.requiredPaths = copy.requiredPaths
        return options
    }

    /// A time in nanoseconds since 1970; negative means "as it comes".
    private static func time(_ nanoseconds: Int64) -> FileStatus.Time? {
        guard nanoseconds >= 0 else { return nil }
        return FileStatus.Time(
            seconds: nanoseconds / 1_000_000_000,
            nanoseconds: UInt32(nanoseconds % 1_000_000_000)
        )
    }
}

extension AccountLookup {
    /// Reads the account files of a tree; missing ones are empty.
    init(tree: FileTree) async throws {
        if tree.layers.isEmpty {
            self.init(passwd: [], group: [])
            return
        }
        let reader = try await TreeReader(tree)
        self = try await blocking {
            func content(_ path: String) throws -> [UInt8] {
                guard let entry = try reader.stat(path, followSymlinks: true), entry.isRegular else {
                    return []
                }
                return try reader.readFile(path, byteLimit: Self.byteLimit)
            }
            return AccountLookup(passwd: try content("etc/passwd"), group: try content("etc/group"))
        }
    }
}

extension Optional where Wrapped: Sendable {
    /// `map` for a function that waits.
    func asyncMap<Value>(_ transform: (Wrapped) async throws -> Value) async rethrows -> Value? {
        guard let value = self else { return nil }
        return try await transform(value)
    }
}
