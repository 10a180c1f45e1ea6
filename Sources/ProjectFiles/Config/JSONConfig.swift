// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

extension ConfigReader {
    /// Reads a JSON file: one object, strictly.
    ///
    /// - Throws: `json` or `limit`, with line and column.
    init(json bytes: [UInt8], file: String, byteLimit: Int) throws(ProjectError) {
        let source = SourceText(file: file, bytes: bytes)
        guard bytes.count <= byteLimit else {
            throw ProjectError(
                .limit,
                "the file has \(bytes.count) bytes, at most \(byteLimit) are allowed",
                file: file
            )
        }
        let object: WireObject
        do {
            object = try JSONParser.object(bytes)
        } catch {
            throw ProjectError(
                .json,
                error.sentence,
                file: file,
                position: source.position(error.offset)
            )
        }
        var walk = JSONOffsets(bytes: bytes)
        self.init(source: source, table: walk.table(object))
    }
}

extension JSONError {
    /// The sentence, about a file instead of a message, without its "at byte".
    fileprivate var sentence: String {
        switch reason {
        case .notAnObject: "the file is not one JSON object"
        case .byteOrderMark: "the file begins with a byte order mark"
        default: description.split(separator: ": ", maxSplits: 1).last.map(String.init) ?? description
        }
    }
}

/// Walks through a JSON text that is known to be valid, beside its values, and notes where each begins.
private struct JSONOffsets {
    let bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func table(_ object: WireObject) -> ConfigTable {
        skip(UInt8(ascii: "{"))
        var members: [ConfigTable.Member] = []
        for (position, member) in object.members.enumerated() {
            if position > 0 { skip(UInt8(ascii: ",")) }
            skipSpace()
            let keyOffset = index
            skipString()
            skip(UInt8(ascii: ":"))
            members.append(ConfigTable.Member(key: member.name, keyOffset: keyOffset, node: node(member.value)))
        }
        skip(UInt8(ascii: "}"))
        return ConfigTable(members: members)
    }

    private mutating func node(_ value: WireValue) -> ConfigNode {
        skipSpace()
        let offset = index
        switch value {
        case .object(let object): return ConfigNode(.table(table(object)), offset: offset)
        case .array(let elements):
            skip(UInt8(ascii: "["))
            var nodes: [ConfigNode] = []
            for (position, element) in elements.enumerated() {
                if position > 0 { skip(UInt8(ascii: ",")) }
                nodes.append(node(element))
            }
            skip(UInt8(ascii: "]"))
            return ConfigNode(.array(nodes), offset: offset)
        case .string(let text):
            skipString()
            return ConfigNode(.string(text), offset: offset)
        case .bool(let flag): return scalar(.boolean(flag), offset)
        case .integer(let number): return scalar(.integer(number), offset)
        case .number(let number): return scalar(.float(number), offset)
        case .null, .bytes: return scalar(.null, offset)
        }
    }

    private mutating func scalar(_ value: ConfigNode.Value, _ offset: Int) -> ConfigNode {
        while index < bytes.count, isAlphanumeric(bytes[index]) || "+-.".utf8.contains(bytes[index]) { index += 1 }
        return ConfigNode(value, offset: offset)
    }

    private mutating func skipSpace() {
        while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
    }

    private mutating func skip(_ byte: UInt8) {
        skipSpace()
        if index < bytes.count, bytes[index] == byte { index += 1 }
    }

    private mutating func skipString() {
        skip(UInt8(ascii: "\""))
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        index += 1
    }
}
