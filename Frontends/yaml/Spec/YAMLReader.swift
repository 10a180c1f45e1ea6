// SPDX-License-Identifier: Apache-2.0

// The C parser inside Yams is used directly. Yams' own composer recurses without a limit of ours, hashes every mapping key
// with all that an alias in it stands for, so that a file of some hundred bytes can keep it busy for years, forgets
// where a node ends, and stops at the first repeated key.
internal import CYaml
package import FrontendKit
internal import FrontendProtocol

/// Reads the one document of a YAML file.
///
/// The subset is the one people use: block and flow collections, all scalar styles, anchors and aliases, merge keys
/// (`<<`). Tags, several documents and keys that are collections are refused.
///
/// - Throws: ``SourceProblems``: what keeps the text from being YAML, or all repeated keys.
package func readYAML(
    _ source: SourceText,
    limits: YAMLLimits = .standard
) throws(SourceProblems) -> YAMLNode? {
    try checkText(source, limits)
    var bytes = source.bytes
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes.removeFirst(3) }
    let events = try YAMLEvents(bytes, source)
    var composer = YAMLComposer(events: events, limits: limits)
    let root = try composer.document()
    guard composer.problems.isEmpty else { throw SourceProblems(composer.problems) }
    return root
}

/// Refuses what cannot be YAML before the parser sees it, in words of our own.
private func checkText(_ source: SourceText, _ limits: YAMLLimits) throws(SourceProblems) {
    func refuse(_ message: String, at offset: Int? = nil, notes: [String] = []) -> SourceProblems {
        var range: TextRange?
        if let offset {
            let before = source.bytes[..<offset]
            let line = before.count { $0 == UInt8(ascii: "\n") } + 1
            let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            range = TextRange(startLine: line, startColumn: offset - start + 1, endColumn: offset - start + 2)
        }
        return SourceProblems([SourceProblem(message, in: source, at: range, notes: notes)])
    }
    guard source.bytes.count <= limits.byteCount else {
        throw refuse("cannot read file: it has \(source.bytes.count) bytes, at most \(limits.byteCount) are allowed")
    }
    if let offset = source.bytes.firstIndex(of: 0) {
        let isUTF16 = source.bytes.starts(with: [0xff, 0xfe]) || source.bytes.starts(with: [0xfe, 0xff])
        throw refuse(
            isUTF16 ? "cannot read file: it is UTF-16, expected UTF-8" : "cannot read file: it holds a NUL byte",
            at: isUTF16 ? nil : offset
        )
    }
    if let offset = firstInvalidUTF8(source.bytes) {
        throw refuse("cannot read file: it is not UTF-8", at: offset)
    }
}

/// The offset of the first byte that is part of no UTF-8 character.
private func firstInvalidUTF8(_ bytes: [UInt8]) -> Int? {
    guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
    var iterator = bytes.makeIterator()
    var decoder = UTF8()
    var offset = 0
    while true {
        switch decoder.decode(&iterator) {
        case .scalarValue(let scalar): offset += UTF8.width(scalar)
        case .emptyInput: return nil
        case .error: return offset
        }
    }
}

/// What the parser tells, one after the other.
enum YAMLEvent {
    case documentStart
    case documentEnd
    case streamEnd
    case alias(String)
    case scalar(String, isPlain: Bool, anchor: String?, tag: String?)
    case sequenceStart(anchor: String?, tag: String?)
    case mappingStart(anchor: String?, tag: String?)
    case collectionEnd
}

/// The parser with the bytes it reads.
@safe final class YAMLEvents {
    let source: SourceText
    private let input: UnsafeMutableBufferPointer<UInt8>
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var columns: ByteColumns

