// SPDX-License-Identifier: Apache-2.0

/// Environment variables in order.
///
/// Setting a variable again moves it to the end, as BuildKit's list does.
public struct EnvironmentList: Hashable, Sendable {
    /// In order; `nil` where one was removed, or moved to the end.
    private var entries: [Entry?] = []
    private var positions: [[UInt8]: Int] = [:]
    /// Size of all assignments, in bytes, each with one for its end.
    public private(set) var byteCount = 0

    private struct Entry: Hashable, Sendable {
        let name: String
        let value: String
        /// `NAME=value`: every step wants it.
        let assignment: String

        init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
            assignment = name + "=" + value
        }

        /// With one for its end.
        var byteCount: Int { assignment.utf8.count + 1 }
    }

    /// A list without variables.
    public init() {}

    /// How many variables there are.
    public var count: Int { positions.count }

    /// Names in order.
    public var names: [String] { entries.compactMap { $0?.name } }

    /// `NAME=value` in order.
    public var assignments: [String] { entries.compactMap { $0?.assignment } }

    private var present: [Entry] { entries.compactMap(\.self) }

    /// The value of a variable.
    ///
    /// Setting one anew moves it to the end; setting `nil` removes it. Either takes constant time, on average.
    public subscript(_ name: String) -> String? {
        get { positions[Array(name.utf8)].flatMap { entries[$0]?.value } }
        set {
            let key = Array(name.utf8)
            if let position = positions[key] {
                byteCount -= entries[position]?.byteCount ?? 0
                if position == entries.count - 1, let newValue {
                    let entry = Entry(name, newValue)
                    entries[position] = entry
                    byteCount += entry.byteCount
                    return
                }
                entries[position] = nil
                positions[key] = nil
            }
            guard let newValue else { return }
            if entries.count > 2 * positions.count + 16 { compact() }
            positions[key] = entries.count
            let entry = Entry(name, newValue)
            byteCount += entry.byteCount
            entries.append(entry)
        }
    }

    private mutating func compact() {
        entries = present
        for (position, entry) in entries.enumerated() {
            if let entry { positions[Array(entry.name.utf8)] = position }
        }
    }

    /// Whether two lists have the same variables in the same order.
    public static func == (left: EnvironmentList, right: EnvironmentList) -> Bool { left.present == right.present }

    /// Hashes what ``==(_:_:)`` compares.
    public func hash(into hasher: inout Hasher) { hasher.combine(present) }
}
