// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import OCI

/// JSON as Go's `encoding/json` writes a struct: members in the order they are added, empty ones left out, `<`, `>` and
/// `&` escaped.
///
/// BuildKit's cache keys are digests of such JSON. Writing the same bytes keeps a cache exported by one of the two
/// usable by the other.
struct GoJSON {
    private(set) var text = "{"
    private var isEmpty = true

    /// The object, closed.
    var object: String { text + "}" }

    /// Adds a member whose value is JSON already.
    mutating func add(_ key: String, json: String) {
        if !isEmpty { text += "," }
        isEmpty = false
        text += "\"\(key)\":\(json)"
    }

    /// Adds a text unless it is empty.
    mutating func add(_ key: String, _ value: String) {
        if !value.isEmpty { add(key, json: Self.string(value)) }
    }

    /// Adds a number unless it is zero.
    mutating func add(_ key: String, _ value: some BinaryInteger) {
        if value != 0 { add(key, json: String(value)) }
    }

    /// Adds `true`; `false` is left out.
    mutating func add(_ key: String, _ value: Bool) {
        if value { add(key, json: "true") }
    }

    /// Adds a list unless it is empty.
    mutating func add(_ key: String, _ values: [String]) {
        if !values.isEmpty { add(key, json: Self.array(values.map(Self.string))) }
    }

    /// Adds bytes in base64 unless there are none.
    mutating func add(_ key: String, _ value: Data) {
        if !value.isEmpty { add(key, json: "\"\(value.base64EncodedString())\"") }
    }

    /// A list of values that are JSON already.
    static func array(_ values: [String]) -> String { "[\(values.joined(separator: ","))]" }

    /// A text as Go quotes it.
    static func string(_ text: String) -> String { JSONValue.string(text).encodedText }
}
