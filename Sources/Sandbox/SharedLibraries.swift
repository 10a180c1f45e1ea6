// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
package import SystemPackage

/// The shared libraries a program of this host needs, so that it can be shown in a sandbox together with these files
/// and nothing else of the host.
///
/// The files are found as the dynamic loader finds them, without running anything: `DT_RUNPATH`, `DT_RPATH`, then the
/// directories of this machine. What a program loads later by itself (`dlopen`) is not seen.
package struct SharedLibraries: Sendable {
    private static let libraryCountMax = 200
    private static let systemDirectories = [
        "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib",
    ]

    /// Read-only mounts of the libraries and the loader; empty for a static program.
    package private(set) var mounts: [SandboxSpec.Mount] = []

    /// - Parameters:
    ///   - file: An ELF executable of this host, open.
    ///   - program: Where it stands, for `$ORIGIN` and messages.
    /// - Throws: ``SandboxError`` with `invalidSpec` when it is none, or when a library is not found.
    package init(of file: Descriptor, at program: FilePath) throws(SandboxError) {
        let image = try Self.read(file, program)
        guard let loader = image.interpreter else { return }
        add(try Self.open(FilePath(loader)), at: loader)
        var seen: Set<String> = [FilePath(loader).lastComponent?.string ?? ""]
        var queue = [
            (image: image, directory: program.removingLastComponent(), inherited: [String]())
        ]
        while let next = queue.popLast() {
            let own = next.image.searchPaths.map { Self.expand($0, origin: next.directory) }
            let directories = own + next.inherited + Self.systemDirectories
            for name in next.image.needed where seen.insert(name).inserted {
                let (library, path) = try Self.find(name, in: directories, neededBy: program)
                // The loader finds everything in its own default directory, whatever the run paths say.
                add(library, at: Self.defaultDirectory(for: image) + "/" + name)
                if mounts.count > Self.libraryCountMax {
                    throw SandboxError(
                        .invalidSpec,
                        "cannot show \(program): it needs more than \(Self.libraryCountMax) libraries"
                    )
                }
                queue.append((try Self.read(library, path), path.removingLastComponent(), next.inherited + own))
            }
        }
    }

    private mutating func add(_ file: Descriptor, at target: String) {
        mounts.append(.init(.bind(file), at: target, isReadOnly: true, allowsPrivileges: false))
    }

    private static func defaultDirectory(for image: ELFImage) -> String {
        image.isAArch64 ? "/lib/aarch64-linux-gnu" : "/lib/x86_64-linux-gnu"
    }

    private static func expand(_ path: String, origin: FilePath) -> String {
        path.replacing("${ORIGIN}", with: origin.string).replacing("$ORIGIN", with: origin.string)
    }

    private static func find(
        _ name: String,
        in directories: [String],
        neededBy program: FilePath
    ) throws(SandboxError) -> (Descriptor, FilePath) {
        for directory in directories {
            let path = FilePath(directory).appending(name)
            if let file = try? Descriptor.open(host: path), (try? file.status().isRegular) == true {
                return (file, path)
            }
        }
        throw SandboxError(
            .invalidSpec,
            "cannot show \(program): its library \(name) is not found; link it statically"
        )
    }

    private static func open(_ path: FilePath) throws(SandboxError) -> Descriptor {
        do {
            return try Descriptor.open(host: path)
        } catch {
            throw SandboxError(.unavailable, error.description, cause: error)
        }
    }

    private static func read(_ file: Descriptor, _ path: FilePath) throws(SandboxError) -> ELFImage {
        do {
            return try ELFImage(file)
        } catch let error as SystemCallError {
            throw SandboxError(.unavailable, error.description, cause: error)
        } catch {
            throw SandboxError(
                .invalidSpec,
                "cannot run \(path): it is not an executable of this machine",
                cause: error
            )
        }
    }
}
