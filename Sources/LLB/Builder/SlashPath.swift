// SPDX-License-Identifier: Apache-2.0

/// Paths inside trees as text, with the rules of Go's package `path`: BuildKit's operations carry paths that went through
/// them, and a path spelled otherwise is another digest.
public enum SlashPath {
    /// Whether the path begins at the root.
    public static func isAbsolute(_ path: String) -> Bool { path.utf8.first == UInt8(ascii: "/") }

    /// The shortest path with the same meaning: no `.`, no empty components, `..` resolved as far as it goes; `.` for "".
    public static func clean(_ path: String) -> String {
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
