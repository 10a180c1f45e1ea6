// SPDX-License-Identifier: Apache-2.0

extension Wire {
    /// Reads a part of a file in a ref.
    ///
    /// Paths are read inside the tree, as in a chroot.
    package struct ReadFile: WireRequest {
        package static let method = Method.readFile

        /// `nil` is the empty tree.
        package var ref: String?
        package var path: String
        /// Where to begin, in bytes.
        package var offset: Int64
        /// How many bytes at most; `nil` reads to the end, as far as the session's limits go.
        package var length: Int64?

        package init(ref: String?, path: String, offset: Int64 = 0, length: Int64? = nil) {
            self.ref = ref
            self.path = path
            self.offset = offset
            self.length = length
        }

        package init(members: MemberReader) throws(MemberError) {
            ref = try members.nullableString("ref")
            path = try members.treePath("path")
            offset = try members.optionalInteger("offset") ?? 0
            length = try members.optionalInteger("length")
            guard offset >= 0 else { throw members.invalid("offset", "is negative") }
            guard length ?? 0 >= 0 else { throw members.invalid("length", "is negative") }
        }

        package var members: WireObject {
            var members: WireObject = [
                "ref": ref.map { .string($0) } ?? .null, "path": .string(path),
                "offset": .wide(offset),
            ]
            members["length"] = length.map { .wide($0) }
            return members
        }

        /// Bytes of a file.
        package struct Answer: WireRepresentable {
            package var data: [UInt8]
            /// Whether the file ends where these bytes end.
            package var isEnd: Bool

            package init(data: [UInt8], isEnd: Bool) {
                self.data = data
                self.isEnd = isEnd
            }

            package init(members: MemberReader) throws(MemberError) {
                data = try members.bytes("data")
                isEnd = try members.bool("eof")
            }

            package var members: WireObject { ["data": .bytes(data), "eof": .bool(isEnd)] }
        }
    }

    /// Lists one directory of a ref.
    package struct ReadDirectory: WireRequest {
        package static let method = Method.readDir

        /// `nil` is the empty tree.
        package var ref: String?
        package var path: String
        /// A shell pattern the names must match.
        package var pattern: String?

        package init(ref: String?, path: String, pattern: String? = nil) {
            self.ref = ref
            self.path = path
            self.pattern = pattern
        }

        package init(members: MemberReader) throws(MemberError) {
            ref = try members.nullableString("ref")
            path = try members.treePath("path")
            pattern = try members.optionalString("pattern")
        }

        package var members: WireObject {
            var members: WireObject = [
                "ref": ref.map { .string($0) } ?? .null, "path": .string(path),
            ]
            members["pattern"] = pattern.map { .string($0) }
            return members
        }

        /// The entries, ordered by the bytes of their names.
        package struct Answer: WireRepresentable {
            package var entries: [FileInfo]

            package init(entries: [FileInfo]) { self.entries = entries }

            package init(members: MemberReader) throws(MemberError) {
                entries = []
                for reader in try members.objects("entries") {
                    entries.append(try FileInfo(members: reader))
                }
            }

            package var members: WireObject {
                ["entries": .array(entries.map { .object($0.members) })]
            }
        }
    }

    /// Facts about one file of a ref.
    package struct Stat: WireRequest {
        package typealias Answer = FileInfo
        package static let method = Method.stat

        /// `nil` is the empty tree.
        package var ref: String?
        package var path: String
        /// Whether a symlink at the end of the path is followed.
        package var followSymlinks: Bool

        package init(ref: String?, path: String, followSymlinks: Bool = false) {
            self.ref = ref
            self.path = path
            self.followSymlinks = followSymlinks
        }

        package init(members: MemberReader) throws(MemberError) {
            ref = try members.nullableString("ref")
            path = try members.treePath("path")
            followSymlinks = try members.optionalBool("follow") ?? false
        }

        package var members: WireObject {
            [
                "ref": ref.map { .string($0) } ?? .null, "path": .string(path),
                "follow": .bool(followSymlinks),
            ]
        }
    }
}

/// What a frontend learns about a file.
public struct FileInfo: WireRepresentable {
    /// What a path names.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case file, directory, symlink, device, fifo, socket
    }

    /// The last component of its path; `/` for the root.
    public var name: String
    /// What the path names.
    public var kind: Kind
    /// Permission bits with set-uid, set-gid and sticky.
    public var mode: UInt32
    /// The owner's number.
    public var uid: UInt32
    /// The group's number.
    public var gid: UInt32
    /// In bytes; 0 for what is no regular file.
    public var size: Int64
    /// Last change of the content, in nanoseconds since 1970.
    public var modified: Int64
    /// Where a symlink points, as it is written.
    public var linkTarget: String?

    /// Makes a value of its members.
    public init(
        name: String,
        kind: Kind,
        mode: UInt32,
        uid: UInt32 = 0,
        gid: UInt32 = 0,
        size: Int64 = 0,
        modified: Int64 = 0,
        linkTarget: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.modified = modified
        self.linkTarget = linkTarget
    }

    package init(members: MemberReader) throws(MemberError) {
        func number(_ name: String) throws(MemberError) -> UInt32 {
            guard let value = UInt32(exactly: try members.integer(name)) else {
                throw members.invalid(name, "is out of range")
            }
            return value
        }
        name = try members.string("name")
        guard let kind = try members.word("kind", Kind.self) else {
            throw MemberError(path: members.path, member: "kind", problem: nil)
        }
        self.kind = kind
        mode = try number("mode")
        uid = try number("uid")
        gid = try number("gid")
        size = try members.integer("size")
        modified = try members.integer("modified")
        linkTarget = try members.optionalString("target")
    }

    package var members: WireObject {
        var members: WireObject = [
            "name": .string(name), "kind": .string(kind.rawValue), "mode": .integer(Int64(mode)),
            "uid": .integer(Int64(uid)), "gid": .integer(Int64(gid)), "size": .wide(size),
            "modified": .string(String(modified)),
        ]
        members["target"] = linkTarget.map { .string($0) }
        return members
    }
}

extension MemberReader {
    /// How long a path in a tree may be, in bytes: the kernel's own limit.
    static let pathMax = 4096

    /// A path in a tree: `/`-separated, without NUL; `""` is the root.
    func treePath(_ name: String) throws(MemberError) -> String {
        let path = try string(name)
        guard path.utf8.count < Self.pathMax else {
            throw invalid(name, "has \(path.utf8.count) bytes; the limit is \(Self.pathMax - 1)")
        }
        guard !path.utf8.contains(0) else { throw invalid(name, "holds a NUL byte") }
        return path
    }
}
