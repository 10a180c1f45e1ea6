// SPDX-License-Identifier: Apache-2.0

/// A wildcard of `COPY` and `ADD`: `*`, `?`, `[a-z]`, `[^a]` and `\x`, with the meaning of Go's
/// `filepath.Match`.
///
/// `*` and `?` never match a slash. The whole name must match.
package struct ShellPattern: Sendable {
    private let glob: Glob

    /// - Throws: `malformedPattern` for an unclosed class or a trailing backslash.
    package init(_ pattern: String) throws(PathPatternError) {
        glob = try Glob(pattern, dialect: .shell)
    }

    package func matches(_ name: String) -> Bool {
        glob.matches(name.utf8Span.span)
    }
}

/// Whether the name matches the pattern: Go's `filepath.Match`.
///
/// Compile a ``ShellPattern`` to match many names.
///
/// - Throws: `malformedPattern` for an unclosed class or a trailing backslash, whatever the name.
package func shellMatch(_ pattern: String, _ name: String) throws(PathPatternError) -> Bool {
    try ShellPattern(pattern).matches(name)
}
