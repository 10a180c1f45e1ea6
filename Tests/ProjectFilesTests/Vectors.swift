// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProjectFiles
import Testing

/// The files of `Protocol/vectors`.
enum Vectors {
    private static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Protocol/vectors")

    /// The entries of a JSON array.
    static func json<Entry: Decodable>(_ path: String, as type: [Entry].Type) throws -> [Entry] {
        try JSONDecoder().decode(type, from: Data(contentsOf: folder.appending(path: path)))
    }

    /// The cases of a TOML file: the keys of each, with those at the top of the file where it has none of its own.
    static func toml(_ path: String) throws -> [Case] {
        let bytes = try Array(Data(contentsOf: folder.appending(path: path)))
        let table = try TOMLReader.parse(bytes, file: path)
        guard case .array(let nodes) = table["case"]?.value else { return [] }
        return nodes.compactMap { node in
            guard case .table(let own) = node.value else { return nil }
            return Case(own: own, shared: table)
        }
    }

    struct Case: CustomTestStringConvertible {
        let own: ConfigTable
        let shared: ConfigTable

        var testDescription: String { string("name") ?? string("text").map { String($0.prefix(60)) } ?? "?" }
        func value(_ key: String) -> ConfigNode.Value? { (own[key] ?? shared[key])?.value }

        func string(_ key: String) -> String? {
            if case .string(let text) = value(key) { text } else { nil }
        }

        func flag(_ key: String) -> Bool { value(key) == .boolean(true) }

        func strings(_ key: String) -> [String]? { value(key).flatMap(Case.strings) }

        func table(_ key: String) -> ConfigTable? {
            if case .table(let table) = value(key) { table } else { nil }
        }

        static func strings(_ value: ConfigNode.Value) -> [String]? {
            guard case .array(let nodes) = value else { return nil }
            return nodes.compactMap { if case .string(let text) = $0.value { text } else { nil } }
        }
    }
}

extension ConfigTable {
    func string(_ key: String) -> String? {
        if case .string(let text) = self[key]?.value { text } else { nil }
    }
}

/// A repeatable source of random numbers.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
