// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LLBMessages
internal import OCI
internal import PathPatterns

/// A part of a tree whose content decides a cache key.
struct ContentSelection: Hashable, Sendable {
    /// Path within the tree.
    var path: String
    var wildcard = false
    var followSymlinks = false
    var includePatterns: [String] = []
    var excludePatterns: [String] = []
    var requiredPaths: [String] = []

    var hasWildcardOrFilters: Bool {
        wildcard || !includePatterns.isEmpty || !excludePatterns.isEmpty
    }
}

/// What decides whether an earlier result of a file operation may be used: BuildKit's `buildkit.file.v0`.
struct FileCacheKey {
    let digest: Digest
    /// For each input: the selections whose content counts, or `nil` when its definition counts.
    let selections: [[ContentSelection]?]

    /// The digest that tells an input's selections from others in a definition-based key.
    func selector(input: Int) -> Digest? {
        guard let selections = selections[input] else { return nil }
        // Sorted downwards, for the sake of caches BuildKit wrote long ago.
        let paths = selections.map(\.path).sorted(by: byteOrder).reversed()
        return Digest.of(paths.joined(separator: "\0"))
    }

    /// - Throws: `invalidDefinition` when an action names an input that is not there.
    init(_ file: Pb_FileOp, inputCount: Int) throws(EngineError) {
        var found: [Int: [ContentSelection]] = [:]
        var byDefinition: Set<Int64> = []
        var actions: [String] = []
        var indexes: [[Int64]] = []
        for action in file.actions {
            if action.input != -1 { byDefinition.insert(action.input) }
            let json: String
            switch action.action {
            case .mkdir(let mkdir):
                try Self.addOwner(mkdir.owner, to: &found)
                json = Self.json(mkdir)
            case .mkfile(let mkfile):
                try Self.addOwner(mkfile.owner, to: &found)
                json = Self.json(mkfile)
            case .symlink(let symlink): json = Self.json(symlink)
            case .rm(let rm): json = Self.json(rm)
            case .copy(var copy):
                try Self.addOwner(copy.owner, to: &found)
                if action.secondaryInput != -1, action.secondaryInput < inputCount,
                    let input = Int(exactly: action.secondaryInput)
                {
                    found[input, default: []].append(
                        ContentSelection(
                            path: copy.src,
                            wildcard: copy.allowWildcard && hasWildcard(copy.src),
                            followSymlinks: copy.followSymlink,
                            includePatterns: copy.includePatterns,
                            excludePatterns: copy.excludePatterns,
                            requiredPaths: copy.requiredPaths
                        )
                    )
                    // The rest of the path is the selection's business.
                    copy.src = lastPathComponent(copy.src)
                }
                json = Self.json(copy)
            case nil:
                throw EngineError(.invalidDefinition, "a file action is of no known kind")
            }
            actions.append("\"\(Data(json.utf8).base64EncodedString())\"")
            indexes.append([action.input, action.secondaryInput, action.output])
        }

        var selections = [[ContentSelection]?](repeating: nil, count: inputCount)
        for (input, list) in found {
            guard selections.indices.contains(input) else {
                throw EngineError(
                    .invalidDefinition,
                    "a file action names input \(input), but the operation has \(inputCount) inputs"
                )
            }
            if !byDefinition.contains(Int64(input)) { selections[input] = list }
        }
        self.selections = selections

        var object = GoJSON()
        object.add("Type", json: "\"buildkit.file.v0\"")
        object.add("Actions", json: actions.isEmpty ? "[]" : GoJSON.array(actions))
        if !indexes.isEmpty, !isUsualOrder(indexes) {
            let lists = indexes.map { "[\($0.map(String.init).joined(separator: ","))]" }
            object.add("indexes", json: GoJSON.array(lists))
        }
        digest = Digest.of(object.object)
    }

    /// Named users and groups are looked up in a tree: its account files count.
    private static func addOwner(
        _ owner: Pb_ChownOpt,
        to found: inout [Int: [ContentSelection]]
    ) throws(EngineError) {
        for (option, path) in [(owner.user, "/etc/passwd"), (owner.group, "/etc/group")] {
            guard case .byName(let named) = option.user else { continue }
            guard let input = Int(exactly: named.input), input >= 0 else {
                throw EngineError(.invalidDefinition, "a named owner names input \(named.input)")
            }
            found[input, default: []].append(ContentSelection(path: path, followSymlinks: true))
        }
    }
}

/// Whether the actions form a simple chain from the first input to the one output: BuildKit leaves the indices of such
/// chains out of the key.
private func isUsualOrder(_ indexes: [[Int64]]) -> Bool {
    let count = Int64(indexes.count)
    for (position, index) in indexes.enumerated() {
        let expected = position == 0 ? 0 : count + Int64(position) - 1
        if index[0] != expected { return false }
        if index[1] != -1, index[1] != 1 { return false }
        if position == indexes.count - 1 {
            if index[2] != 0 { return false }
        } else if index[2] != -1 {
            return false
        }
    }
    return true
}

