// SPDX-License-Identifier: Apache-2.0

/// A filter on usage records, in containerd's grammar: conditions joined by commas, all of which must hold.
///
/// A condition is a field alone (it is there and not empty), or a field, an operator (`==`, `!=`, `~=` with a regular
/// expression, or `=` as Docker's command line has it) and a value, bare or in double quotes. Fields: `id`, `parents`,
/// `description`, `type`, and the flags `inuse`, `mutable`, `immutable`, `shared`, `private`.
/// Source: containerd, package filters; BuildKit's usage fields.
package struct UsageFilter: Sendable {
    private enum Test: Sendable {
        case present
        case equal(String)
        case notEqual(String)
        /// A pattern that was checked when the filter was read.
        case matches(String)
    }

    private struct Condition: Sendable {
        let field: String
        let test: Test
    }

    private let conditions: [Condition]

    /// Longest filter, in bytes.
    package static let byteLimit = 4096
    private static let fields: Set<String> = [
        "id", "parents", "description", "type", "inuse", "mutable", "immutable", "shared",
        "private",
    ]

    /// - Throws: ``BuildCacheError``, `invalidFilter`.
    package init(_ text: String) throws {
        func invalid(_ reason: String) -> BuildCacheError {
            BuildCacheError(
                .invalidFilter,
                "cannot use the filter \(text.debugDescription): \(reason)"
            )
        }
        guard text.utf8.count <= Self.byteLimit else {
            throw BuildCacheError(
                .invalidFilter,
                "cannot use a filter of \(text.utf8.count) bytes: at most \(Self.byteLimit) are allowed"
            )
        }
        var conditions: [Condition] = []
        var rest = text[...]
        while !rest.isEmpty {
            let field = String(rest.prefix { $0.isLetter })
            rest = rest.dropFirst(field.count)
            guard Self.fields.contains(field) else {
                throw invalid("there is no field \(field.debugDescription)")
            }
            let symbol = ["==", "!=", "~=", "="].first { rest.hasPrefix($0) }
            guard let symbol else {
                guard rest.isEmpty || rest.first == "," else {
                    throw invalid("expected ==, != or ~= behind \(field)")
                }
                conditions.append(Condition(field: field, test: .present))
                rest = rest.dropFirst()
                continue
            }
            rest = rest.dropFirst(symbol.count)
            guard let value = Self.value(&rest) else { throw invalid("a quote is not closed") }
            guard rest.isEmpty || rest.first == "," else {
                throw invalid("expected a comma behind \(value.debugDescription)")
            }
            rest = rest.dropFirst()
            switch symbol {
            case "==", "=": conditions.append(Condition(field: field, test: .equal(value)))
            case "!=": conditions.append(Condition(field: field, test: .notEqual(value)))
            default:
                guard (try? Regex(value)) != nil else {
                    throw invalid("\(value.debugDescription) is no regular expression")
                }
                conditions.append(Condition(field: field, test: .matches(value)))
            }
        }
        self.conditions = conditions
    }

    private static func value(_ rest: inout Substring) -> String? {
        guard rest.first == "\"" else {
            let value = rest.prefix { $0 != "," }
            rest = rest.dropFirst(value.count)
            return String(value)
        }
        rest = rest.dropFirst()
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return value
            case "\\":
                guard let escaped = rest.popFirst() else { return nil }
                value.append(escaped)
            default: value.append(character)
            }
        }
        return nil
    }

    package func matches(_ record: UsageRecord) -> Bool {
        conditions.allSatisfy { condition in
            let value = Self.value(of: condition.field, record)
            switch condition.test {
            case .present: return value != nil
            case .equal(let wanted): return value == wanted
            case .notEqual(let unwanted): return value != unwanted
            case .matches(let pattern):
                guard let value, let regex = try? Regex(pattern) else { return false }
                return value.contains(regex)
            }
        }
    }

    private static func value(of field: String, _ record: UsageRecord) -> String? {
        func flag(_ isSet: Bool) -> String? { isSet ? "" : nil }
        switch field {
        case "id": return record.id
        case "parents":
            return record.parents.isEmpty ? nil : record.parents.joined(separator: ";")
        case "description": return record.description.isEmpty ? nil : record.description
        case "type": return record.kind.rawValue
        case "inuse": return flag(record.isInUse)
        case "mutable": return flag(record.isMutable)
        case "immutable": return flag(!record.isMutable)
        case "shared": return flag(record.isShared)
        case "private": return flag(!record.isShared)
        default: return nil
        }
    }
}

extension [UsageFilter] {
    /// Whether one of the filters matches; no filter matches everything.
    package func match(_ record: UsageRecord) -> Bool {
        isEmpty || contains { $0.matches(record) }
    }
}
