// SPDX-License-Identifier: Apache-2.0

/// The word a user probably meant: the nearest one, if at most two edits lead to it, and fewer than it is long.
///
/// Equally near words: the first in byte order, so that the answer does not depend on how `words` are ordered.
public func nearestWord(to written: String, among words: some Sequence<String>) -> String? {
    let wanted = Array(written.lowercased().unicodeScalars)
    // A word this long has no near neighbour worth the time.
    guard wanted.count <= 64 else { return nil }
    let distanceMax = wanted.count <= 3 ? 1 : 2
    var best: (distance: Int, word: String)?
    for word in words where word != written {
        let candidate = Array(word.lowercased().unicodeScalars)
        guard abs(candidate.count - wanted.count) <= distanceMax else { continue }
        let distance = editDistance(wanted, candidate)
        guard distance <= distanceMax else { continue }
        if let best, (best.distance, best.word) <= (distance, word) { continue }
        best = (distance, word)
    }
    return best?.word
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other.
private func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        for column in right.indices {
            let replaced = previous[column] + (left[row] == right[column] ? 0 : 1)
            var cost = min(replaced, previous[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                cost = min(cost, beforePrevious[column - 1] + 1)
            }
            current.append(cost)
        }
        (beforePrevious, previous) = (previous, current)
    }
    return previous[right.count]
}