    init(_ bytes: [UInt8], _ source: SourceText) throws(SourceProblems) {
        self.source = source
        columns = ByteColumns(bytes)
        unsafe input = .allocate(capacity: max(bytes.count, 1))
        _ = unsafe input.initialize(from: bytes)
        unsafe parser = .allocate(capacity: 1)
        unsafe parser.initialize(to: yaml_parser_t())
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            throw SourceProblems([SourceProblem("cannot read file: out of memory", in: source)])
        }
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe input.deallocate()
    }

    /// The next event and where it stands.
    func next() throws(SourceProblems) -> (YAMLEvent, Place) {
        while true {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw failure() }
            defer { unsafe yaml_event_delete(&event) }
            let place = unsafe self.place(event.start_mark, event.end_mark)
            switch unsafe event.type {
            case YAML_STREAM_START_EVENT: continue
            case YAML_DOCUMENT_START_EVENT: return (.documentStart, place)
            case YAML_DOCUMENT_END_EVENT: return (.documentEnd, place)
            case YAML_ALIAS_EVENT: return (.alias(unsafe text(event.data.alias.anchor) ?? ""), place)
            case YAML_SCALAR_EVENT:
                let scalar = unsafe event.data.scalar
                let value = unsafe String(
                    decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length),
                    as: UTF8.self
                )
                let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
                return (
                    .scalar(value, isPlain: isPlain, anchor: unsafe text(scalar.anchor), tag: unsafe text(scalar.tag)),
                    place
                )
            case YAML_SEQUENCE_START_EVENT:
                let start = unsafe event.data.sequence_start
                return (.sequenceStart(anchor: unsafe text(start.anchor), tag: unsafe text(start.tag)), place)
            case YAML_MAPPING_START_EVENT:
                let start = unsafe event.data.mapping_start
                return (.mappingStart(anchor: unsafe text(start.anchor), tag: unsafe text(start.tag)), place)
            case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return (.collectionEnd, place)
            default: return (.streamEnd, place)
            }
        }
    }

    private func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        unsafe bytes.map { unsafe String(cString: $0) }
    }

    private func place(_ start: yaml_mark_t, _ end: yaml_mark_t) -> Place {
        let (startLine, startColumn) = columns.position(start)
        let (endLine, endColumn) = columns.position(end)
        return Place(
            source,
            TextRange(startLine: startLine, startColumn: startColumn, endLine: endLine, endColumn: endColumn)
        )
    }

    /// The parser's complaint, in words that say what to do where the usual mistake is known.
    private func failure() -> SourceProblems {
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "unreadable"
        let context = unsafe parser.pointee.context.map { unsafe String(cString: $0) }
        var place = unsafe self.place(parser.pointee.problem_mark, parser.pointee.problem_mark)
        if unsafe parser.pointee.error == YAML_READER_ERROR {
            let offset = unsafe parser.pointee.problem_offset
            let line = source.bytes.prefix(offset).count { $0 == UInt8(ascii: "\n") } + 1
            place = Place(source, TextRange(startLine: line))
        }
        var message = "this is not YAML: \(problem)"
        if let context { message += " \(context)" }
        var notes: [String] = []
        if problem.contains("cannot start any token") {
            let line =
                source.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .dropFirst(place.range.startLine - 1).first ?? []
            if line.prefix(while: { $0 == 0x20 || $0 == 0x09 }).contains(0x09) {
                message = "tabs cannot indent: YAML wants blanks"
            } else {
                notes = ["quote the value: words cannot begin with @, ` or %"]
            }
        } else if problem.contains("mapping values are not allowed") {
            notes = ["quote a value that holds \": \"; a key must begin further left than what belongs to it"]
        } else if problem.contains("Maximum nesting level") {
            message = "lists and mappings stand too deep inside each other"
        }
        return SourceProblems([place.problem(message, notes: notes)])
    }
}

/// Turns the parser's columns, which count characters, into columns that count bytes.
private struct ByteColumns {
    private let bytes: [UInt8]
    private let lineStarts: [Int]
    private let isASCII: Bool
    /// Where the last column was found: marks mostly go forward.
    private var last = (line: -1, character: 0, byte: 0)

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        isASCII = bytes.allSatisfy { $0 < 0x80 }
        lineStarts = [0] + bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    }

    /// Line and column, both from 1.
    mutating func position(_ mark: yaml_mark_t) -> (Int, Int) {
        guard !isASCII, lineStarts.indices.contains(mark.line) else { return (mark.line + 1, mark.column + 1) }
        if last.line != mark.line || last.character > mark.column { last = (mark.line, 0, 0) }
        let start = lineStarts[mark.line]
        while last.character < mark.column, start + last.byte < bytes.count {
            last.byte += 1
            while start + last.byte < bytes.count, bytes[start + last.byte] & 0xc0 == 0x80 { last.byte += 1 }
            last.character += 1
        }
        return (mark.line + 1, last.byte + 1)
    }
}
