// SPDX-License-Identifier: Apache-2.0

// Fixes that write arguments in another form; only where nothing but the form changes.

extension LintFixer {
    /// `key value` becomes `key=value`, in quotes where it has blanks.
    func keyValueFix(_ node: Node) -> LintFix? {
        guard node.arguments.count == 3, node.arguments[2].text.isEmpty else { return nil }
        let key = node.arguments[0]
        let value = node.arguments[1]
        guard key.range.end.line == value.range.start.line, isPlain(key.text) else { return nil }
        let title = "write \(node.keyword.text) \(key.text)=…"
        let gap = SourceRange(start: key.range.end, end: value.range.start)
        var logical = LogicalLine()
        logical.append(Array(value.text.utf8)[...], at: value.range.start)
        let words = NodeParser(line: logical, escape: document.tree.escape).words(logical.whole)
        if words == [logical.whole] { return LintFix(title, [LintFix.Edit(gap, "=")]) }
        guard isPlain(value.text) else { return nil }
        let end = SourceRange(start: value.range.end, end: value.range.end)
        return LintFix(title, [LintFix.Edit(gap, "=\""), LintFix.Edit(end, "\"")])
    }

    /// Whether a text holds no quotes and no escapes.
    private func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0 != "\"" && $0 != "'" && $0 != document.tree.escape }
    }

    /// MAINTAINER becomes the label that replaced it.
    func maintainerFix(_ node: Node) -> LintFix? {
        guard node.flags.isEmpty, let name = node.arguments.first else { return nil }
        var quoted = ""
        for scalar in name.text.unicodeScalars {
            // Variables in MAINTAINER are not replaced, in LABEL they are.
            if scalar == "\"" || scalar == "$" || scalar == document.tree.escape {
                quoted.unicodeScalars.append(document.tree.escape)
            }
            quoted.unicodeScalars.append(scalar)
        }
        let keyword = node.keyword.text == node.keyword.text.lowercased() ? "label" : "LABEL"
        let text = "\(keyword) org.opencontainers.image.authors=\"\(quoted)\""
        return replacing("write it as a label", [(node.range, text)])
    }

    /// A command of plain words becomes a JSON array, where no shell has anything to do.
    ///
    /// Not where the other one of CMD and ENTRYPOINT stands in the stage: with the shell away, what they mean together
    /// changes.
    func jsonFix(_ node: Node, beside keywords: Set<String>) -> LintFix? {
        guard node.name == "CMD" || node.name == "ENTRYPOINT", !node.isJSON, node.flags.isEmpty,
            node.heredocs.isEmpty, let command = node.arguments.first
        else { return nil }
        guard keywords.isDisjoint(with: ["SHELL", node.name == "CMD" ? "ENTRYPOINT" : "CMD"]) else { return nil }
        let words = command.text.split { $0 == " " || $0 == "\t" }.map(String.init)
        guard let program = words.first, words.allSatisfy({ $0.utf8.allSatisfy(Self.isPlainByte) }),
            !program.contains("="), !Self.shellWords.contains(program)
        else { return nil }
        let list = words.map { "\"\($0)\"" }.joined(separator: ", ")
        return replacing("write a JSON array", [(command.range, "[\(list)]")])
    }

    /// Bytes that mean themselves to every shell, and to JSON.
    private static func isPlainByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-_./:=@%+,".utf8.contains(byte)
        }
    }

    /// Words that are a shell's own, for which there is no program, or another one.
    private static let shellWords: Set<String> = [
        ".", ":", "alias", "break", "case", "cd", "command", "continue", "do", "done", "elif", "else", "esac", "eval",
        "exec", "exit", "export", "fi", "for", "function", "getopts", "hash", "if", "in", "jobs", "local", "read",
        "readonly", "return", "set", "shift", "source", "then", "time", "times", "trap", "type", "ulimit", "umask",
        "unalias", "unset", "until", "wait", "while",
    ]
}
