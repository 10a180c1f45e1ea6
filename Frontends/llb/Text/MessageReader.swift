// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import OCI
internal import SwiftProtobuf

/// Reads messages of `ops.proto` from JSON: protobuf's own form, and Go's, which `buildctl debug dump-llb` prints.
///
/// Every mistake is reported where it stands.
struct MessageReader {
    /// Whether whole numbers beyond 2^53 are taken as they stand, as Go writes them.
    var acceptsLongNumbers = false

    /// Reads a message of a name.
    func read<Value: Message>(_ node: Node, _ name: String, as type: Value.Type = Value.self) -> Value? {
        let problemCount = node.reading.problemCount
        guard let json = message(node, name), node.reading.problemCount == problemCount else { return nil }
        do {
            return try Value(jsonUTF8Bytes: json.encoded)
        } catch {
            // What the table lets pass, protobuf reads; should the two differ, the message tells.
            node.report("cannot read it as \(name): \(error)")
            return nil
        }
    }

    private func message(_ node: Node, _ name: String) -> JSONValue? {
        guard let given = node.members(), let known = MessageSchema.members[name] else { return nil }
        var result: [JSONMember] = []
        var seen: Set<String> = []
        let nest = MessageSchema.nests[name]
        for member in given where !member.node.isNull {
            if member.name == nest {
                result += oneof(member.node, name)
                continue
            }
            guard let field = known[member.name] else {
                let offset = node.value.members.first { $0.name == member.name }?.offset ?? node.value.range.lowerBound
                node.reading.report(
                    "unknown member \"\(member.name.prefix(80))\" of \(name)"
                        + suggestion(for: member.name, in: MessageSchema.messages[name, default: []].map(\.name)),
                    at: offset,
                    node.path
                )
                continue
            }
            guard seen.insert(field.name).inserted else {
                member.node.report("\"\(field.name)\" is given twice")
                continue
            }
            if let value = value(member.node, field.kind) { result.append(JSONMember(field.name, value)) }
        }
        return .object(result)
    }

    /// The member of a oneof that Go nests one level deeper.
    private func oneof(_ node: Node, _ message: String) -> [JSONMember] {
        guard let given = node.members(), let known = MessageSchema.members[message] else { return [] }
        // Go leaves a number of 0 out.
        if message == "UserOpt", given.isEmpty { return [JSONMember("byID", .integer(0))] }
        if message == "FileAction", given.isEmpty {
            node.report("the action is missing; `buildctl debug dump-llb` leaves symlinks out")
            return []
        }
        return given.compactMap { member in
            let name = member.name == "byId" ? "byID" : member.name
            guard let field = known[name] else {
                member.node.report(
                    "unknown kind \"\(name.prefix(80))\" of \(message)"
                        + suggestion(for: name, in: MessageSchema.messages[message, default: []].map(\.name))
                )
                return nil
            }
            return value(member.node, field.kind).map { JSONMember(field.name, $0) }
        }
    }

    private func value(_ node: Node, _ kind: MessageSchema.Kind) -> JSONValue? {
        switch kind {
        case .string: return node.string().map { .string($0) }
        case .bool: return node.bool().map { .bool($0) }
        case .int32: return number(node, Int32.self)
        case .int64: return number(node, Int64.self)
        case .uint32: return number(node, UInt32.self)
        case .uint64: return number(node, UInt64.self)
        case .bytes:
            guard let text = node.string("bytes in base64") else { return nil }
            guard Data(base64Encoded: text) != nil else {
                node.report("expected bytes in base64, found \"\(text.prefix(40))\"")
                return nil
            }
            return .string(text)
        case .enumeration(let names):
            if case .number = node.value.content { return node.integer(Int32.self).map { .integer($0) } }
            guard let text = node.string("one of " + names.joined(separator: ", ")) else { return nil }
            guard names.contains(text) else {
                node.report(
                    "\"\(text.prefix(80))\" is none of " + names.joined(separator: ", ")
                        + suggestion(for: text, in: names)
                )
                return nil
            }
            return .string(text)
        case .message(let name): return message(node, name)
        case .list(let kind):
            return node.elements().map { .array($0.compactMap { value($0, kind) }) }
        case .map(let kind):
            return node.members().map { members in
                .object(
                    members.compactMap { member in
                        value(member.node, kind).map { JSONMember(member.name, $0) }
                    }
                )
            }
        }
    }

