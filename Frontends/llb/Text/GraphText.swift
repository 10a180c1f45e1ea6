// SPDX-License-Identifier: Apache-2.0

package import LLB
internal import LLBMessages
internal import OCI

/// Pictures of a definition.
package enum GraphText {
    /// The graph in Graphviz's language, as `buildctl debug dump-llb --dot` draws it.
    package static func dot(_ definition: Definition) throws(LLBTextError) -> String {
        var text = "digraph {\n"
        var edges = ""
        for operation in definition.operations {
            let message = try DumpLines.message(of: operation)
            let digest = quoted(operation.digest.description)
            let (label, shape) = appearance(message, operation.digest)
            text += "  \(digest) [label=\(quoted(label)) shape=\(quoted(shape))];\n"
            for (index, input) in message.inputs.enumerated() {
                var place = ""
                if case .exec(let exec) = message.op {
                    for mount in exec.mounts where mount.input == Int64(index) && mount.dest != "/" {
                        place = mount.dest
                    }
                }
                edges += "  \(quoted(input.digest)) -> \(digest) [label=\(quoted(place))];\n"
            }
        }
        return text + edges + "}\n"
    }

    private static func appearance(_ message: Pb_Op, _ digest: Digest) -> (label: String, shape: String) {
        switch message.op {
        case .source(let source): (source.identifier, "ellipse")
        case .exec(let exec): (exec.meta.args.joined(separator: " "), "box")
        case .build: ("build", "box3d")
        case .merge: ("merge", "invtriangle")
        case .diff: ("diff", "doublecircle")
        case .file(let file): (file.actions.map(label).joined(separator: ","), "note")
        case .passthrough, nil: (digest.description, "plaintext")
        }
    }

    private static func label(_ action: Pb_FileAction) -> String {
        switch action.action {
        case .copy(let copy): "copy{src=\(copy.src), dest=\(copy.dest)}"
        case .mkfile(let file): "mkfile{path=\(file.path)}"
        case .mkdir(let directory): "mkdir{path=\(directory.path)}"
        case .rm(let removal): "rm{path=\(removal.path)}"
        case .symlink(let link): "symlink{oldpath=\(link.oldpath), newpath=\(link.newpath)}"
        case nil: ""
        }
    }

    /// A text as a string of Graphviz.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16)
                result += "\\x" + (hex.count < 2 ? "0" : "") + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// The graph as a tree of names, the result at the top; an operation that was shown already is named only.
    ///
    ///     tools  apk add --no-cache git
    ///     └─ base  docker-image://docker.io/library/alpine:3.20
    ///
    /// - Throws: When the definition makes no sense.
    package static func tree(_ definition: Definition) throws(LLBTextError) -> String {
        let graph: Graph
        do throws(LLBError) {
            graph = try definition.graph(capabilities: nil)
        } catch {
            throw LLBTextError(error.message)
        }
        guard let result = graph.result else { return "scratch\n" }
        let names = try FriendlyWriter(definition).names
        var text = ""
        var shown: Set<Digest> = []
        // Each with the lines in front of it; goes down without recursion.
        var waiting: [(edge: Edge, lead: String, next: String)] = [(result, "", "")]
        while let (edge, lead, next) = waiting.popLast() {
            guard let vertex = graph[edge.vertex] else { continue }
            let isNew = shown.insert(edge.vertex).inserted
            let name = printable(names[edge.vertex] ?? edge.vertex.description)
            text += lead + name + (edge.index > 0 ? ":\(edge.index)" : "")
            text += isNew ? "  \(printable(vertex.name))\n" : " (above)\n"
            guard isNew else { continue }
            // Deep graphs are not indented without end.
            let margin = next.count > 120 ? "" : next
            for (index, input) in vertex.inputs.enumerated().reversed() {
                let isLast = index == vertex.inputs.count - 1
                waiting.append((input, margin + (isLast ? "└─ " : "├─ "), margin + (isLast ? "   " : "│  ")))
            }
        }
        return text
    }

    /// One line of a text, without what would move a terminal's cursor, cut to a screen's width.
    private static func printable(_ text: String) -> String {
        let line = text.unicodeScalars.map { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) ? " " : Character($0) }
        return line.count > 100 ? String(line.prefix(99)) + "…" : String(line)
    }
}
