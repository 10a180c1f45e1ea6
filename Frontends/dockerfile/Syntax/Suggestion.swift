// SPDX-License-Identifier: Apache-2.0

/// The word nearest to what was written, if at most two edits lead to it.
///
/// - Parameters:
///   - written: What the user wrote.
///   - words: The valid words.
///   - caseSensitive: When false, case is ignored and the answer takes the case of what was written.
/// - Returns: nil when nothing is near, or when the word is itself among the valid ones.
package func nearestWord(
    to written: String,
    among words: some Sequence<String>,
    caseSensitive: Bool = true
) -> String? {
    let distanceLimit = 3
    let wanted = Array((caseSensitive ? written : written.lowercased()).unicodeScalars)
    // A word this long has no near neighbour worth the time.
    guard wanted.count <= 64 else { return nil }
    var best: (distance: Int, word: String)?
    for word in words {
        let candidate = caseSensitive ? word : word.lowercased()
        let scalars = Array(candidate.unicodeScalars)
        if abs(scalars.count - wanted.count) >= distanceLimit { continue }
        let distance = editDistance(wanted, scalars)
        if distance == 0 { return nil }
        guard distance < distanceLimit else { continue }
        if let current = best, (current.distance, current.word) <= (distance, candidate) {
            continue
        }
        best = (distance, candidate)
    }
    guard let best else { return nil }
    if !caseSensitive, written == written.uppercased(), written != written.lowercased() {
        return best.word.uppercased()
    }
    return best.word
}

private func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
    var previous = Array(0...right.count)
    for (row, scalar) in left.enumerated() {
        var current = [row + 1]
        for (column, other) in right.enumerated() {
            let replaced = previous[column] + (scalar == other ? 0 : 1)
            current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
        }
        previous = current
    }
    return previous[right.count]
}
