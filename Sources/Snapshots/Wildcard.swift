// SPDX-License-Identifier: Apache-2.0

internal import PathPatterns

/// Paths with wildcards, as FileOps write them: Go's `filepath.Match`, one name at a time.
enum Wildcard {
    /// Whether a name or path holds a wildcard; `\` takes the next character as it is.
    static func isPattern(_ text: String) -> Bool {
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                isEscaped = false
                continue
            }
            switch byte {
            case UInt8(ascii: "\\"): isEscaped = true
            case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["): return true
            default: continue
            }
        }
        return false
    }

    /// The beginning of a clean path without wildcards, and the rest from the first name that has one.
    static func split(_ path: String) -> (plain: String, pattern: [String]) {
        let names = TreePath.names(path)
        let first = names.firstIndex(where: isPattern) ?? names.endIndex
        return (names[..<first].joined(separator: "/"), Array(names[first...]))
    }

    /// All paths that match, sorted by bytes within each directory.
    ///
    /// Symlinks are followed in the part before the first wildcard only. A path without wildcards is given back
    /// as it is, whether it exists or not; a malformed pattern matches nothing.
    ///
    /// - Parameter path: Clean.
    /// - Returns: Clean paths without symlinks on the way.
    static func matches(
        _ path: String,
        followLast: Bool,
        resolve: (String, Bool) throws -> String,
        entry: (String) throws -> LayerEntry?,
        children: (String) throws -> [String]
    ) throws -> [String] {
        let (plain, pattern) = split(path)
        if pattern.isEmpty { return [path] }
        var found = [try resolve(plain, followLast)]
        for part in pattern {
            guard let matcher = try? ShellPattern(part) else { return [] }
            var next: [String] = []
            for directory in found where try directory.isEmpty || entry(directory)?.isDirectory == true {
                for name in try children(directory) where matcher.matches(name) {
                    next.append(TreePath.join(directory, name))
                }
            }
            found = next
        }
        return found
    }
}
