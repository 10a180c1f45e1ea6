// SPDX-License-Identifier: Apache-2.0

internal import ProjectFiles

/// Collects the paths of one package and refuses those that cannot stand side by side in every file system.
///
/// `TreeDigest.Lines` refuses what a single path may not hold, and files that are one but for case. This holds what
/// concerns directories: a name is one spelling everywhere, a file is no directory, and nothing lies deeper than
/// ``FrontendLimit/depth``.
struct PackagePaths {
    /// Folders of version control, which belong to no package: what a directory has of them is passed over, an archive
    /// that brings one is refused.
    private static let foreignNames: Set<String> = [".git", ".hg", ".svn"]

    /// Directories by their path in lower case.
    private var directories: [String: String] = [:]
    /// Files in lower case.
    private var files: Set<String> = []

    static func isForeign(_ name: String) -> Bool { foreignNames.contains(name.lowercased()) }

    /// Adds a file or link, with the directories it lies in.
    ///
    /// - Throws: `badPackage`, `tooLarge`.
    mutating func add(_ path: String) throws(FrontendStoreError) {
        let names = path.split(separator: "/", omittingEmptySubsequences: false)
        if let foreign = names.first(where: { Self.isForeign(String($0)) }) {
            throw Self.refusal(path, "\(foreign) belongs to no package")
        }
        guard names.count <= FrontendLimit.depth else {
            throw FrontendStoreError(
                .tooLarge,
                "cannot use the package: \"\(shown(path))\" lies in \(names.count - 1) directories, at most \(FrontendLimit.depth - 1) are allowed"
            )
        }
        guard !path.unicodeScalars.contains("\u{FFFD}") else { throw Self.refusal(path, "its name is not UTF-8") }
        var directory = ""
        for name in names.dropLast() {
            directory += directory.isEmpty ? String(name) : "/" + name
            let folded = directory.lowercased()
            if files.contains(folded) { throw Self.refusal(path, "\"\(shown(directory))\" is a file as well") }
            if let other = directories[folded] {
                // Compared byte by byte: equal strings may be spelt by other scalars.
                guard other.utf8.elementsEqual(directory.utf8) else {
                    throw Self.refusal(
                        path,
                        "the directories \(shown(other)) and \(shown(directory)) differ only in case"
                    )
                }
            } else {
                directories[folded] = directory
            }
        }
        let folded = path.lowercased()
        if let other = directories[folded] { throw Self.refusal(path, "\"\(shown(other))\" is a directory as well") }
        guard files.insert(folded).inserted else {
            throw Self.refusal(path, "it stands twice, or differs from another one only in case")
        }
    }

    /// Checks, by its words alone, that a link stays in the package.
    ///
    /// Links on the way can still lead elsewhere: whether it really stays is known when it is opened.
    static func check(link path: String, to target: String) throws(FrontendStoreError) {
        guard !target.isEmpty, !target.hasPrefix("/"), !target.utf8.contains(0) else {
            throw refusal(path, "the link leads to \"\(shown(target))\", which is not in the package")
        }
        var depth = path.utf8.count { $0 == UInt8(ascii: "/") }
        for name in target.split(separator: "/") where name != "." {
            depth += name == ".." ? -1 : 1
            if depth < 0 {
                throw refusal(path, "the link leads to \"\(shown(target))\", which is not in the package")
            }
        }
    }

    static func refusal(_ path: String, _ reason: String) -> FrontendStoreError {
        FrontendStoreError(.badPackage, "cannot use the package: \"\(shown(path))\": \(reason)")
    }
}
