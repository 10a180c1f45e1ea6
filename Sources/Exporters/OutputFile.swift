// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import SystemPackage

/// A file of the client that appears whole or not at all: written beside its place under another
/// name, then renamed.
struct OutputFile {
    let file: LinuxSystem.Descriptor
    private let directory: Directory
    private let temporaryName: String
    private let name: String
    private let path: FilePath

    /// Begins a file; its directory must exist, a file of that name is replaced at the end.
    ///
    /// - Throws: ``ExportError``, `unwritable`.
    init(_ path: FilePath) throws {
        guard let name = path.lastComponent?.string, path.lastComponent?.kind == .regular else {
            throw ExportError(.unwritable, "cannot write \(path): it names no file")
        }
        let parent = path.removingLastComponent()
        self.path = path
        self.name = name
        temporaryName = ".\(name.prefix(100)).\(randomToken(count: 8)).tmp"
        (directory, file) = try attempt("write \(path)") { [temporaryName] in
            let directory = try Directory(host: parent.isEmpty ? "." : parent)
            if try directory.statusIfExists(name: name)?.isDirectory == true {
                throw SystemCallError("open", name, .isDirectory)
            }
            return (directory, try directory.createFile(temporaryName, mode: 0o644))
        }
    }

    /// Puts the file in its place.
    func commit() throws {
        do {
            try attempt("write \(path)") {
                try file.sync()
                try directory.rename(temporaryName, to: directory, name, replacing: true)
            }
        } catch {
            discard()
            throw error
        }
    }

    /// Removes what was written.
    func discard() { try? directory.remove(name: temporaryName) }

    /// Writes a destination: a file by rename, anything else (a stream, a FIFO, a device) straight.
    ///
    /// - Parameters:
    ///   - destination: Where the bytes go.
    ///   - body: Writes all bytes; may block.
    /// - Throws: ``ExportError`` for what cannot be written; what the function throws.
    static func write(
        _ destination: ExportRequest.Destination,
        _ body: (LinuxSystem.Descriptor) throws -> Void
    ) throws {
        switch destination {
        case .stream(let stream): try attempt("write the output") { try body(stream) }
        case .path(let path):
            if let special = try openSpecial(path) {
                return try attempt("write \(path)") { try body(special) }
            }
            let output = try OutputFile(path)
            do {
                try attempt("write \(path)") { try body(output.file) }
            } catch {
                output.discard()
                throw error
            }
            try output.commit()
        }
    }

    /// Opens what stands at a path when it is neither file nor directory: it is written to, not
    /// replaced.
    private static func openSpecial(_ path: FilePath) throws -> LinuxSystem.Descriptor? {
        var status = stat()
        let result = unsafe path.withPlatformString { unsafe stat($0, &status) }
        let kind = status.st_mode & S_IFMT
        if result != 0 || kind == S_IFREG || kind == S_IFDIR { return nil }
        return try attempt("write \(path)") {
            try LinuxSystem.Descriptor.open(host: path, flags: O_WRONLY)
        }
    }
}
