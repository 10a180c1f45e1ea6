// SPDX-License-Identifier: Apache-2.0

package import OCI

/// What the unpacked files of a frontend are, whatever they came in: `ft1:` and 64 hexadecimal digits.
///
/// `ft1` is the SHA-256 of one line a file, `mode SP size SP sha256 SP path LF`, ordered by the bytes of the paths. It
/// knows neither times nor owners, so an archive, a directory, a vendored copy and an OCI layer of the same files have the
/// same digest. A gateway image is named by the digest of its manifest instead: `oci:sha256:…`.
package struct TreeDigest: Sendable, Hashable, Comparable, CustomStringConvertible {
    package enum Scheme: String, Sendable, Hashable {
        /// Of the files.
        case files = "ft1"
        /// Of an image's manifest.
        case image = "oci"
    }

    package let scheme: Scheme
    package let digest: Digest

    package init(scheme: Scheme = .files, _ digest: Digest) {
        self.scheme = scheme
        self.digest = digest
    }

    /// Reads `ft1:<64 hex digits>` or `oci:sha256:<64 hex digits>`.
    ///
    /// - Throws: `value`.
    package init(parsing text: String) throws(ProjectError) {
        if text.hasPrefix("ft1:"), let digest = Digest(hex: text.dropFirst(4)) {
            self.init(scheme: .files, digest)
        } else if text.hasPrefix("oci:"), let digest = Digest(text.dropFirst(4)) {
            self.init(scheme: .image, digest)
        } else {
            throw ProjectError(
                .value,
                "\"\(shown(text))\" is no tree digest; expected ft1: and 64 lower-case hexadecimal digits"
            )
        }
    }

    package var description: String {
        switch scheme {
        case .files: "ft1:" + digest.hex
        case .image: "oci:\(digest)"
        }
    }

    package static func < (left: TreeDigest, right: TreeDigest) -> Bool {
        (left.scheme.rawValue, left.digest) < (right.scheme.rawValue, right.digest)
    }
}

extension TreeDigest {
    /// Takes the files of a tree in any order and gives its `ft1` digest.
    ///
    /// Directories are not added: a tree is what its files are. Hard links are files of their own.
    package struct Lines: Sendable {
        /// What a file's mode comes down to.
        package enum Mode: String, Sendable, Hashable {
            case file = "644"
            case executable = "755"
            /// A symbolic link; its content is the text of its target.
            case link

            /// Of a regular file with these permission bits: executable if its owner may execute it.
            package init(permissions: UInt32) { self = permissions & 0o100 != 0 ? .executable : .file }
        }

        /// Trees may have this many files, and paths this many bytes.
        package static let fileLimit = 65_536
        package static let pathByteLimit = 1024

        private var lines: [(path: [UInt8], line: [UInt8])] = []
        private var folded: Set<String> = []

        package init() {}

        /// Adds a file.
        ///
        /// - `sha256`: Of its content; of the target's text for a link.
        /// - `path`: Relative to the root of the tree, `/`-separated.
        ///
        /// - Throws: `value` for a path that cannot be in every file system: absolute, with `.` or `..`, an empty segment,
        ///   a control character, or equal to another one but for case. `limit` for too many files.
        package mutating func add(mode: Mode, size: Int64, sha256: Digest, path: String) throws(ProjectError) {
            guard lines.count < Self.fileLimit else {
                throw ProjectError(.limit, "a frontend has more than \(Self.fileLimit) files")
            }
            try Self.check(path)
            guard folded.insert(path.lowercased()).inserted else {
                throw ProjectError(
                    .value,
                    "path \"\(shown(path))\" stands twice, or differs from another one only in case"
                )
            }
            let line = "\(mode.rawValue) \(max(0, size)) \(sha256.hex) \(path)\n"
            lines.append((Array(path.utf8), Array(line.utf8)))
        }

        /// Adds a symbolic link, which may point anywhere inside the tree.
        package mutating func add(linkTo target: String, path: String) throws(ProjectError) {
            try add(mode: .link, size: Int64(target.utf8.count), sha256: Digest.of(target), path: path)
        }

        /// The digest of all files added so far.
        package func finish() -> TreeDigest {
            var digester = Digester()
            for entry in lines.sorted(by: { $0.path.lexicographicallyPrecedes($1.path) }) {
                digester.update(entry.line)
            }
            return TreeDigest(digester.finish())
        }

        private static func check(_ path: String) throws(ProjectError) {
            func refuse(_ reason: String) -> ProjectError {
                ProjectError(.value, "path \"\(shown(path))\" cannot be in a frontend: \(reason)")
            }
            guard !path.isEmpty else { throw refuse("it is empty") }
            guard path.utf8.count <= pathByteLimit else {
                throw refuse("it has \(path.utf8.count) bytes, at most \(pathByteLimit) are allowed")
            }
            guard path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }) else {
                throw refuse("it holds a control character or a backslash")
            }
            for segment in path.split(separator: "/", omittingEmptySubsequences: false) {
                switch segment {
                case "": throw refuse("it begins or ends with /, or has // inside")
                case ".", "..": throw refuse("it has the segment \(segment)")
                default: continue
                }
            }
        }
    }
}
