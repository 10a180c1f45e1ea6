// SPDX-License-Identifier: Apache-2.0

/// What include and exclude patterns choose of a tree, judged from the top down.
///
/// Chosen is what an include pattern matches (everything, when there is none) and no exclude pattern does. A directory
/// that is not chosen for itself stays on the way to what may be chosen below it.
///
/// Local sources, copies and content digests all ask here, so what a cache key covers is what is copied.
package struct PatternSelection: Sendable {
    /// What is known about a directory when its children are judged.
    package struct Position: Sendable {
        fileprivate var included: ParentMatches?
        fileprivate var excluded: ParentMatches?

        /// The top of the tree.
        package init() {}
    }

    /// What was found about one path.
    package struct Verdict: Sendable {
        package let isChosen: Bool
        /// Whether something below may be chosen; always false for what is no directory.
        package let mayChooseBelow: Bool
        /// For the children of a directory.
        package let position: Position
    }

    private let include: PatternMatcher?
    private let exclude: PatternMatcher?

    /// - Parameters:
    ///   - include: Patterns in the syntax of `.dockerignore`; none = all.
    ///   - exclude: Patterns likewise; they win.
    package init(include: [String], exclude: [String]) throws(PathPatternError) {
        self.include = include.isEmpty ? nil : try PatternMatcher(patterns: include)
        self.exclude = exclude.isEmpty ? nil : try PatternMatcher(patterns: exclude)
    }

    /// Whether only what a pattern names is chosen.
    package var isSelective: Bool { include != nil }

    /// Judges one path below the top.
    package func judge(_ path: String, isDirectory: Bool, below parent: Position) -> Verdict {
        var position = Position()
        var isChosen = true
        var mayChooseBelow = isDirectory
        if let include {
            let match = include.matches(path, parent: parent.included)
            position.included = match.results
            isChosen = match.isMatch
            mayChooseBelow = isDirectory && (match.isMatch || include.couldMatch(below: path))
        }
        if let exclude, isChosen || mayChooseBelow {
            let match = exclude.matches(path, parent: parent.excluded)
            position.excluded = match.results
            if match.isMatch {
                isChosen = false
                mayChooseBelow = mayChooseBelow && exclude.couldExcept(below: path)
            }
        }
        return Verdict(isChosen: isChosen, mayChooseBelow: mayChooseBelow, position: position)
    }
}