    private func number<Value: FixedWidthInteger>(_ node: Node, _ type: Value.Type) -> JSONValue? {
        if acceptsLongNumbers, case .number(let digits) = node.value.content, let value = Value(digits) {
            return .string("\(value)")
        }
        return node.integer(type).map { .string("\($0)") }
    }
}

/// Writes messages of `ops.proto` as Go's `encoding/json` writes BuildKit's.
enum GoForm {
    /// A message, oneofs flat; with `nests`, enumerations are numbers as Go shows them, and without it, numbers that other
    /// languages cannot hold are strings.
    static func json(_ message: some Message, nests: Bool) throws(LLBTextError) -> JSONValue {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        options.alwaysPrintInt64sAsNumbers = true
        options.alwaysPrintEnumsAsInts = nests
        options.useDeterministicOrdering = true
        let json: JSONValue
        do {
            let bytes: [UInt8] = try message.jsonUTF8Bytes(options: options)
            json = try JSONValue(parsing: bytes)
        } catch {
            throw LLBTextError("cannot write a message as JSON: \(error)")
        }
        return nests ? json : longNumbersAsText(json)
    }

    private static func longNumbersAsText(_ json: JSONValue) -> JSONValue {
        switch json {
        case .number(let digits):
            guard let number = Int64(digits), number.magnitude < 1 << 53 else { return .string(digits) }
            return json
        case .array(let elements): return .array(elements.map(longNumbersAsText))
        case .object(let members):
            return .object(members.map { JSONMember($0.name, longNumbersAsText($0.value)) })
        default: return json
        }
    }

    /// An operation with its kind inside `Op`, in BuildKit's order.
    static func nested(operation: JSONValue) -> JSONValue {
        let kinds = ["exec", "source", "file", "build", "merge", "diff", "passthrough"]
        func picked(_ names: [String]) -> [JSONMember] {
            names.compactMap { name in operation[name].map { JSONMember(name, $0) } }
        }
        let kind = picked(kinds).map { member in
            switch member.name {
            case "file": JSONMember("file", file(member.value))
            case "source", "build": JSONMember(member.name, sortingMaps(member.value, ["attrs", "inputs"]))
            default: member
            }
        }
        return .object(
            picked(["inputs"]) + [JSONMember("Op", .object(kind))] + picked(["platform", "constraints"])
        )
    }

    private static func file(_ file: JSONValue) -> JSONValue {
        guard let actions = file["actions"]?.elements else { return file }
        return .object([JSONMember("actions", .array(actions.map(action)))])
    }

    /// Go shows an action's numbers even where they are 0.
    private static func action(_ action: JSONValue) -> JSONValue {
        let numbers = ["input", "secondaryInput", "output"].map { JSONMember($0, action[$0] ?? .integer(0)) }
        let kinds = ["copy", "mkfile", "mkdir", "rm", "symlink"].compactMap { name in
            action[name].map { JSONMember(name, owned($0)) }
        }
        return .object(numbers + [JSONMember("Action", .object(kinds))])
    }

    private static func owned(_ action: JSONValue) -> JSONValue {
        .object(
            action.members.map { member in
                guard member.name == "owner" else { return member }
                return JSONMember("owner", .object(member.value.members.map { JSONMember($0.name, user($0.value)) }))
            }
        )
    }

    private static func user(_ user: JSONValue) -> JSONValue {
        let members = user.members.compactMap { member -> JSONMember? in
            guard member.name == "byID" else { return member }
            return member.value.integer == 0 ? nil : JSONMember("byId", member.value)
        }
        return .object([JSONMember("User", .object(members))])
    }

    /// Sorts the members of some members by the bytes of their names, as Go writes maps.
    static func sortingMaps(_ value: JSONValue, _ names: Set<String>) -> JSONValue {
        .object(
            value.members.map { member in
                guard names.contains(member.name), case .object(let entries) = member.value else { return member }
                let sorted = entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
                return JSONMember(member.name, .object(sorted))
            }
        )
    }
}
