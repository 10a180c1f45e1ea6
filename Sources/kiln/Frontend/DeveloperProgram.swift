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
/// A package that runs in an image has it pulled into the state directory.
func developerProgram(_ words: [String], _ state: StateOptions) async throws -> FrontendProgram {
    guard let first = words.first else { throw UsageError("name a frontend: a package or an executable file") }
    let path = FilePath(first)
    let package = try await blocking {
        (try? Directory(host: path)) == nil ? nil : try FrontendPackage(developing: path)
    }
    guard let package else {
        do {
            return try await blocking { try commandProgram(path, arguments: Array(words.dropFirst())) }
        } catch {
            throw UsageError("cannot use the frontend \(first): \(error)")
        }
    }
    return try await developerProgram(package, arguments: Array(words.dropFirst()), state)
}

/// The program of a package; an image that it runs in is pulled into the state directory.
func developerProgram(
    _ package: FrontendPackage,
    arguments: [String] = [],
    _ state: StateOptions
) async throws -> FrontendProgram {
    let manifest = package.manifest
    return FrontendProgram(
        name: manifest.name.text,
        version: manifest.version.description,
        content: .package(directory: package.directory, arguments: manifest.argv + arguments),
        runtime: try await developerRuntime(manifest.runtime, state),
        memoryByteLimit: manifest.memoryLimit
    )
}

private func developerRuntime(
    _ runtime: FrontendManifest.Runtime,
    _ state: StateOptions
) async throws -> FrontendProgram.Runtime {
    switch runtime {
    case .package: .none
    case .host: .host
    case .image(let reference): try await withEngine(state) { try await $0.frontendRuntime(reference) }
    }
}

/// An executable file; with arguments it runs as a package made of its directory.
///
/// Blocks.
private func commandProgram(_ path: FilePath, arguments: [String]) throws -> FrontendProgram {
    guard !arguments.isEmpty else { return try FrontendProgram(file: path) }
    let name = path.lastComponent?.string ?? path.string
    return FrontendProgram(
        name: name,
        content: .package(directory: path.parent, arguments: [name] + arguments),
        runtime: .host
    )
}

/// What tools that play an engine call themselves.
let toolProgram = Wire.Program(name: "kiln", version: Engine.version)
