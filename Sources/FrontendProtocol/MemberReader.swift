// SPDX-License-Identifier: Apache-2.0

/// A member that is missing or has the wrong form.
package struct MemberError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where the object stands, from the message's `params` or `result` down: `params.op`.
    package let path: String
    /// The member's name.
    package let member: String
    /// `nil`: the member is missing.
    ///
    /// Otherwise what is wrong with it.
    package let problem: String?
    /// Whether `null` may stand there, which is not the same as leaving the member out.
    package let isNullable: Bool

    package init(path: String, member: String, problem: String?, isNullable: Bool = false) {
        self.path = path
        self.member = member
        self.problem = problem
        self.isNullable = isNullable
    }

    /// What follows the words that a member is missing.
    var remedy: String { isNullable ? "; write null for the empty tree" : "" }

    package var description: String {
        if let problem { return "\"\(path).\(member)\" \(problem)" }
        return "\"\(path)\" lacks \"\(member)\"\(remedy)"
    }
}

/// Reads the members of an object with checks, and knows where the object stands for messages about it.
///
/// Members nobody asks for are ignored, as the protocol demands.
package struct MemberReader: Sendable {
    package let object: WireObject
    /// Where the object stands, as ``MemberError/path`` gives it.
    package let path: String

    package init(_ object: WireObject, path: String) {
        self.object = object
        self.path = path
    }

    // MARK: Required

    package func string(_ name: String) throws(MemberError) -> String {
        try require(name, optionalString(name))
    }

    package func integer(_ name: String) throws(MemberError) -> Int64 {
        try require(name, optionalInteger(name))
    }

    package func bytes(_ name: String) throws(MemberError) -> [UInt8] {
        try require(name, optionalBytes(name))
    }

    package func bool(_ name: String) throws(MemberError) -> Bool {
        try require(name, optionalBool(name))
    }

    package func reader(_ name: String) throws(MemberError) -> MemberReader {
        try require(name, optionalObject(name))
    }

    package func objects(_ name: String) throws(MemberError) -> [MemberReader] {
        try require(name, optionalObjects(name))
    }

    package func strings(_ name: String) throws(MemberError) -> [String] {
        try require(name, optionalStrings(name))
    }

    /// A string that must be there but may be `null`: absence never means anything.
    package func nullableString(_ name: String) throws(MemberError) -> String? {
        guard let value = object[name] else {
            throw MemberError(path: path, member: name, problem: nil, isNullable: true)
        }
        if case .null = value { return nil }
        return try string(name)
    }

    // MARK: Optional

    package func optionalString(_ name: String) throws(MemberError) -> String? {
        guard let value = present(name) else { return nil }
        guard case .string(let string) = value else { throw wrong(name, "a string", value) }
        return string
    }

    /// An integer, or a decimal string for one that JSON cannot hold.
    package func optionalInteger(_ name: String) throws(MemberError) -> Int64? {
        guard let value = present(name) else { return nil }
        switch value {
        case .integer(let integer): return integer
        case .string(let text):
            guard let integer = Int64(text), String(integer) == text else {
                throw wrong(name, "an integer", value)
            }
            return integer
        default: throw wrong(name, "an integer", value)
        }
    }

    package func optionalBool(_ name: String) throws(MemberError) -> Bool? {
        guard let value = present(name) else { return nil }
        guard case .bool(let flag) = value else { throw wrong(name, "a boolean", value) }
        return flag
    }

    /// A blob, or a string whose UTF-8 is meant.
    package func optionalBytes(_ name: String) throws(MemberError) -> [UInt8]? {
        guard let value = present(name) else { return nil }
        return try byteString(value, name)
    }

    package func optionalObject(_ name: String) throws(MemberError) -> MemberReader? {
        guard let value = present(name) else { return nil }
        guard case .object(let object) = value else { throw wrong(name, "an object", value) }
        return MemberReader(object, path: "\(path).\(name)")
    }

    package func optionalObjects(_ name: String) throws(MemberError) -> [MemberReader]? {
        guard let elements = try optionalArray(name) else { return nil }
        var readers: [MemberReader] = []
        for (index, element) in elements.enumerated() {
            guard case .object(let object) = element else {
                throw wrong("\(name)[\(index)]", "an object", element)
            }
            readers.append(MemberReader(object, path: "\(path).\(name)[\(index)]"))
        }
        return readers
    }

    package func optionalStrings(_ name: String) throws(MemberError) -> [String]? {
        guard let elements = try optionalArray(name) else { return nil }
        var strings: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let string) = element else {
                throw wrong("\(name)[\(index)]", "a string", element)
            }
            strings.append(string)
        }
        return strings
    }

    /// A map of strings; empty when the member is missing.
    package func stringMap(_ name: String) throws(MemberError) -> [String: String] {
        guard let reader = try optionalObject(name) else { return [:] }
        var map: [String: String] = [:]
        for member in reader.object.members {
            map[member.name] = try reader.string(member.name)
        }
        return map
    }

    /// A map of byte strings; empty when the member is missing.
    package func byteMap(_ name: String) throws(MemberError) -> [String: [UInt8]] {
        guard let reader = try optionalObject(name) else { return [:] }
        var map: [String: [UInt8]] = [:]
        for member in reader.object.members {
            map[member.name] = try reader.byteString(member.value, member.name)
        }
        return map
    }

    /// Reads a member as one of a closed set of words; an unknown word is refused, never ignored.
    package func word<Word: RawRepresentable<String> & CaseIterable>(
        _ name: String,
        _ type: Word.Type = Word.self
    ) throws(MemberError) -> Word? {
        guard let text = try optionalString(name) else { return nil }
        guard let word = Word(rawValue: text) else {
            let allowed = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw MemberError(
                path: path,
                member: name,
                problem: "is \"\(text.prefix(80))\"; allowed are \(allowed)"
            )
        }
        return word
    }

    // MARK: Errors

    /// An error about a member whose value is not allowed.
    package func invalid(_ name: String, _ problem: String) -> MemberError {
        MemberError(path: path, member: name, problem: problem)
    }

    private func missing(_ name: String) -> MemberError {
        MemberError(path: path, member: name, problem: nil)
    }

    private func wrong(_ name: String, _ expected: String, _ value: WireValue) -> MemberError {
        MemberError(path: path, member: name, problem: "is \(value.kindName), expected \(expected)")
    }

    private func require<Value>(_ name: String, _ value: Value?) throws(MemberError) -> Value {
        guard let value else { throw missing(name) }
        return value
    }

    /// A member's value, where `null` counts as missing.
    private func present(_ name: String) -> WireValue? {
        guard let value = object[name], value != .null else { return nil }
        return value
    }

    private func optionalArray(_ name: String) throws(MemberError) -> [WireValue]? {
        guard let value = present(name) else { return nil }
        guard case .array(let elements) = value else { throw wrong(name, "an array", value) }
        return elements
    }

    private func byteString(_ value: WireValue, _ name: String) throws(MemberError) -> [UInt8] {
        switch value {
        case .bytes(let bytes): return bytes
        case .string(let text): return Array(text.utf8)
        default: throw wrong(name, "a byte string", value)
        }
    }
}
