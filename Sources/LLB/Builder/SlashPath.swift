// SPDX-License-Identifier: Apache-2.0

/// Paths inside trees as text, with the rules of Go's package `path`: BuildKit's operations carry paths that went through
/// them, and a path spelled otherwise is another digest.
public enum SlashPath {
    /// Whether the path begins at the root.
    public static func isAbsolute(_ path: String) -> Bool { path.utf8.first == UInt8(ascii: "/") }

    /// The shortest path with the same meaning: no `.`, no empty components, `..` resolved as far as it goes; `.` for "".
    public static func clean(_ path: String) -> String {
        if isClean(path) { return path }
        let rooted = isAbsolute(path)
        var kept: [Substring.UTF8View.SubSequence] = []
        var climbs = 0
        for part in path.utf8.split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual(".".utf8) { continue }
            guard part.elementsEqual("..".utf8) else {
                kept.append(part)
                continue
            }
            if kept.count > climbs {
                kept.removeLast()
            } else if !rooted {
                kept.append(part)
                climbs += 1
            }
        }
        let joined = kept.map { String(Substring($0)) }.joined(separator: "/")
        if rooted { return "/" + joined }
        return joined.isEmpty ? "." : joined
    }

    /// Whether cleaning would change nothing; true of most paths.
    private static func isClean(_ path: String) -> Bool {
        // A component that begins with a dot is looked at closer by who asks.
        var isAtStart = true
        for byte in path.utf8.dropFirst(isAbsolute(path) ? 1 : 0) {
            if isAtStart, byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".") { return false }
            isAtStart = byte == UInt8(ascii: "/")
        }
        return !isAtStart || path.utf8.elementsEqual("/".utf8)
    }

    /// The cleaned concatenation of the parts that are not empty; "" when all are.
    public static func join(_ parts: String...) -> String {
        let filled = parts.filter { !$0.isEmpty }
        return filled.isEmpty ? "" : clean(filled.joined(separator: "/"))
    }

    /// The last component; `.` for "" and `/` for nothing but slashes.
    public static func base(_ path: String) -> String {
        guard !path.isEmpty else { return "." }
        return path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) }
            ?? "/"
    }
}
