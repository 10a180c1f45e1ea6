// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// Where the index of one directory is kept: `index/<name>`, the name made from device, inode and
/// path.
///
/// Readers take it as it stands, writers replace it by rename; of two writers at once the later
/// wins, and what the other learned is learned again.
struct LocalIndexFile {
    private let state: StateDirectory
    private let name: String

    init(state: StateDirectory, directory: FileStatus, path: FilePath) {
        self.state = state
        name = Digest.of("\(directory.device) \(directory.inode) \(path.lexicallyNormalized())").hex
    }

    /// The index, empty when there is none that holds.
    func read() -> LocalIndex {
        guard
            let file = try? state.root.open("index/\(name)", scope: .noSymlinks),
            let bytes = try? file.readToEnd(byteLimit: LocalIndex.fileByteLimit)
        else { return LocalIndex() }
        return LocalIndex(decoding: bytes) ?? LocalIndex()
    }

    /// Replaces the index.
    ///
    /// It is not synced: after a crash of the machine the checksum tells whether the bytes arrived.
    func write(_ index: LocalIndex) throws {
        let temporary = state.nextName("index")
        do {
            let file = try state.temporary.createFile(temporary, mode: 0o600)
            try file.write(index.encoded())
            try state.temporary.rename(
                temporary,
                to: try state.root.directory("index"),
                name,
                replacing: true
            )
        } catch {
            try? state.temporary.remove(name: temporary)
            throw error
        }
    }
}
