// SPDX-License-Identifier: Apache-2.0

package import FrontendKit
package import FrontendProtocol

/// One value of a YAML document, with its place in the file.
///
/// Scalars keep the text they were written with: `3.10` is not the number 3.1, and `no` is not false.
package struct YAMLNode: Sendable {
    package indirect enum Content: Sendable {
        /// `isPlain` is true for a scalar without quotes and block marks.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([Entry])
    }

    /// One key of a mapping with its value; no key stands twice.
    package struct Entry: Sendable {
        package let key: String
        package let keyPlace: Place
        package let value: YAMLNode
    }

    package let content: Content
    package let place: Place

    /// Whether it stands for nothing: an empty plain scalar, `~` or `null`.
    package var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// What it is, as messages say.
    package var kindName: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

/// A stretch of one of the files of a spec.
package struct Place: Sendable, Hashable {
    package let source: SourceText
    package let range: TextRange

    package init(_ source: SourceText, _ range: TextRange) {
        self.source = source
        self.range = range
    }

    /// A problem here.
    package func problem(_ message: String, notes: [String] = []) -> SourceProblem {
        SourceProblem(message, in: source, at: range, notes: notes)
    }

    /// `file:line`, to point at from elsewhere.
    package var line: String { "\(source.name):\(range.startLine)" }
}

/// How much YAML is read.
///
/// The limits are far above what people write and keep what a file can cost below a second and some megabytes.
package struct YAMLLimits: Sendable, Hashable {
    /// Bytes of one file.
    package var byteCount = 1 << 20
    /// Sequences and mappings inside each other.
    package var depth = 32
    /// Nodes of one file, what aliases stand for included.
    package var nodeCount = 20_000
    /// Bytes of one scalar.
    package var scalarByteCount = 256 << 10

    package static let standard = YAMLLimits()
}
