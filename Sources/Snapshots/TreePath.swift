// SPDX-License-Identifier: Apache-2.0

/// Paths inside a tree: `/` between names, none in front; the root is "".
package enum TreePath {
    /// How many symlinks one lookup may follow, as BuildKit.
    package static let symbolicLinkLimit = 255
    /// The longest path in bytes, as Linux.
    package static let byteLimit = 4096
    /// The longest name in bytes, as Linux.
    package static let nameByteLimit = 255

    /// Reads a path as if the root were its current directory: `.`, `..`, double and outer slashes go.
    ///
    /// No symlink is looked at, and `..` at the root stays there.
    package static func clean(_ path: String) -> String {
        let utf8 = path.utf8
        // Nearly all paths are clean already.
        if utf8.first != UInt8(ascii: "/"), utf8.last != UInt8(ascii: "/"), !hasEmptyOrDotName(path) {
            return path
        }
        var names: [String] = []
        for name in self.names(path) {
            switch name {
            case ".": continue
            case "..": _ = names.popLast()
            default: names.append(name)
            }
        }
        return names.joined(separator: "/")
    }

    /// The names between the slashes, without empty ones.
    ///
    /// Cut by bytes: to `String`, a slash before a combining mark is no slash.
    package static func names(_ path: String) -> [String] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    }

    /// A name below a directory.
    package static func join(_ directory: String, _ name: some StringProtocol) -> String {
        directory.isEmpty ? String(name) : "\(directory)/\(name)"
    }

    /// The directory and the last name of a clean path; the root has neither.
    package static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
        return (String(path[..<slash]), String(path[path.utf8.index(after: slash)...]))
    }

    /// The path for messages: absolute, as a build file writes it.
    package static func shown(_ path: String) -> String { "/" + clean(path) }

    /// Whether a name can stand in a directory: 1…255 bytes, no slash, no NUL, not `.` or `..`.
    package static func isName(_ name: String) -> Bool {
        (1...nameByteLimit).contains(name.utf8.count) && name != "." && name != ".."
            && !name.utf8.contains(0) && !name.utf8.contains(UInt8(ascii: "/"))
    }

    /// Whether a name, anywhere in the path, is `.`, `..` or empty; the root has no name.
    private static func hasEmptyOrDotName(_ path: String) -> Bool {
        var length = 0
        var dots = 0
        for byte in path.utf8 {
            if byte == UInt8(ascii: "/") {
                if length == dots, dots <= 2 { return true }
                length = 0
                dots = 0
            } else {
                length += 1
                if byte == UInt8(ascii: ".") { dots += 1 }
            }
        }
        return length > 0 && length == dots && dots <= 2
    }
}

/// A path or name compared byte by byte.
///
/// Swift's `String` takes canonically equivalent texts (`é` written in one or two scalars) for the same; a file system
/// does not.
package struct PathKey: Hashable, Sendable, Comparable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (left: PathKey, right: PathKey) -> Bool {
        left.text.utf8.count == right.text.utf8.count && left.text.utf8.elementsEqual(right.text.utf8)
    }

    package static func < (left: PathKey, right: PathKey) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        let done: Void? = unsafe text.utf8.withContiguousStorageIfAvailable { bytes in
            unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        }
        if done == nil { for byte in text.utf8 { hasher.combine(byte) } }
    }
}

extension Sequence<String> {
    /// Sorted by bytes, as `LC_ALL=C sort`.
    func sortedByBytes() -> [String] {
        sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
