// SPDX-License-Identifier: Apache-2.0

/// Environment variables in order.
///
/// Setting a variable again moves it to the end, as BuildKit's list does.
public struct EnvironmentList: Hashable, Sendable {
    private var entries: [Entry] = []
    private var positions: [[UInt8]: Int] = [:]

    private struct Entry: Hashable, Sendable {
        var name: String
        var value: String
    }

    /// A list without variables.
    public init() {}

    /// Names in order.
    public var names: [String] { entries.map(\.name) }

    /// `NAME=value` in order.
    public var assignments: [String] { entries.map { $0.name + "=" + $0.value } }

    /// The value of a variable.
    ///
    /// Setting `nil` removes it.
    public subscript(_ name: String) -> String? {
        get { positions[Array(name.utf8)].map { entries[$0].value } }
        set {
            let key = Array(name.utf8)
            if let position = positions[key] {
                if position == entries.count - 1, let newValue {
                    entries[position].value = newValue
                    return
                }
                entries.remove(at: position)
                positions[key] = nil
                for index in position..<entries.count {
                    positions[Array(entries[index].name.utf8)] = index
                }
            }
            guard let newValue else { return }
            positions[key] = entries.count
            entries.append(Entry(name: name, value: newValue))
        }
    }
}
