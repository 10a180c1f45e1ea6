// SPDX-License-Identifier: Apache-2.0

package import OCI

extension JSONValue {
    /// Text for people to read and edit: two blanks a level; lists and objects that fit stand on one line.
    package func readable(width: Int = 100) -> String {
        var text = ""
        write(into: &text, indent: 0, used: 0, width: width)
        return text + "\n"
    }

    private func write(into text: inout String, indent: Int, used: Int, width: Int) {
        let flat = oneLine
        let margin = String(repeating: "  ", count: indent + 1)
        switch self {
        case .array(let elements) where flat.utf8.count + used > width && !elements.isEmpty:
            text += "[\n"
            for (index, element) in elements.enumerated() {
                text += margin
                element.write(into: &text, indent: indent + 1, used: margin.count + 1, width: width)
                text += index < elements.count - 1 ? ",\n" : "\n"
            }
            text += String(margin.dropLast(2)) + "]"
        case .object(let members) where !members.isEmpty && (indent < 2 && hasParts || flat.utf8.count + used > width):
            text += "{\n"
            for (index, member) in members.enumerated() {
                let name = JSONValue.string(member.name).plain
                text += margin + name + ": "
                member.value.write(
                    into: &text,
                    indent: indent + 1,
                    used: margin.count + name.count + 3,
                    width: width
                )
                text += index < members.count - 1 ? ",\n" : "\n"
            }
            text += String(margin.dropLast(2)) + "}"
        default: text += flat
        }
    }

    /// Whether some member is an object or list itself.
    private var hasParts: Bool {
        members.contains { member in
            switch member.value {
            case .object, .array: true
            default: false
            }
        }
    }

    private var oneLine: String {
        switch self {
        case .array(let elements): "[" + elements.map(\.oneLine).joined(separator: ", ") + "]"
        case .object(let members):
            members.isEmpty
                ? "{}"
                : "{"
                    + members.map { JSONValue.string($0.name).plain + ": " + $0.value.oneLine }.joined(separator: ", ")
                    + "}"
        default: plain
        }
    }

    /// A plain value; `<`, `>` and `&` stand as they are.
    private var plain: String {
        let text = encodedText
        guard text.contains("\\u00") else { return text }
        var result = ""
        var rest = text[...]
        // A backslash that is itself escaped begins no escape.
        while let slash = rest.firstIndex(of: "\\") {
            result += rest[..<slash]
            let escape = rest[slash...].prefix(6)
            switch escape {
            case "\\u003c": result += "<"
            case "\\u003e": result += ">"
            case "\\u0026": result += "&"
            default:
                result += escape.prefix(2)
                rest = rest[slash...].dropFirst(2)
                continue
            }
            rest = rest[slash...].dropFirst(6)
        }
        return result + rest
    }
}
