// SPDX-License-Identifier: Apache-2.0

/// `INCLUDE path`: the instructions of another file stand in its place.
///
/// It is read before all others, so its path holds no variables. See ``Extensions/includesFiles``.
package struct IncludeInstruction: Sendable, Hashable {
    /// As written: relative to the including file, or from the build context's top when it begins with a slash.
    package let path: String

    /// Whether a node is such an instruction.
    package static func matches(_ node: Node) -> Bool { node.name == "INCLUDE" }

    /// Reads the instruction.
    ///
    /// - Throws: `badInclude` when it does not hold one path, which blanks need quotes in.
    package init(_ node: Node) throws(DockerfileError) {
        func refusal(_ reason: String) -> DockerfileError {
            DockerfileError(.badInclude, reason, range: node.range, lines: node.lines)
        }
        var text = trimmingWhiteSpace(node.original)
        text.unicodeScalars.removeFirst(node.keyword.text.unicodeScalars.count)
        text = trimmingWhiteSpace(text)
        let isQuoted = text.utf8.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
        if isQuoted { text = String(text.dropFirst().dropLast()) }
        guard !text.isEmpty else { throw refusal("INCLUDE requires exactly one argument, the path of a file") }
        guard isQuoted || !text.unicodeScalars.contains(where: \.isWhiteSpace) else {
            throw refusal("INCLUDE requires exactly one argument; put a path with blanks in double quotes")
        }
        guard !text.utf8.contains(UInt8(ascii: "$")) else {
            throw refusal("INCLUDE cannot hold a variable: files are included before any variable is set")
        }
        guard text.utf8.count <= Limit.includedPathByteCount else {
            throw refusal("the path of INCLUDE has more than \(Limit.includedPathByteCount) bytes")
        }
        guard !text.utf8.contains(0) else { throw refusal("the path of INCLUDE holds a NUL byte") }
        path = text
    }
}
