// SPDX-License-Identifier: Apache-2.0

/// One value of a TOML or JSON file, and where it begins.
package struct ConfigNode: Sendable, Hashable {
    package enum Value: Sendable, Hashable {
        case string(String)
        case integer(Int64)
        case float(Double)
        case boolean(Bool)
        /// Of TOML: a date, a time or both, as written; its fields are in range.
        case dateTime(String)
        case array([ConfigNode])
        case table(ConfigTable)
        /// Of JSON.
        case null
    }

    package var value: Value
    /// In bytes from the start of the text.
    package let offset: Int

    package init(_ value: Value, offset: Int) {
        self.value = value
        self.offset = offset
    }

    /// What this value is, as messages about it say.
    package var kindName: String {
        switch value {
        case .string: "a string"
        case .integer: "an integer"
        case .float: "a float"
        case .boolean: "a boolean"
        case .dateTime: "a date or time"
        case .array: "an array"
        case .table: "a table"
        case .null: "null"
        }
    }
}

/// The keys of a table (TOML) or object (JSON), in the order they were first written.
package struct ConfigTable: Sendable, Hashable {
    package struct Member: Sendable, Hashable {
        package let key: String
        /// Where the key was first written, in bytes from the start of the text.
        package let keyOffset: Int
        package let node: ConfigNode

        package init(key: String, keyOffset: Int, node: ConfigNode) {
            self.key = key
            self.keyOffset = keyOffset
            self.node = node
        }
    }

    /// No key stands twice.
    package let members: [Member]

    package init(members: [Member]) { self.members = members }

    package subscript(key: String) -> ConfigNode? { member(key)?.node }

    package func member(_ key: String) -> Member? { members.first { $0.key == key } }
}
