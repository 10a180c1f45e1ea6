// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// A value that a spec leaves to whoever builds it.
package struct Variable: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case string, boolean, integer
    }

    package let name: String
    package let place: Place
    package var kind = Kind.string
    package var summary = ""
    /// What it is when nobody says otherwise; may use other variables.
    ///
    /// `nil` when there is none.
    package var defaultText: String?
    package var defaultPlace: Place?
    /// Whether somebody must say.
    package var isRequired = false
    package var pattern: (text: String, compiled: TextPattern)?
    /// The only values allowed; `nil` for any.
    package var choices: [String]?

    /// Longest value; what is matched and repeated in texts stays small.
    package static let valueByteCountMax = 4096

    /// Why a value cannot be this variable's; `nil` when it can.
    package func refusal(of value: String) -> String? {
        guard value.utf8.count <= Self.valueByteCountMax else {
            return "it has \(value.utf8.count) bytes, at most \(Self.valueByteCountMax) are allowed"
        }
        guard !value.utf8.contains(0) else { return "it holds a NUL byte" }
        switch kind {
        case .string: break
        case .boolean: if value != "true", value != "false" { return "expected true or false" }
        case .integer: if Int64(value) == nil { return "expected a whole number" }
        }
        if let choices, !choices.contains(value) { return "expected one of " + choices.joined(separator: ", ") }
        if let pattern, !pattern.compiled.matches(value) { return "expected something like \(pattern.text)" }
        return nil
    }
}

/// Variables that every spec has without declaring them.
package enum BuiltInVariable {
    package static let names = [
        "build.arch", "build.os", "build.platform", "build.variant", "target.arch", "target.os", "target.platform",
        "target.variant",
    ]

    static func values(target: Platform, build: Platform) -> [String: String] {
        var values: [String: String] = [:]
        for (prefix, platform) in [("target", target.normalized), ("build", build.normalized)] {
            values[prefix + ".os"] = platform.os
            values[prefix + ".arch"] = platform.architecture
            values[prefix + ".variant"] = platform.variant ?? ""
            values[prefix + ".platform"] = platform.identifier
        }
        return values
    }
}
