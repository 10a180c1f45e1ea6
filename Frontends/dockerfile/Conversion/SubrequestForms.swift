// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import OCI

/// Lines of a file as BuildKit's JSON has them: one range a line, and which source when it is not the first.
func locationJSON(_ lines: ClosedRange<Int>, _ files: SourceFiles) -> JSONValue {
    let place = files.locate(lines)
    let ranges = place.lines.map { line in
        let position = JSONValue.object([JSONMember("line", .integer(line))])
        return JSONValue.object([JSONMember("start", position), JSONMember("end", position)])
    }
    let source = place.index == 0 ? [] : [JSONMember("sourceIndex", .integer(place.index))]
    return .object(source + [JSONMember("ranges", .array(ranges))])
}

/// The bytes of all files, in the order locations count them.
func sourcesJSON(_ files: SourceFiles) -> JSONValue {
    .array(files.entries.map { .string(base64Encoded($0.file.data)) })
}

/// Rows with their columns below each other; the last column is not padded.
func aligned(_ rows: [[String]], padding: Int) -> String {
    let columnCount = rows.map(\.count).max() ?? 0
    let widths = (0..<columnCount).map { column in
        (rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0) + padding
    }
    return rows.map { row in
        row.enumerated().map { column, text in
            column == row.count - 1
                ? text : text + String(repeating: " ", count: widths[column] - text.count)
        }.joined() + "\n"
    }.joined()
}

private let base64Digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
)

/// Bytes as base64 with padding.
func base64Encoded(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        var bits: UInt32 = 0
        for index in 0..<3 {
            bits = bits << 8 | (index < group.count ? UInt32(group[start + index]) : 0)
        }
        for index in 0..<4 {
            let digit = base64Digits[Int(bits >> UInt32(18 - 6 * index) & 63)]
            text.append(index <= group.count ? digit : UInt8(ascii: "="))
        }
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes of a base64 text with padding; `nil` for anything else.
func base64Decoded(_ text: String) -> [UInt8]? {
    guard text.utf8.count % 4 == 0 else { return nil }
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var bitCount = 0
    var paddingCount = 0
    for byte in text.utf8 {
        if byte == UInt8(ascii: "=") {
            paddingCount += 1
            continue
        }
        guard paddingCount == 0, let value = base64Digits.firstIndex(of: byte) else { return nil }
        bits = bits << 6 | UInt32(value)
        bitCount += 6
        if bitCount >= 8 {
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
        }
    }
    return paddingCount <= 2 ? bytes : nil
}
