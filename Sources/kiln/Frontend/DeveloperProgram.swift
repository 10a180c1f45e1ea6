// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import FrontendHost
internal import FrontendProtocol
internal import FrontendStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

/// The frontend behind a command line: a package's directory, an executable file, or one with arguments.
///
/// Blocks.
func developerProgram(_ words: [String]) throws -> FrontendProgram {
    guard let first = words.first else { throw UsageError("name a frontend: a package or an executable file") }
    let path = FilePath(first)
    if (try? Directory(host: path)) != nil {
        let package = try FrontendPackage(developing: path)
        let manifest = package.manifest
        if case .image = manifest.runtime {
            throw UsageError("cannot run \(first) alone: its runtime is an image; use kiln build --frontend ./\(first)")
        }
        return FrontendProgram(
            name: manifest.name.text,
            version: manifest.version.description,
            content: .package(directory: package.directory, arguments: manifest.argv + words.dropFirst()),
            runtime: manifest.runtime == .host ? .host : .none,
            memoryByteLimit: manifest.memoryLimit
        )
    }
    do {
        guard words.count > 1 else { return try FrontendProgram(file: path) }
        // A command with arguments runs as a package made of its directory.
        let name = path.lastComponent?.string ?? first
        let directory = path.removingLastComponent()
        return FrontendProgram(
            name: name,
            content: .package(directory: directory.isEmpty ? "." : directory, arguments: [name] + words.dropFirst()),
            runtime: .host
        )
    } catch {
        throw UsageError("cannot use the frontend \(first): \(error)")
    }
}

/// What tools that play an engine call themselves.
let toolProgram = Wire.Program(name: "kiln", version: Engine.version)
