// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
package import SystemPackage

/// Keeps other processes from changing the files of a project, as long as it lives.
///
/// Whoever reads `kiln.toml` or `kiln.lock` to write them anew takes it first: two that do so at once would each write
/// what they read, and an entry of the other would be lost. Readers do not need it, since files are replaced whole.
package struct ProjectHold: Sendable {
    private let directory: Directory

    /// Waits until nobody else holds the project.
    ///
    /// Blocks. On a file system without locks nothing is waited for.
    ///
    /// - Parameters:
    ///   - root: The directory of `kiln.toml`, which must exist.
    ///   - onWait: Called once when somebody else holds it.
    package init(_ root: FilePath, onWait: () -> Void) throws {
        directory = try attempt("lock the project \(root)") {
            let directory = try Directory(host: root)
            if try directory.lock(wait: false) { return directory }
            onWait()
            _ = try directory.lock(wait: true)
            return directory
        }
    }
}

extension ProjectDirectory {
    /// The project as it is when nobody else changes its files.
    ///
    /// It stays so as long as the value that is returned lives; otherwise as ``ProjectHold/init(_:onWait:)``.
    ///
    /// - Throws: `notFound` when it is no project any more.
    package func held(onWait: () -> Void) throws -> ProjectDirectory {
        let hold = try ProjectHold(root, onWait: onWait)
        guard var project = try Self.find(from: root, notAbove: root) else {
            throw FrontendStoreError(.notFound, "cannot change the project \(root): its kiln.toml is gone")
        }
        project.hold = hold
        return project
    }
}

/// One way in which a lock differs from what its project says.
package struct LockDifference: Sendable, Hashable, CustomStringConvertible {
    /// `kiln.toml` or `kiln.lock`, whichever has to be looked at.
    package let file: String
    package let line: Int?
    package let message: String

    package var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(message)" }
}
