// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LLB
internal import LLBMessages
internal import OCI

extension OperationReader {
    /// Kinds of file actions with their members, besides `on` and `output`, which all have.
    static let actionMembers: [(kind: String, members: [String])] = [
        (
            "copy",
            [
                "from", "to", "owner", "mode", "time", "followSymlinks", "contents", "unpack", "parents", "wildcard",
                "allowEmptyWildcard", "include", "exclude", "required", "replace",
            ]
        ),
        ("mkfile", ["text", "base64", "mode", "owner", "time"]),
        ("mkdir", ["parents", "mode", "owner", "time"]),
        ("rm", ["missingOk", "wildcard"]),
        ("symlink", ["to", "owner", "time"]),
    ]

    /// Where an action's tree comes from, before inputs have their final number.
    private enum Place {
        case input(Int64)
        case action(Int64)
    }

    mutating func readFile() {
        node.allow(["file", "from"] + Self.commonMembers, in: "a file operation")
        guard let actions = node["file"]?.elements("a list of actions") else { return }
        if actions.isEmpty { node["file"]?.report("a file operation needs an action") }
        let base = node["from"].map { use($0) } ?? -1
        var places: [(tree: Place, source: Place, action: Pb_FileAction)] = []
        for (index, action) in actions.enumerated()
        where action.members("an object that says what the action does") != nil {
            let before: Place = index == 0 ? .input(base) : .action(Int64(index - 1))
            let tree = action["on"].map { place($0, actionCount: actions.count) } ?? before
            let source =
                action["copy"] == nil
                ? Place.input(-1) : action["from"].map { place($0, actionCount: actions.count) } ?? .input(-1)
            var message = self.action(action, base: base)
            message.output = output(action, isLast: index == actions.count - 1)
            places.append((tree, source, message))
        }
        // All inputs are known by now, so actions have their numbers.
        let inputCount = Int64(inputs.count)
        func number(_ place: Place) -> Int64 {
            switch place {
            case .input(let index): index
            case .action(let index): inputCount + index
            }
        }
        message.file = Pb_FileOp()
        for (tree, source, action) in places {
            var action = action
            action.input = number(tree)
            action.secondaryInput = number(source)
            message.file.actions.append(action)
        }
    }

    /// `NAME`, `NAME:OUTPUT`, `scratch`, or `^2` for what the third action made.
    private mutating func place(_ node: Node, actionCount: Int) -> Place {
        guard let text = node.string("an operation, scratch, or ^ and the number of an action") else {
            return .input(-1)
        }
        guard text.hasPrefix("^") else { return .input(use(node)) }
        guard let number = Int64(text.dropFirst()), number >= 0, number < actionCount else {
            node.report("\"\(text.prefix(40))\" is none of the actions ^0 to ^\(actionCount - 1)")
            return .input(-1)
        }
        return .action(number)
    }

    private func output(_ action: Node, isLast: Bool) -> Int64 {
        guard let given = action["output"] else { return isLast ? 0 : -1 }
        if case .bool(false) = given.value.content { return -1 }
        return given.integer(Int64.self) ?? -1
    }

    private mutating func action(_ node: Node, base: Int64) -> Pb_FileAction {
        var action = Pb_FileAction()
        let kinds = Self.actionMembers.filter { node[$0.kind] != nil }
        guard let (kind, members) = kinds.first, kinds.count == 1, let given = node[kind] else {
            let known = Self.actionMembers.map(\.kind)
            let hint = node.value.members.lazy.compactMap { nearest(to: $0.name, in: known) }.first
            node.report(
                "says not what it does: exactly one of \(known.joined(separator: ", ")) is needed"
                    + (kinds.isEmpty ? hint.map { "; did you mean \"\($0)\"?" } ?? "" : "")
            )
            return action
        }
        node.allow([kind, "on", "output"] + members, in: "the action \(kind)")
        let path = given.string("a path") ?? ""
        let time = node["time"].flatMap(Self.time) ?? -1
        let owner = node["owner"].flatMap { self.owner($0, base: base) }
        switch kind {
        case "copy":
            action.copy = copy(node, path)
            action.copy.timestamp = time
            if let owner { action.copy.owner = owner }
        case "mkfile":
            action.mkfile.path = path
            action.mkfile.mode = node["mode"].flatMap(Self.mode) ?? 0o644
            action.mkfile.data = data(node)
            action.mkfile.timestamp = time
            if let owner { action.mkfile.owner = owner }
        case "mkdir":
            action.mkdir.path = path
            action.mkdir.mode = node["mode"].flatMap(Self.mode) ?? 0o755
            action.mkdir.makeParents = node["parents"]?.bool() ?? false
            action.mkdir.timestamp = time
            if let owner { action.mkdir.owner = owner }
        case "rm":
            action.rm.path = path
            action.rm.allowNotFound = node["missingOk"]?.bool() ?? false
            action.rm.allowWildcard = node["wildcard"]?.bool() ?? false
        default:
            action.symlink.newpath = path
            action.symlink.oldpath = node["to"]?.string() ?? ""
            if node["to"] == nil { node.report("a symlink needs \"to\", what it points at") }
            action.symlink.timestamp = time
            if let owner { action.symlink.owner = owner }
        }
        return action
    }

