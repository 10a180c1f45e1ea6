// SPDX-License-Identifier: Apache-2.0

import DockerfileSyntax

/// The notation in which BuildKit's parser prints its tree.
enum TreeDump {
    static func text(of tree: SyntaxTree) -> String {
        trimmed(tree.nodes.map { "(" + text(of: $0) + ")\n" }.joined())
    }

    private static func text(of node: Node) -> String {
        var text = node.keyword.text.lowercased()
        if !node.flags.isEmpty {
            text += " [" + node.flags.map { quoted($0.text) }.joined(separator: " ") + "]"
        }
        if let trigger = node.trigger.first {
            text += " " + trimmed("(" + Self.text(of: trigger) + ")\n")
        }
        for argument in node.arguments { text += " " + quoted(argument.text) }
        if !Instruction.keywords.contains(node.name) { text += " \"\"" }
        return trimmed(text)
    }

    private static func trimmed(_ text: String) -> String {
        var scalars = text.unicodeScalars[...]
        while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
        while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        return String(scalars)
    }

    /// Go's `strconv.Quote`.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{7}": result += "\\a"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{B}": result += "\\v"
            default:
                if isPrintable(scalar) {
                    result.unicodeScalars.append(scalar)
                } else if scalar.value < 0x80 {
                    result += "\\x" + hex(scalar, 2)
                } else {
                    result +=
                        scalar.value < 0x10000 ? "\\u" + hex(scalar, 4) : "\\U" + hex(scalar, 8)
                }
            }
        }
        return result + "\""
    }

    private static func hex(_ scalar: Unicode.Scalar, _ width: Int) -> String {
        let digits = String(scalar.value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == " " { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .spaceSeparator,
            .lineSeparator,
            .paragraphSeparator:
            return false
        default: return true
        }
    }
}
