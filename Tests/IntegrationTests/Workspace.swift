// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem

/// A folder of its own for one test: it goes away with the object, with all that was written below.
final class Workspace: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "kiln-integration-" + randomToken(count: 10)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The absolute path of a name in the folder.
    func path(_ name: String) -> String { path + "/" + name }

    /// The folder that serves as state directory.
    var state: String { path("state") }

    /// Writes a file, with its parents.
    @discardableResult
    func write(_ name: String, _ bytes: some Sequence<UInt8>, mode: Int = 0o644) throws -> String {
        let file = path(name)
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true
        )
        try Data(bytes).write(to: URL(filePath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }

    /// Writes a text file, with its parents.
    @discardableResult
    func write(_ name: String, _ text: String, mode: Int = 0o644) throws -> String {
        try write(name, text.utf8, mode: mode)
    }

    func read(_ name: String) throws -> String {
        try String(decoding: Data(contentsOf: URL(filePath: path(name))), as: UTF8.self)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(filePath: path(name))))
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    /// Names in a folder, sorted; empty when there is no such folder.
    func names(in name: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path(name))) ?? []).sorted()
    }
}