    private func copy(_ node: Node, _ path: String) -> Pb_FileActionCopy {
        var copy = Pb_FileActionCopy()
        copy.src = path
        if let to = node["to"] {
            copy.dest = to.string("a path") ?? ""
        } else {
            node.report("a copy needs \"to\", the path it copies to")
        }
        copy.mode = -1
        if let mode = node["mode"] {
            // Octal digits set the mode, anything else changes it: u+rwX,go-w.
            if case .string(let text) = mode.value.content, text.utf8.contains(where: { !(0x30...0x39).contains($0) }) {
                copy.mode = 0
                copy.modeStr = text
            } else {
                copy.mode = Self.mode(mode) ?? -1
            }
        }
        copy.followSymlink = node["followSymlinks"]?.bool() ?? false
        copy.dirCopyContents = node["contents"]?.bool() ?? false
        copy.attemptUnpackDockerCompatibility = node["unpack"]?.bool() ?? false
        copy.createDestPath = node["parents"]?.bool() ?? false
        copy.allowWildcard = node["wildcard"]?.bool() ?? false
        copy.allowEmptyWildcard = node["allowEmptyWildcard"]?.bool() ?? false
        copy.includePatterns = node["include"]?.strings() ?? []
        copy.excludePatterns = node["exclude"]?.strings() ?? []
        copy.requiredPaths = node["required"]?.strings() ?? []
        copy.alwaysReplaceExistingDestPaths = node["replace"]?.bool() ?? false
        return copy
    }

    private func data(_ node: Node) -> Data {
        if let text = node["text"] {
            node["base64"]?.report("says both \"text\" and \"base64\"")
            return Data((text.string() ?? "").utf8)
        }
        guard let given = node["base64"], let text = given.string("bytes in base64") else { return Data() }
        guard let data = Data(base64Encoded: text) else {
            given.report("expected bytes in base64, found \"\(text.prefix(40))\"")
            return Data()
        }
        return data
    }

    /// Nanoseconds since 1970, from `2026-01-02T03:04:05Z`.
    static func time(_ node: Node) -> Int64? {
        guard let text = node.string("a time such as 2026-01-02T03:04:05Z") else { return nil }
        do throws(OCIError) {
            let time = try Timestamp(parsing: text)
            let (scaled, overflow) = time.seconds.multipliedReportingOverflow(by: 1_000_000_000)
            let (sum, overflowToo) = scaled.addingReportingOverflow(Int64(time.nanoseconds))
            guard !overflow, !overflowToo else {
                node.report("\"\(text.prefix(40))\" is beyond the times a file can have")
                return nil
            }
            return sum
        } catch {
            node.report(error.message)
            return nil
        }
    }

    // MARK: Owners

    /// `user`, `user:group` by names or numbers, or an object with both.
    private mutating func owner(_ node: Node, base: Int64) -> Pb_ChownOpt? {
        var owner = Pb_ChownOpt()
        if node.isObject {
            node.allow(["user", "group"], in: "an owner")
            if let user = node["user"] { owner.user = identity(user, base: base) }
            if let group = node["group"] { owner.group = identity(group, base: base) }
            return owner
        }
        guard let text = node.string("an owner such as \"app:app\" or \"1000:1000\"") else { return nil }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.allSatisfy({ !$0.isEmpty }) else {
            node.report("expected an owner such as \"app:app\" or \"1000:1000\", found \"\(text.prefix(80))\"")
            return nil
        }
        owner.user = Self.identity(parts[0], base: base)
        if parts.count > 1 { owner.group = Self.identity(parts[1], base: base) }
        return owner
    }

    /// A number, or a name that is looked up in the tree the actions begin with.
    private static func identity(_ text: String, base: Int64) -> Pb_UserOpt {
        var option = Pb_UserOpt()
        if let number = text == "root" ? 0 : UInt32(text) {
            option.byID = number
        } else {
            option.byName.name = text
            option.byName.input = base
        }
        return option
    }

    /// `{"id": 7}` or `{"name": "app", "in": "base"}`.
    private mutating func identity(_ node: Node, base: Int64) -> Pb_UserOpt {
        guard node.isObject else {
            return node.string().map { Self.identity($0, base: base) } ?? Pb_UserOpt()
        }
        node.allow(["id", "name", "in"], in: "a user or group")
        var option = Pb_UserOpt()
        if let id = node["id"] {
            option.byID = id.integer(UInt32.self) ?? 0
        } else {
            option.byName.name = node["name"]?.string() ?? ""
            option.byName.input = node["in"].map { use($0) } ?? base
        }
        return option
    }
}
