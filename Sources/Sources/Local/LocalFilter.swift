// SPDX-License-Identifier: Apache-2.0

internal import PathPatterns

/// Which files of a directory a source takes.
///
/// Those an include pattern matches (all, when there is none) and no exclude pattern does. A
/// directory that is not taken stays when something below it is.
struct LocalFilter: Sendable {
    /// What is known about a directory when its children are judged.
    struct State: Sendable {
        fileprivate var included: ParentMatches?
        fileprivate var excluded: ParentMatches?
        /// Whether the directory is not taken for itself.
        var isSkipped = false
    }

    private let include: PatternMatcher?
    private let exclude: PatternMatcher?

    /// - Throws: ``SourcesError``, `invalid`, for a malformed pattern.
    init(include: [String], exclude: [String]) throws {
        do {
            self.include = include.isEmpty ? nil : try PatternMatcher(patterns: include)
            self.exclude = exclude.isEmpty ? nil : try PatternMatcher(patterns: exclude)
        } catch {
            throw SourcesError(.invalid, "cannot filter a local source: \(error)", cause: error)
        }
    }

    /// State of the root directory.
    var start: State { State() }

    /// Judges one path below the root.
    ///
    /// - Returns: Whether to keep it, for itself or, a directory, for what may be taken below it;
    ///   and, for a directory, the state to judge its children with.
    func judge(_ path: String, isDirectory: Bool, parent: State) -> (isKept: Bool, state: State) {
        var state = State()
        if let include {
            let verdict = include.matches(path, parent: parent.included)
            state.included = verdict.results
            if !verdict.isMatch {
                guard isDirectory, include.couldMatch(below: path) else { return (false, state) }
                state.isSkipped = true
            }
        }
        if let exclude {
            let verdict = exclude.matches(path, parent: parent.excluded)
            state.excluded = verdict.results
            if verdict.isMatch {
                guard isDirectory, exclude.couldExcept(below: path) else { return (false, state) }
                state.isSkipped = true
            }
        }
        return (true, state)
    }
}
