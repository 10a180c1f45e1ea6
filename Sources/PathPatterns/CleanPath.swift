// SPDX-License-Identifier: Apache-2.0

/// Returns the shortest path that means the same by text alone, like Go's `path.Clean`.
///
/// Repeated slashes become one, `.` elements go, `..` takes the element before it with it, and a
/// rooted path never climbs above `/`. The result ends in a slash only if it is `/`; the empty path
/// becomes `.`. Symbolic links are not looked at: this is text only.
package func cleanPath(_ path: String) -> String {
    let bytes = path.utf8
    if bytes.isEmpty { return "." }
    let isRooted = bytes.first == slash
    var kept: [Substring.UTF8View] = []
    /// How many leading `..` are kept; they can be taken back by nothing.
    var climbs = 0
    for element in Substring(path).utf8.split(separator: slash) {
        if element.elementsEqual(".".utf8) { continue }
        guard element.elementsEqual("..".utf8) else {
            kept.append(element)
            continue
        }
        if kept.count > climbs {
            kept.removeLast()
        } else if !isRooted {
            kept.append(element)
            climbs += 1
        }
    }
    var result: [UInt8] = isRooted ? [slash] : []
    result.reserveCapacity(bytes.count)
    for (index, element) in kept.enumerated() {
        if index > 0 { result.append(slash) }
        result.append(contentsOf: element)
    }
    return result.isEmpty ? "." : String(decoding: result, as: UTF8.self)
}

let slash = UInt8(ascii: "/")

/// The text without white space at both ends, by Unicode's `White_Space` property.
func trimmingWhiteSpace(_ text: Substring) -> Substring {
    var scalars = text.unicodeScalars
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    return Substring(scalars)
}
