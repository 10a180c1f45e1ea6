// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import LinuxSystem
package import SystemPackage

/// A frontend's program on this machine: what is run, and in which surroundings.
package struct FrontendProgram: Sendable {
    /// What is run.
    package enum Content: Sendable, Hashable {
        /// One executable file. A script (`#!`) needs ``Runtime/host``.
        case file(FilePath)
        /// A directory, shown read-only at ``packageMountPoint``.
        ///
        /// The first of `arguments` is a path: relative to the directory, or absolute in the runtime.
        case package(directory: FilePath, arguments: [String])
    }

    /// What the program sees besides itself.
    package enum Runtime: Sendable {
        /// Nothing but the shared libraries an ELF program asks for, where its package lacks them.
        case none
        /// This machine's `/usr`, `/bin`, `/sbin` and `/lib*`, read-only: for scripts.
        case host
        /// Layer directories of a root file system, topmost first; the lowest holds the empty directories of
        /// ``rootMountPoints``.
        case root([Directory])
    }

    /// Where a package is shown; also the working directory then.
    package static let packageMountPoint = "/frontend"
    /// Directories that a ``Runtime/root(_:)`` must hold, as places to mount at.
    package static let rootMountPoints = ["dev", "frontend", "proc", "tmp"]
    /// Memory limits a package may ask for, in bytes.
    package static let memoryByteLimits: ClosedRange<UInt64> = (16 << 20)...(4 << 30)

    /// What messages call it until it has told its own name.
    package let name: String
    /// The version it was chosen by; what the program itself tells must be equal, and `nil` accepts any.
    package var version: String?
    package let content: Content
    package var runtime: Runtime
    /// Whether it came with the engine; its faults are then the engine's.
    package var isBundled: Bool
    /// Names the exact bytes that run: of the file, or of the package's tree; `nil` is not known.
    package var digest: String?
    /// How much memory all its processes may use, in bytes; `nil` is the engine's limit for any frontend.
    package var memoryByteLimit: UInt64?

    package init(
        name: String,
        version: String? = nil,
        content: Content,
        runtime: Runtime = .none,
        isBundled: Bool = false,
        digest: String? = nil,
        memoryByteLimit: UInt64? = nil
    ) {
        self.name = name
        self.version = version
        self.content = content
        self.runtime = runtime
        self.isBundled = isBundled
        self.digest = digest
        self.memoryByteLimit = memoryByteLimit
    }

    /// A single file that its user named: a script gets the host's runtime, an ELF program none.
    ///
    /// Blocks for reading two bytes.
    ///
    /// - Throws: `SystemCallError` when the file cannot be read.
    package init(file path: FilePath) throws {
        let isScript = try Descriptor.open(host: path).isScript
        self.init(
            name: path.lastComponent?.string ?? path.string,
            content: .file(path),
            runtime: isScript ? .host : .none
        )
    }
}

extension FrontendProgram {
    /// Where the running program stands.
    package static var ownDirectory: FilePath? { runningProgram()?.removingLastComponent() }
}

extension Descriptor {
    /// Whether a file begins as a script does.
    var isScript: Bool {
        get throws {
            var start: [UInt8] = [0, 0]
            let count = try unsafe start.withUnsafeMutableBytes { try unsafe read(into: $0, at: 0) }
            return count == 2 && start == Array("#!".utf8)
        }
    }
}