/// Whether a path holds `*`, `?` or `[` that a backslash does not take back.
private func hasWildcard(_ path: String) -> Bool {
    var escaped = false
    for byte in path.utf8 {
        if escaped {
            escaped = false
        } else if byte == UInt8(ascii: "\\") {
            escaped = true
        } else if byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "[") {
            return true
        }
    }
    return false
}

/// The last component of a path as Go's `path.Base` gives it.
private func lastPathComponent(_ path: String) -> String {
    if path.isEmpty { return "." }
    return path.split(separator: "/").last.map(String.init) ?? "/"
}

private func byteOrder(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
}

/// The selections an input's content digest is made of: paths below others dropped, in BuildKit's order.
func distinctSelections(_ selections: [ContentSelection]) -> [ContentSelection] {
    let plain = selections.filter { !$0.hasWildcardOrFilters }
    let literal = outermostPaths(plain.filter { !$0.followSymlinks }.map(\.path))
    let followed = outermostPaths(plain.filter(\.followSymlinks).map(\.path))
    var result = literal.map { ContentSelection(path: $0) }
    result += followed.map { ContentSelection(path: $0, followSymlinks: true) }
    result += selections.filter(\.hasWildcardOrFilters)
    // Stable, so that equal paths keep their order.
    return result.enumerated()
        .sorted {
            $0.element.path == $1.element.path
                ? $0.offset < $1.offset : byteOrder($0.element.path, $1.element.path)
        }
        .map(\.element)
}

// MARK: Actions as Go writes them

extension FileCacheKey {
    private static func json(_ copy: Pb_FileActionCopy) -> String {
        var json = GoJSON()
        json.add("src", copy.src)
        json.add("dest", copy.dest)
        if copy.hasOwner { json.add("owner", json: self.json(copy.owner)) }
        json.add("mode", copy.mode)
        json.add("followSymlink", copy.followSymlink)
        json.add("dirCopyContents", copy.dirCopyContents)
        json.add("attemptUnpackDockerCompatibility", copy.attemptUnpackDockerCompatibility)
        json.add("createDestPath", copy.createDestPath)
        json.add("allowWildcard", copy.allowWildcard)
        json.add("allowEmptyWildcard", copy.allowEmptyWildcard)
        json.add("timestamp", copy.timestamp)
        json.add("include_patterns", copy.includePatterns)
        json.add("exclude_patterns", copy.excludePatterns)
        json.add("alwaysReplaceExistingDestPaths", copy.alwaysReplaceExistingDestPaths)
        json.add("modeStr", copy.modeStr)
        json.add("required_paths", copy.requiredPaths)
        return json.object
    }

    private static func json(_ mkfile: Pb_FileActionMkFile) -> String {
        var json = GoJSON()
        json.add("path", mkfile.path)
        json.add("mode", mkfile.mode)
        json.add("data", mkfile.data)
        if mkfile.hasOwner { json.add("owner", json: self.json(mkfile.owner)) }
        json.add("timestamp", mkfile.timestamp)
        return json.object
    }

    private static func json(_ mkdir: Pb_FileActionMkDir) -> String {
        var json = GoJSON()
        json.add("path", mkdir.path)
        json.add("mode", mkdir.mode)
        json.add("makeParents", mkdir.makeParents)
        if mkdir.hasOwner { json.add("owner", json: self.json(mkdir.owner)) }
        json.add("timestamp", mkdir.timestamp)
        return json.object
    }

    private static func json(_ symlink: Pb_FileActionSymlink) -> String {
        var json = GoJSON()
        json.add("oldpath", symlink.oldpath)
        json.add("newpath", symlink.newpath)
        if symlink.hasOwner { json.add("owner", json: self.json(symlink.owner)) }
        json.add("timestamp", symlink.timestamp)
        return json.object
    }

    private static func json(_ rm: Pb_FileActionRm) -> String {
        var json = GoJSON()
        json.add("path", rm.path)
        json.add("allowNotFound", rm.allowNotFound)
        json.add("allowWildcard", rm.allowWildcard)
        return json.object
    }

    private static func json(_ owner: Pb_ChownOpt) -> String {
        var json = GoJSON()
        if owner.hasUser { json.add("user", json: self.json(owner.user)) }
        if owner.hasGroup { json.add("group", json: self.json(owner.group)) }
        return json.object
    }

    private static func json(_ user: Pb_UserOpt) -> String {
        switch user.user {
        case nil: return "{\"User\":null}"
        case .byID(let id): return "{\"User\":{\"ByID\":\(id)}}"
        case .byName(let named):
            var json = GoJSON()
            json.add("name", named.name)
            json.add("input", named.input)
            return "{\"User\":{\"ByName\":\(json.object)}}"
        }
    }
}
