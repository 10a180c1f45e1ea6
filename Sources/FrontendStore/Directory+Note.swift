// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem

/// Short texts that a store remembers of its trees, a file each.
extension Directory {
    /// Longer notes are not read.
    private static let noteByteLimit = 256

    /// Writes a note, whole or not at all.
    func write(note: String, _ name: String) throws(SystemCallError) {
        let temporary = ".\(name).\(randomToken(count: 8))"
        do throws(SystemCallError) {
            try createFile(temporary, mode: 0o600).write(note.utf8)
            try rename(temporary, to: self, name, replacing: true)
        } catch {
            try? remove(name: temporary)
            throw error
        }
    }

    /// What was noted; `nil` when nothing was, or when it cannot be read.
    func note(_ name: String) -> String? {
        guard let file = try? open(name, flags: O_RDONLY | O_NOFOLLOW, scope: .noSymlinks),
            let bytes = try? file.readToEnd(byteLimit: Self.noteByteLimit)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
