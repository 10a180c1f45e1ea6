// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import ProjectFiles

/// The files of an unpacked package: those of a platform's folder, with `frontend.toml` at their root.
///
/// Version control folders are passed over. Hashing it, packing it and copying it into the store all give the same tree
/// digest. The directory may change while it is read; whoever copies it looks at the digest of the copy.
struct PackageContents {
    enum Kind {
        case regular(isExecutable: Bool)
        case link(target: String)
    }

    struct File {
        let path: String
        let kind: Kind
    }

    static let manifestName = "frontend.toml"

    private let root: Directory
    /// Bytes of a `frontend.toml` that stands above `root`.
    private let manifest: [UInt8]?
    /// Sorted by the bytes of their paths.
    let files: [File]

    /// Lists a directory.
    ///
    /// - Parameter manifest: Of a folder without a `frontend.toml` of its own; else it must be equal to that.
    /// - Throws: `badPackage`, `tooLarge`.
    init(_ root: Directory, manifest: [UInt8]? = nil) throws {
        self.root = root
        var files: [File] = []
        var paths = PackagePaths()
        try Self.list(root, "", depth: 0, into: &files)
        var hasManifest = false
        for file in files {
            try paths.add(file.path)
            if file.path == Self.manifestName { hasManifest = true }
        }
        if let manifest, hasManifest {
            let own = try attempt("read \(Self.manifestName)") {
                try root.open(Self.manifestName, flags: O_RDONLY | O_NOFOLLOW)
                    .readToEnd(byteLimit: FrontendLimit.manifestByteCount)
            }
            guard own == manifest else {
                throw PackagePaths.refusal(
                    Self.manifestName,
                    "a platform's folder has one that differs from the package's"
                )
            }
        } else if manifest != nil {
            try paths.add(Self.manifestName)
            files.append(File(path: Self.manifestName, kind: .regular(isExecutable: false)))
        }
        self.manifest = hasManifest ? nil : manifest
        self.files = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    private static func list(_ directory: Directory, _ prefix: String, depth: Int, into files: inout [File]) throws {
        guard depth < FrontendLimit.depth else {
            throw FrontendStoreError(
                .tooLarge,
                "cannot use the package: \"\(shown(prefix))\" has more than \(FrontendLimit.depth) directories one in another"
            )
        }
        for entry in try attempt("list \"\(shown(prefix))\"", { try directory.entries() }) {
            if PackagePaths.isForeign(entry.name) { continue }
            let path = prefix.isEmpty ? entry.name : prefix + "/" + entry.name
            if entry.name.unicodeScalars.contains("\u{FFFD}") {
                throw PackagePaths.refusal(path, "its name is not UTF-8")
            }
            let status = try attempt("read \"\(shown(path))\"") { try directory.status(name: entry.name) }
            switch status.kind {
            case .regular:
                files.append(File(path: path, kind: .regular(isExecutable: status.permissions & 0o100 != 0)))
            case .symbolicLink:
                let target = try attempt("read \"\(shown(path))\"") { try directory.readLink(name: entry.name) }
                files.append(File(path: path, kind: .link(target: target)))
            case .directory:
                let child = try attempt("read \"\(shown(path))\"") {
                    try directory.directory(entry.name, scope: .noSymlinks)
                }
                try list(child, path, depth: depth + 1, into: &files)
            case .characterDevice, .blockDevice: throw PackagePaths.refusal(path, "a package holds no devices")
            case .fifo, .socket: throw PackagePaths.refusal(path, "a package holds no pipes or sockets")
            }
            guard files.count <= FrontendLimit.fileCount else {
                throw FrontendStoreError(
                    .tooLarge,
                    "cannot use the package: it has more than \(FrontendLimit.fileCount) files"
                )
            }
        }
    }

    /// The tree digest of the files as they are.
    ///
    /// - Throws: as the same files would be refused in the store.
    func digest() throws -> TreeDigest {
        var lines = TreeDigest.Lines()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { unsafe buffer.deallocate() }
        for file in files {
            do {
                switch file.kind {
                case .link(let target):
                    try PackagePaths.check(link: file.path, to: target)
                    try LinkCheck.require(file.path, stays: root)
                    try lines.add(linkTo: target, path: file.path)
                case .regular(let isExecutable):
                    let source = try Source(self, file.path)
                    var digester = Digester()
                    var size: Int64 = 0
                    while true {
                        let count = try unsafe source.read(into: buffer)
                        if count == 0 { break }
                        unsafe digester.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                        size += Int64(count)
                    }
                    let sha256 = digester.finish()
                    try lines.add(mode: isExecutable ? .executable : .file, size: size, sha256: sha256, path: file.path)
                }
            } catch let error as ProjectError {
                throw PackagePaths.refusal(file.path, error.message)
            }
        }
        return lines.finish()
    }

    /// Copies the files.
    func copy(into builder: inout TreeBuilder) throws {
        for file in files {
            switch file.kind {
            case .link(let target): try builder.addLink(file.path, to: target)
            case .regular(let isExecutable):
                let source = try Source(self, file.path)
                try unsafe builder.addFile(file.path, isExecutable: isExecutable) { try unsafe source.read(into: $0) }
            }
        }
    }

    /// Writes the files as a tar archive whose bytes depend on paths, modes and contents alone.
    func write(to archive: inout TarWriter) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { unsafe buffer.deallocate() }
        for file in files {
            switch file.kind {
            case .link(let target):
                try archive.begin(TarEntry(path: file.path, kind: .symbolicLink(target: target), mode: 0o777))
            case .regular(let isExecutable):
                let source = try Source(self, file.path)
                var entry = TarEntry(path: file.path, kind: .regular, mode: isExecutable ? 0o755 : 0o644)
                entry.size = source.size
                try archive.begin(entry)
                while true {
                    let count = try unsafe source.read(into: buffer)
                    if count == 0 { break }
                    try unsafe archive.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                }
            }
        }
    }

    /// The bytes of one file, from its beginning.
    private final class Source {
        private let file: LinuxSystem.Descriptor?
        private var rest: ArraySlice<UInt8> = []
        /// In bytes, when it was opened.
        let size: Int64

        init(_ contents: PackageContents, _ path: String) throws {
            if path == PackageContents.manifestName, let manifest = contents.manifest {
                file = nil
                rest = manifest[...]
                size = Int64(manifest.count)
                return
            }
            let file = try attempt("read \"\(shown(path))\"") {
                try contents.root.open(path, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK, scope: .noSymlinks)
            }
            let status = try attempt("read \"\(shown(path))\"") { try file.status() }
            guard status.isRegular else { throw PackagePaths.refusal(path, "it is no file any more") }
            self.file = file
            size = Int64(clamping: status.size)
        }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            if let file { return try unsafe file.read(into: buffer) }
            let count = min(buffer.count, rest.count)
            unsafe buffer.copyBytes(from: rest.prefix(count))
            rest = rest.dropFirst(count)
            return count
        }
    }
}
