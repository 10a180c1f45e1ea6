// SPDX-License-Identifier: Apache-2.0

/// One value of a message: JSON, plus byte strings.
///
/// A byte string never stands inside the JSON text. It travels as frames of its own behind the message, and the text
/// holds an announcement, `{"blob":3,"size":5120}`, in its place. ``MessageEncoder`` and ``MessageAssembler`` do that
/// exchange, so everything above them sees ``bytes(_:)`` where a byte string belongs.
public enum WireValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// A number without fraction or exponent, within ±(2^53 − 1).
    case integer(Int64)
    /// Any other number; never infinite, never "not a number".
    case number(Double)
    case string(String)
    case array([WireValue])
    case object(WireObject)
    /// A byte string that travels as a blob.
    case bytes([UInt8])

    /// The largest integer every JSON library reads exactly; larger ones are written as decimal strings.
    public static let integerMax: Int64 = 1 << 53 - 1

    /// An integer of any size: a number while JSON can hold it exactly, a decimal string beyond.
    public static func wide(_ value: Int64) -> WireValue {
        (-integerMax...integerMax).contains(value) ? .integer(value) : .string(String(value))
    }

    /// What this value is, as messages about it say.
    public var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .number: "a number with a fraction"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        case .bytes: "a byte string"
        }
    }
}

extension WireValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
    ExpressibleByNilLiteral
{
    /// Takes the elements of a literal.
    public init(stringLiteral value: String) { self = .string(value) }
    /// Takes the elements of a literal.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// Takes the elements of a literal.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Takes the elements of a literal.
    public init(arrayLiteral elements: WireValue...) { self = .array(elements) }
    /// Takes the elements of a literal.
    public init(nilLiteral: ()) { self = .null }
    /// Takes the elements of a literal.
    public init(dictionaryLiteral elements: (String, WireValue)...) {
        self = .object(WireObject(elements))
    }
}

/// The members of a JSON object, in the order they were written.
///
/// Names are told apart by their UTF-8 bytes, as every other language does it: Swift's own string comparison would take
/// "é" and "e" with a combining accent for one name.
public struct WireObject: Sendable, Hashable {
    /// A name with its value.
    public struct Member: Sendable, Hashable {
        /// The member's name.
        public let name: String
        /// The member's value.
        public var value: WireValue

        /// Makes a value of its members.
        public init(_ name: String, _ value: WireValue) {
            self.name = name
            self.value = value
        }
    }

    /// All members; no name stands twice.
    public private(set) var members: [Member] = []

    /// An object without members.
    public init() {}

    /// Takes members in order; of equal names the last wins.
    public init(_ members: [(String, WireValue)]) {
        for (name, value) in members { self[name] = value }
    }

    /// A map of strings, written in the order of its keys' bytes so that equal maps give equal text.
    public init(sorted map: [String: String]) {
        self.init(sorted: map.mapValues { .string($0) })
    }

    /// A map, written in the order of its keys' bytes so that equal maps give equal text.
    public init(sorted map: [String: WireValue]) {
        members = map.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { Member($0.key, $0.value) }
    }

    /// Takes members whose names the caller knows to be distinct.
    init(distinct members: [Member]) { self.members = members }

    /// Whether there are no members.
    public var isEmpty: Bool { members.isEmpty }

    /// The value of a member; assigning `nil` removes it.
    public subscript(name: String) -> WireValue? {
        get { members.first { sameBytes($0.name, name) }?.value }
        set {
            let index = members.firstIndex { sameBytes($0.name, name) }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (nil, let value?): members.append(Member(name, value))
            case (let index?, nil): members.remove(at: index)
            case (nil, nil): break
            }
        }
    }
}

extension WireObject: ExpressibleByDictionaryLiteral {
    /// Takes the elements of a literal.
    public init(dictionaryLiteral elements: (String, WireValue)...) { self.init(elements) }
}

/// Whether two strings have the same UTF-8, without Unicode equivalence.
func sameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
}
