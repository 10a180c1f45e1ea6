// SPDX-License-Identifier: Apache-2.0

package import LLB
internal import LLBMessages
internal import OCI

/// A text that holds LLB, by its form.
package enum LLBText: Sendable {
    /// Operations under local names.
    case friendly(FriendlyDocument)
    /// What `buildctl debug dump-llb` prints, or a definition in the JSON of the frontend protocol.
    case definition(Definition)

    /// The forms a text can have.
    package enum Form: Sendable {
        /// A member `operations`.
        case friendly
        /// A member `def`: what frontends hand over, and `frontend.convertllb` gives.
        case wire
        /// A member `Op`: a line an operation.
        case lines
    }

    /// Reads a text in any form.
    ///
    /// - Throws: ``LLBTextError`` with everything that is wrong.
    package init(parsing text: [UInt8], limits: DefinitionLimits = .standard) throws(LLBTextError) {
        guard text.count <= limits.byteCount else {
            throw LLBTextError("the text has \(text.count) bytes, at most \(limits.byteCount) are allowed")
        }
        switch try Self.form(of: text) {
        case .friendly: self = .friendly(try FriendlyDocument(parsing: text, limits: limits))
        case .lines: self = .definition(try DumpLines.read(text, limits: limits))
        case .wire: self = .definition(try Self.wire(text, limits))
        }
    }

    /// Tells the forms apart by the members of the first object.
    ///
    /// - Throws: ``LLBTextError`` when the text begins with no object, or with one that is no LLB.
    package static func form(of text: [UInt8]) throws(LLBTextError) -> Form {
        guard let start = start(of: text, from: 0) else { throw LLBTextError("the text is empty") }
        let reading = Reading(text)
        var parser = LocatedParser(text, at: start)
        do throws(LocatedParser.Failure) {
            let value = try parser.next()
            if value["operations"] != nil { return .friendly }
            if value["def"] != nil { return .wire }
            if value["Op"] != nil { return .lines }
            let names = ["operations", "def", "Op"]
            let near = value.members.lazy.compactMap { member in
                nearest(to: member.name, in: names).map { "; did you mean \"\($0)\" by \"\(member.name.prefix(40))\"?" }
            }
            .first
            reading.report(
                "expected an object with \"operations\", lines of `buildctl debug dump-llb`, or an object with \"def\""
                    + (near ?? ""),
                at: start,
                .top
            )
        } catch {
            reading.report(error.message, at: error.offset, .top)
        }
        try reading.finish()
        return .friendly
    }

    /// Where the first value at or after an offset begins: behind a byte order mark, white space, and lines that begin
    /// with `#` or `//`; `nil` when the text ends before.
    static func start(of text: [UInt8], from offset: Int) -> Int? {
        var index = offset
        if index == 0, text.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        while index < text.count {
            switch text[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            case UInt8(ascii: "#"):
                index = text[index...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
            case UInt8(ascii: "/") where text[index...].starts(with: "//".utf8):
                index = text[index...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
            default: return index
            }
        }
        return nil
    }

    /// A definition in the JSON of the frontend protocol: `def`, `metadata`, `source`.
    private static func wire(_ text: [UInt8], _ limits: DefinitionLimits) throws(LLBTextError) -> Definition {
        let reading = Reading(text)
        let start = start(of: text, from: 0) ?? text.count
        do throws(LocatedParser.Failure) {
            let value = try LocatedParser.document(text, at: start)
            check(Node(value: value, path: .top, reading: reading))
        } catch {
            reading.report(error.message, at: error.offset, .top)
        }
        try reading.finish()
        let json: JSONValue
        do throws(OCIError) {
            json = try JSONValue(parsing: Array(text[start...]))
        } catch {
            throw LLBTextError(error.message)
        }
        do throws(LLBError) {
            return try Definition(json: json, limits: limits)
        } catch {
            throw LLBTextError(error.message)
        }
    }

    /// Reports what is wrong with the operations of a definition in JSON, each by itself.
    private static func check(_ top: Node) {
        top.allow(["def", "metadata", "source", "syntax", "$schema"], in: "a definition")
        let reader = MessageReader(acceptsLongNumbers: true)
        for member in top["def"]?.members("an object of operations") ?? [] where !top.reading.isFull {
            _ = reader.read(member.node, "Op", as: Pb_Op.self)
        }
        for member in top["metadata"]?.members("an object of metadata by operation") ?? [] {
            _ = reader.read(member.node, "OpMetadata", as: Pb_OpMetadata.self)
        }
        if let source = top["source"], !source.isNull { _ = reader.read(source, "Source", as: Pb_Source.self) }
    }
}
