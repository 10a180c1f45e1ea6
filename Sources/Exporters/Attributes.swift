// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// Reads an exporter's attributes one by one, and knows which are left.
struct Attributes {
    private(set) var rest: [String: String]
    private let type: String

    init(_ request: ExportRequest) {
        rest = request.attributes
        type = request.type
    }

    mutating func text(_ name: String) -> String? { rest.removeValue(forKey: name) }

    /// A truth value as Go reads one; empty text means `whenEmpty`.
    mutating func flag(_ name: String, whenEmpty: Bool = true) throws -> Bool? {
        guard let value = rest.removeValue(forKey: name) else { return nil }
        switch value {
        case "": return whenEmpty
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw invalid(name, value, "true or false")
        }
    }

    mutating func integer(_ name: String) throws -> Int? {
        guard let value = rest.removeValue(forKey: name) else { return nil }
        guard let number = Int(value) else { throw invalid(name, value, "a whole number") }
        return number
    }

    /// SOURCE_DATE_EPOCH as an attribute: outer `nil` without one, inner `nil` when it is empty.
    mutating func epoch() throws -> Int64?? {
        guard let value = rest.removeValue(forKey: "source-date-epoch") else { return .none }
        if value.isEmpty { return .some(nil) }
        guard let seconds = Int64(value) else {
            throw invalid("source-date-epoch", value, "seconds since 1970")
        }
        return .some(seconds)
    }

    /// Removes attributes that count elsewhere or not at all here.
    mutating func ignore(_ names: String...) {
        for name in names { rest[name] = nil }
    }

    /// Refuses what nobody asked for.
    ///
    /// - Parameter known: All names this exporter knows, for the message.
    /// - Throws: ``ExportError``, `invalidAttribute`.
    func finish(known: [String]) throws {
        guard let name = rest.keys.min() else { return }
        throw ExportError(
            .invalidAttribute,
            "cannot export to \(type): unknown attribute \"\(name)\"; known are \(known.joined(separator: ", "))"
        )
    }

    func invalid(_ name: String, _ value: String, _ expected: String) -> ExportError {
        ExportError(
            .invalidAttribute,
            "cannot export to \(type): \(name)=\"\(value)\"; expected \(expected)"
        )
    }
}

extension ExportRequest {
    /// SOURCE_DATE_EPOCH of a platform as the frontend tells it, in seconds.
    func frontendEpoch(_ result: PlatformResult?) throws -> Int64? {
        let keys = (result.map { ["source.date.epoch/\($0.id)"] } ?? []) + ["source.date.epoch"]
        for key in keys {
            guard let value = metadata[key] else { continue }
            if value.isEmpty { return nil }
            guard let seconds = Int64(String(decoding: value, as: UTF8.self)) else {
                throw ExportError(
                    .invalidAttribute,
                    "cannot export: the frontend gave \(key)=\"\(String(decoding: value.prefix(64), as: UTF8.self))\"; "
                        + "expected seconds since 1970"
                )
            }
            return seconds
        }
        return nil
    }
}
