// SPDX-License-Identifier: Apache-2.0

/// Everything that is wrong with a text that should be LLB, as far as reading could go on.
package struct LLBTextError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One thing that is wrong, and where.
    package struct Problem: Sendable, Hashable, CustomStringConvertible {
        /// Counted from 1; `nil` when it is about no place.
        package let line: Int?
        /// In Unicode scalars, counted from 1.
        package let column: Int?
        /// Where the value stands in the document: `operations.build.mounts["/src"].from`; empty for all of it.
        package let path: String
        /// One sentence, lower case, without a full stop, of at most 4 KiB; what is longer ends in `…`.
        package let message: String

        init(line: Int?, column: Int?, path: String, message: String) {
            func bounded(_ text: String) -> String {
                text.utf8.count <= 4096 ? text : String(text.unicodeScalars.prefix(1024)) + "…"
            }
            self.line = line
            self.column = column
            self.path = bounded(path)
            self.message = bounded(message)
        }

        /// `3:14: PATH: MESSAGE`, without the parts that are not known.
        package var description: String {
            let place = line.map { line in column.map { "\(line):\($0): " } ?? "\(line): " } ?? ""
            return place + (path.isEmpty ? "" : "\(path): ") + message
        }
    }

    /// More problems than these are not looked for.
    package static let problemLimit = 50

    /// In the order of the text; never empty.
    package let problems: [Problem]

    package init(_ problems: [Problem]) { self.problems = problems }

    /// An error about no place in particular.
    package init(_ message: String) {
        problems = [Problem(line: nil, column: nil, path: "", message: message)]
    }

    package var description: String { problems.map(\.description).joined(separator: "\n") }

    /// One line a problem, each with the name of the file in front.
    package func text(file: String) -> String {
        problems.map { problem in
            problem.line == nil ? "\(file): \(problem)" : "\(file):\(problem)"
        }
        .joined(separator: "\n")
    }
}

/// The word of `choices` that a mistyped one was probably meant to be; `nil` when none is near.
func nearest(to word: String, in choices: some Sequence<String>) -> String? {
    // Names are short where people type them; long ones are not worth the time.
    guard word.utf8.count <= 64 else { return nil }
    let wanted = Array(word.lowercased().utf8)
    let limit = max(1, wanted.count / 3)
    var best: (word: String, distance: Int)?
    for choice in choices {
        let candidate = Array(choice.lowercased().utf8)
        guard abs(candidate.count - wanted.count) <= limit else { continue }
        let distance = editDistance(wanted, candidate)
        if distance <= limit, distance < best?.distance ?? .max { best = (choice, distance) }
    }
    return best?.word
}

/// A suggestion as the end of a sentence: the word that was meant, or all that are allowed when none is near.
func suggestion(for word: String, in choices: some Sequence<String>) -> String {
    if let meant = nearest(to: word, in: choices) { return "; did you mean \"\(meant)\"?" }
    let allowed = choices.sorted().joined(separator: ", ")
    return allowed.isEmpty ? "" : "; allowed are \(allowed)"
}

/// How many characters must be added, left out, changed or swapped with a neighbour.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var before = [Int](repeating: 0, count: right.count + 1)
    var last = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        for column in right.indices {
            var cost = min(current[column] + 1, last[column + 1] + 1)
            cost = min(cost, last[column] + (left[row] == right[column] ? 0 : 1))
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                cost = min(cost, before[column - 1] + 1)
            }
            current.append(cost)
        }
        (before, last) = (last, current)
    }
    return last[right.count]
}
