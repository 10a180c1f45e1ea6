// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import PathPatterns
internal import SystemPackage

/// Turns paths to follow into include patterns: each path, the symlinks on the way to it, and what
/// they lead to.
///
/// Symlinks are read as if the directory were `/`. A path may hold wildcards in any element; a
/// wildcard stands as a pattern, and the symlinks it matches are followed. What does not exist
/// stays as it is written and will match nothing.
struct FollowPaths {
    /// Most patterns the paths may lead to; symlinks of a hostile directory could multiply without
    /// end.
    static let resultLimit = 100_000

    let root: Directory
    private var resolved: Set<String> = []

    init(root: Directory) { self.root = root }

    /// - Returns: Sorted include patterns without those another one covers; `nil` when a path leads
    ///   to the root, so that everything is taken.
    static func resolve(_ paths: [String], in root: Directory) throws -> [String]? {
        var resolver = FollowPaths(root: root)
        for path in paths { try resolver.follow(path) }
        return withoutCovered(
            resolver.resolved.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        )
    }

    /// Drops patterns below one that stands before them.
    ///
    /// - Returns: `nil` when one of them is the root.
    static func withoutCovered(_ sorted: [String]) -> [String]? {
        var kept: [String] = []
        for pattern in sorted {
            if pattern == "." || pattern.isEmpty { return nil }
            if let last = kept.last, pattern.utf8.starts(with: (last + "/").utf8) { continue }
            kept.append(pattern)
        }
        return kept
    }

    private mutating func follow(_ first: String) throws {
        var waiting = [first]
        while let path = waiting.popLast() {
            var rest = relative(path).split(separator: "/")[...]
            var current = ""
            while true {
                let element = rest.popFirst().map(String.init) ?? "."
                current = current.isEmpty ? element : current + "/" + element
                let targets = try linkTargets(of: current)
                if !targets.isEmpty || rest.isEmpty {
                    guard resolved.insert(current).inserted else { break }
                    if resolved.count > Self.resultLimit {
                        throw SourcesError(
                            .invalid,
                            "cannot follow \"\(first)\": it leads to more than \(Self.resultLimit) paths"
                        )
                    }
                    for target in targets {
                        waiting.append(([target] + rest.map(String.init)).joined(separator: "/"))
                    }
                    break
                }
            }
        }
    }

    /// Where the symlinks lead that a path, whose last element may hold wildcards, names; relative
    /// to the root.
    private func linkTargets(of path: String) throws -> [String] {
        let split = path.lastIndex(of: "/")
        let parent = split.map { String(path[..<$0]) } ?? ""
        let name = split.map { String(path[path.index(after: $0)...]) } ?? path
        if name == "." { return [] }
        guard let directory = try openIfExists(parent) else { return [] }
        if !hasWildcards(name) {
            guard let target = try linkTarget(of: name, in: directory, parent: parent) else {
                return []
            }
            return [target]
        }
        guard let pattern = try? ShellPattern(name) else { return [] }
        var targets: [String] = []
        for entry in try directory.entries() where pattern.matches(entry.name) {
            if let target = try linkTarget(of: entry.name, in: directory, parent: parent) {
                targets.append(target)
            }
        }
        return targets
    }

    private func openIfExists(_ path: String) throws -> Directory? {
        do {
            return try root.directory(path, scope: .noSymlinks)
        } catch  where error.isGone {
            return nil
        }
    }

    private func linkTarget(
        of name: String,
        in directory: Directory,
        parent: String
    ) throws -> String? {
        do {
            guard try directory.statusIfExists(name: name)?.isSymbolicLink == true else {
                return nil
            }
            let target = try directory.readLink(name: name)
            return relative(target.hasPrefix("/") ? target : parent + "/" + target)
        } catch  where error.isGone {
            return nil
        }
    }

    /// The path read as if the directory were `/`, without a leading slash; "." for the root.
    private func relative(_ path: String) -> String {
        let clean = cleanPath("/" + path).dropFirst()
        return clean.isEmpty ? "." : String(clean)
    }

    private func hasWildcards(_ name: String) -> Bool {
        var isEscaped = false
        for byte in name.utf8 {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?")
                || byte == UInt8(ascii: "[")
            {
                return true
            }
        }
        return false
    }
}
