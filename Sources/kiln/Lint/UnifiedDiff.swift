// SPDX-License-Identifier: Apache-2.0

/// What differs between two texts, as `diff -u` shows it; empty when nothing does.
///
/// Lines that stand once in each text are what the rest is aligned by, and only short stretches between them are compared
/// line by line. That need not give the least difference, but takes `n log n`, whatever the texts.
func unifiedDiff(_ old: [UInt8], _ new: [UInt8], name: String) -> [UInt8] {
    let alignment = LineAlignment(lines(old), lines(new))
    let hunks = alignment.hunks()
    if hunks.isEmpty { return [] }
    var output = Array("--- \(name)\n+++ \(name)\n".utf8)
    for hunk in hunks { alignment.write(hunk, to: &output) }
    return output
}

/// The lines of a text, each with its line feed.
private func lines(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var start = 0
    for (index, byte) in text.enumerated() where byte == UInt8(ascii: "\n") {
        lines.append(text[start...index])
        start = index + 1
    }
    if start < text.count { lines.append(text[start...]) }
    return lines
}

/// Two texts line by line, and which stretches of them differ.
private struct LineAlignment {
    /// A stretch of the old text, and the one of the new text in its place.
    struct Change {
        var old: Range<Int>
        var new: Range<Int>
    }

    private let old: [ArraySlice<UInt8>]
    private let new: [ArraySlice<UInt8>]
    private var changes: [Change] = []

    private static let depthMax = 16
    /// Stretches whose lengths multiplied are more are not compared line by line.
    private static let comparisonCountMax = 100_000
    /// Lines shown before and after a change.
    private static let contextCount = 3

    init(_ old: [ArraySlice<UInt8>], _ new: [ArraySlice<UInt8>]) {
        self.old = old
        self.new = new
        align(0..<old.count, 0..<new.count, depth: 0)
    }

    private mutating func align(_ oldRange: Range<Int>, _ newRange: Range<Int>, depth: Int) {
        var (left, right) = (oldRange, newRange)
        while let first = left.first, let other = right.first, old[first] == new[other] {
            left = left.dropFirst()
            right = right.dropFirst()
        }
        while let last = left.last, let other = right.last, old[last] == new[other] {
            left = left.dropLast()
            right = right.dropLast()
        }
        if left.isEmpty, right.isEmpty { return }
        var anchors = depth < Self.depthMax ? anchors(left, right) : []
        if anchors.isEmpty, left.count * right.count <= Self.comparisonCountMax { anchors = common(left, right) }
        if left.isEmpty || right.isEmpty || anchors.isEmpty {
            changes.append(Change(old: left, new: right))
            return
        }
        var (start, otherStart) = (left.lowerBound, right.lowerBound)
        for anchor in anchors {
            align(start..<anchor.old, otherStart..<anchor.new, depth: depth + 1)
            (start, otherStart) = (anchor.old + 1, anchor.new + 1)
        }
        align(start..<left.upperBound, otherStart..<right.upperBound, depth: depth + 1)
    }

    /// Lines that stand once in each stretch, the longest row of them that is in order in both.
    private func anchors(_ left: Range<Int>, _ right: Range<Int>) -> [(old: Int, new: Int)] {
        func unique(_ range: Range<Int>, _ text: [ArraySlice<UInt8>]) -> [ArraySlice<UInt8>: Int] {
            var places: [ArraySlice<UInt8>: Int] = [:]
            for index in range { places[text[index]] = places[text[index]] == nil ? index : -1 }
            return places.filter { $0.value >= 0 }
        }
        let others = unique(right, new)
        let pairs = unique(left, old).compactMap { line, index in others[line].map { (old: index, new: $0) } }
            .sorted { $0.old < $1.old }
        // Patience: the ends of the best rows of each length, by their place in the new text.
        var ends: [Int] = []
        var previous = [Int](repeating: -1, count: pairs.count)
        for (index, pair) in pairs.enumerated() {
            var low = 0
            var high = ends.count
            while low < high {
                let middle = (low + high) / 2
                if pairs[ends[middle]].new < pair.new { low = middle + 1 } else { high = middle }
            }
            if low > 0 { previous[index] = ends[low - 1] }
            if low == ends.count { ends.append(index) } else { ends[low] = index }
        }
        var row: [(old: Int, new: Int)] = []
        var next = ends.last ?? -1
        while next >= 0 {
            row.append(pairs[next])
            next = previous[next]
        }
        return row.reversed()
    }

    /// The lines that a shortest row of insertions and removals leaves alone.
    private func common(_ left: Range<Int>, _ right: Range<Int>) -> [(old: Int, new: Int)] {
        let difference = new[right].difference(from: old[left])
        let removed = Set(difference.removals.map { Self.offset($0) })
        let inserted = Set(difference.insertions.map { Self.offset($0) })
        let kept = left.indices.filter { !removed.contains($0 - left.lowerBound) }
        return zip(kept, right.indices.filter { !inserted.contains($0 - right.lowerBound) }).map { ($0, $1) }
    }

    private static func offset(_ change: CollectionDifference<ArraySlice<UInt8>>.Change) -> Int {
        switch change {
        case .insert(let offset, _, _), .remove(let offset, _, _): offset
        }
    }

    /// Changes in groups between which there are more lines than are shown around them.
    func hunks() -> [[Change]] {
        var hunks: [[Change]] = []
        for change in changes {
            if let last = hunks.last?.last, change.old.lowerBound - last.old.upperBound <= 2 * Self.contextCount {
                hunks[hunks.count - 1].append(change)
            } else {
                hunks.append([change])
            }
        }
        return hunks
    }

    func write(_ hunk: [Change], to output: inout [UInt8]) {
        guard let first = hunk.first, let last = hunk.last else { return }
        let before = min(Self.contextCount, first.old.lowerBound)
        let after = min(Self.contextCount, old.count - last.old.upperBound)
        let shown = Change(
            old: first.old.lowerBound - before..<last.old.upperBound + after,
            new: first.new.lowerBound - before..<last.new.upperBound + after
        )
        output += Array("@@ -\(Self.place(shown.old)) +\(Self.place(shown.new)) @@\n".utf8)
        var index = shown.old.lowerBound
        for change in hunk {
            for line in old[index..<change.old.lowerBound] { Self.write(" ", line, to: &output) }
            for line in old[change.old] { Self.write("-", line, to: &output) }
            for line in new[change.new] { Self.write("+", line, to: &output) }
            index = change.old.upperBound
        }
        for line in old[index..<shown.old.upperBound] { Self.write(" ", line, to: &output) }
    }

    private static func place(_ range: Range<Int>) -> String {
        "\(range.isEmpty ? range.lowerBound : range.lowerBound + 1),\(range.count)"
    }

    private static func write(_ mark: String, _ line: ArraySlice<UInt8>, to output: inout [UInt8]) {
        output += Array(mark.utf8)
        output += line
        if line.last != UInt8(ascii: "\n") { output += Array("\n\\ No newline at end of file\n".utf8) }
    }
}
