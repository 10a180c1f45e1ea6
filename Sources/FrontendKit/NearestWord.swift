// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

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
        let distance = editDistance(wanted, candidate, countsSwaps: true)
        guard distance <= distanceMax else { continue }
        if let best, (best.distance, best.word) <= (distance, word) { continue }
        best = (distance, word)
    }
    return best?.word
}
