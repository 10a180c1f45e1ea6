// SPDX-License-Identifier: Apache-2.0

/// A reader of bytes from outside, and what must hold of it whatever the bytes are.
///
/// Not crashing and not hanging is asked of all of them; each entry says what else it asks.
package struct FuzzEntry: Sendable {
    /// The name on the command line, and of the folder of its seeds.
    package let name: String
    /// Words that the format knows, which a fuzzer cannot guess soon.
    package let dictionary: [String]
    private let body: @Sendable ([UInt8]) async throws -> Void

    /// An input up to this size takes less than ``timeLimit``.
    package static let byteLimit = 64 << 10
    package static let timeLimit = Duration.seconds(1)

    init(_ name: String, dictionary: [String], _ body: @escaping @Sendable ([UInt8]) async throws -> Void) {
        self.name = name
        self.dictionary = dictionary
        self.body = body
    }

    /// Gives the bytes to the reader.
    ///
    /// - Throws: ``FuzzFinding`` for a promise that was not kept, or whatever escaped the reader that should not have.
    package func run(_ bytes: [UInt8]) async throws { try await body(bytes) }

    /// The entry of a name.
    package static func named(_ name: String) -> FuzzEntry? { all.first { $0.name == name } }

    /// All entries.
    package static let all: [FuzzEntry] =
        dockerfileEntries + protocolEntries + graphEntries + projectEntries + specEntries + traceEntries
}

/// A promise that was not kept.
package struct FuzzFinding: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Finds fault with what should hold.
func require(_ condition: Bool, _ promise: @autoclosure () -> String) throws(FuzzFinding) {
    if !condition { throw FuzzFinding(promise()) }
}
