// SPDX-License-Identifier: Apache-2.0

/// One line of an ignore file, or one include or exclude pattern of a source.
package struct Pattern: Sendable {
    /// The cleaned pattern without its `!`.
    package let text: String
    /// Whether it began with `!`: what it matches is *not* matched by the list.
    package let isException: Bool
    /// What every match must begin and end with, for a first look that costs nothing.
    let edges: Edges
    private let kind: Kind

    /// One byte at each end of every match, where that is known.
    struct Edges: Sendable {
        var first: UInt8 = 0
        var last: UInt8 = 0
        var hasFirst = false
        var hasLast = false

        init(first: UInt8?, last: UInt8?) {
            if let first { (self.first, hasFirst) = (first, true) }
            if let last { (self.last, hasLast) = (last, true) }
        }
    }

    /// Most patterns of real ignore files are plain paths; only the rest needs the automaton.
    private enum Kind: Sendable {
        case exact([UInt8])
        /// `dir/**`
        case prefix([UInt8])
        /// `**/name`, or `**name`, which also matches in the middle of a name.
        case suffix([UInt8])
        case glob(Glob)
    }

    init(cleaned text: String, isException: Bool) throws(PathPatternError) {
        self.text = text
        self.isException = isException
        let glob = try Glob(text, dialect: .ignoreFile)
        let bytes = Array(text.utf8)
        kind =
            if !bytes.contains(where: Self.isSpecial) {
                .exact(bytes)
            } else if bytes.ends(with: "**"), !bytes.dropLast(2).contains(where: Self.isSpecial) {
                .prefix(bytes.dropLast(2))
            } else if bytes.starts(with: "**".utf8),
                !bytes.dropFirst(2).contains(where: Self.isSpecial)
            {
                .suffix(Array(bytes.dropFirst(2)))
            } else {
                .glob(glob)
            }
        edges =
            switch kind {
            case .exact(let bytes): Edges(first: bytes.first, last: bytes.last)
            case .prefix(let bytes): Edges(first: bytes.first, last: nil)
            case .suffix(let bytes): Edges(first: nil, last: bytes.last)
            case .glob(let glob): Edges(first: glob.prefix.first, last: glob.suffix.last)
            }
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "]"),
            UInt8(ascii: "\\"):
            true
        default: false
        }
    }

    /// Whether the pattern matches exactly this path, its `!` not considered.
    func matches(_ path: borrowing Span<UInt8>) -> Bool {
        switch kind {
        case .exact(let bytes): path.count == bytes.count && path.starts(with: bytes)
        case .prefix(let bytes): path.starts(with: bytes)
        case .suffix(let bytes): Self.hasSuffix(path, bytes, end: path.count)
        case .glob(let glob): glob.matches(path)
        }
    }

    /// Whether the pattern matches this path or one of its parent directories.
    func matchesPathOrParent(_ path: borrowing Span<UInt8>) -> Bool {
        switch kind {
        case .exact(let bytes):
            return path.starts(with: bytes)
                && (path.count == bytes.count || path[bytes.count] == slash)
        case .prefix(let bytes):
            return path.starts(with: bytes)
        case .suffix(let bytes):
            if Self.hasSuffix(path, bytes, end: path.count) { return true }
            for index in 0..<path.count where path[index] == slash {
                if Self.hasSuffix(path, bytes, end: index) { return true }
            }
            return false
        case .glob(let glob):
            return glob.matches(path, orParent: true)
        }
    }

    /// Whether the pattern could match a path below the directory, or matches the directory itself.
    func couldMatch(below directory: borrowing Span<UInt8>) -> Bool {
        if matchesPathOrParent(directory) { return true }
        switch kind {
        case .exact(let bytes), .prefix(let bytes):
            guard bytes.count > directory.count else { return false }
            for index in 0..<directory.count where directory[index] != bytes[index] { return false }
            return bytes[directory.count] == slash
        case .suffix:
            return true
        case .glob(let glob):
            return glob.couldMatch(below: directory)
        }
    }

    private static func hasSuffix(
        _ path: borrowing Span<UInt8>,
        _ suffix: [UInt8],
        end: Int
    ) -> Bool {
        if path.ends(with: suffix, at: end) { return true }
        guard suffix.first == slash, end == suffix.count - 1 else { return false }
        for index in 0..<end where path[index] != suffix[index + 1] { return false }
        return true
    }
}

extension Array<UInt8> {
    fileprivate func ends(with suffix: String) -> Bool {
        self.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }
}
