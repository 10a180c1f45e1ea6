// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
package import Sandbox
internal import SystemPackage

extension FrontendProgram {
    /// Why a program cannot be put into a sandbox; the text follows "cannot be started: ".
    struct Unfit: Error, CustomStringConvertible {
        let description: String
    }

    /// Directories of the host that ``Runtime/host`` shows, where they exist, and the files the loader and Debian's
    /// alternatives need.
    private static let hostPaths = [
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives", "/etc/ld.so.cache",
    ]

    /// Helps frontends to be deterministic; nothing of the engine's own environment is passed on.
    private static let environment = [
        "HOME=/nonexistent", "LC_ALL=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONHASHSEED=0",
        "SWIFT_DETERMINISTIC_HASHING=1", "TZ=UTC",
    ]

    /// The sandbox of this program.
    ///
    /// Everything of the host is opened here, before the start: what was looked at is what runs. Blocks.
    package func sandboxSpec() throws -> SandboxSpec {
        var spec = try contentSpec()
        switch runtime {
        case .none: break
        case .host: spec.mounts += try Self.hostMounts()
        case .root(let layers):
            spec.root = .overlay(lower: layers.map(\.descriptor), upper: nil, work: nil)
        }
        if let limit = memoryByteLimit {
            spec.resourceLimits.memoryBytes = min(
                max(limit, Self.memoryByteLimits.lowerBound),
                Self.memoryByteLimits.upperBound
            )
        }
        spec.environment = Self.environment
        return spec
    }

    private func contentSpec() throws -> SandboxSpec {
        switch content {
        case .file(let path):
            let file = try Descriptor.open(host: path)
            guard try file.isScript else {
                let libraries = try SharedLibraries(of: file, at: path).mounts
                return .frontend(executable: file, arguments: [name], libraries: libraries)
            }
            guard case .host = runtime else { throw Unfit(description: Self.scriptWithoutRuntime(path.string)) }
            // Not its directory: what else stands there is not the frontend's to read.
            let target = Self.packageMountPoint + "/" + (path.lastComponent?.string ?? "frontend")
            var spec = SandboxSpec.frontend(executable: nil, arguments: [target])
            spec.mounts.append(Self.readOnly(file, at: target))
            spec.workingDirectory = Self.packageMountPoint
            return spec
        case .package(let path, let arguments):
            return try packageSpec(path, arguments)
        }
    }

    private func packageSpec(_ path: FilePath, _ arguments: [String]) throws -> SandboxSpec {
        let directory = try Directory(host: path)
        guard let program = arguments.first, !program.isEmpty else {
            throw Unfit(description: "its manifest names no program to run")
        }
        let isOwn = !program.hasPrefix("/")
        let shown = isOwn ? Self.packageMountPoint + "/" + program : program
        var spec = SandboxSpec.frontend(executable: nil, arguments: [shown] + arguments.dropFirst())
        spec.mounts.append(Self.readOnly(directory.descriptor, at: Self.packageMountPoint))
        spec.workingDirectory = Self.packageMountPoint
        guard case .none = runtime else { return spec }
        guard isOwn else {
            throw Unfit(
                description: """
                    \(program) is not in its package; write a path relative to the package, or give [entry] a runtime
                    """
            )
        }
        let file = try directory.open(program, scope: .inRoot)
        if try file.isScript { throw Unfit(description: Self.scriptWithoutRuntime(program)) }
        spec.mounts += try SharedLibraries(of: file, at: path.appending(program)).mounts
        return spec
    }

    private static func scriptWithoutRuntime(_ name: String) -> String {
        "\(name) is a script, and no interpreter is there; write runtime = \"host\" into [entry] of frontend.toml"
    }

    private static func hostMounts() throws -> [SandboxSpec.Mount] {
        var mounts: [SandboxSpec.Mount] = []
        for path in hostPaths {
            do throws(SystemCallError) {
                mounts.append(readOnly(try Descriptor.open(host: FilePath(path)), at: path))
            } catch {
                if !error.isNotFound { throw error }
            }
        }
        return mounts
    }

    private static func readOnly(_ source: Descriptor, at target: String) -> SandboxSpec.Mount {
        SandboxSpec.Mount(.bind(source), at: target, isReadOnly: true, allowsPrivileges: false)
    }
}
