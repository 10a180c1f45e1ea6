// SPDX-License-Identifier: Apache-2.0

package import LLB
internal import LLBMessages
internal import OCI

/// The lines `buildctl debug dump-llb` prints: an operation a line, with its digest and what is said beside it.
///
///     {"Op":{"inputs":[…],"Op":{"exec":{…}}},"Digest":"sha256:…","OpMetadata":{…}}
///
/// The lines are BuildKit's byte for byte but for symlinks, which BuildKit leaves out and here are kept. They hold no
/// lines of build files.
package enum DumpLines {
    /// The lines of a definition, each ended; an operation that stands there twice has one line.
    ///
    /// - Throws: When an operation's bytes are none.
    package static func text(_ definition: Definition) throws(LLBTextError) -> String {
        var bytes: [UInt8] = []
        var written: Set<Digest> = []
        let lastIndex = definition.operations.count - 1
        for (index, operation) in definition.operations.enumerated() {
            // The last one says what the result is, wherever else it stands.
            if index < lastIndex, operation.digest == definition.operations[lastIndex].digest { continue }
            guard written.insert(operation.digest).inserted else { continue }
            let message = try message(of: operation)
            let json = JSONValue.object([
                JSONMember("Op", GoForm.nested(operation: try GoForm.json(message, nests: true))),
                JSONMember("Digest", .string(operation.digest.description)),
                JSONMember(
                    "OpMetadata",
                    GoForm.sortingMaps(
                        try GoForm.json(definition.metadata[operation.digest] ?? Pb_OpMetadata(), nests: true),
                        ["description", "caps"]
                    )
                ),
            ])
            json.write(into: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The operation behind its bytes.
    static func message(of operation: Definition.Operation) throws(LLBTextError) -> Pb_Op {
        do throws(LLBError) {
            return try Pb_Op(operationBytes: operation.bytes, digest: operation.digest)
        } catch {
            throw LLBTextError("\(error)")
        }
    }

    /// Reads lines.
    ///
    /// Digests serve as names only: operations get the digests of their canonical bytes. Empty lines and lines that
    /// begin with `#` or `//` are passed over.
    package static func read(_ text: [UInt8], limits: DefinitionLimits = .standard) throws(LLBTextError) -> Definition {
        let reading = Reading(text)
        var assembly = Assembly(reading, limits: limits)
        var parser = LocatedParser(text)
        while !assembly.isFull, let start = LLBText.start(of: text, from: parser.index) {
            parser = LocatedParser(text, at: start)
            do {
                let value = try parser.next()
                let node = Node(
                    value: value,
                    path: .element(.top, assembly.count),
                    reading: reading
                )
                add(node, to: &assembly)
            } catch {
                reading.report(error.message, at: error.offset, .element(.top, assembly.count))
                break
            }
        }
        try reading.finish()
        return try assembly.definition()
    }

    private static func add(_ node: Node, to assembly: inout Assembly) {
        guard node.members("an object with Op, Digest and OpMetadata") != nil else { return }
        node.allow(["Op", "Digest", "OpMetadata"], in: "a line")
        let reader = MessageReader(acceptsLongNumbers: true)
        guard let digestNode = node["Digest"], let name = digestNode.string() else {
            node.report("member \"Digest\" is missing")
            return
        }
        if Digest(name) == nil {
            digestNode.report("\"\(name.prefix(80))\" is no digest: expected sha256: and 64 hexadecimal digits")
        }
        guard let operationNode = node["Op"] else {
            node.report("member \"Op\" is missing")
            return
        }
        guard let message: Pb_Op = reader.read(operationNode, "Op") else { return }
        var metadata = Pb_OpMetadata()
        if let given = node["OpMetadata"], !given.isNull {
            metadata = reader.read(given, "OpMetadata") ?? metadata
        }
        assembly.add(
            Assembly.Entry(
                name: name,
                node: operationNode,
                inputs: message.inputs.map { Assembly.Input(name: $0.digest, index: $0.index) },
                message: message,
                metadata: metadata
            )
        )
    }
}
