// SPDX-License-Identifier: Apache-2.0

import Archives
import ContentStore
import Foundation
import LinuxSystem
import OCI
import ProjectFiles
import Registry
import RegistryTestSupport
import SystemPackage
import Testing

@testable import FrontendStore

/// Files of a package by path; `nil` as content makes a link to `link`.
struct TestFile {
    var text: String = ""
    var mode: UInt32 = 0o644
    var link: String?

    static func text(_ text: String, mode: UInt32 = 0o644) -> TestFile { TestFile(text: text, mode: mode) }
    static func link(_ target: String) -> TestFile { TestFile(link: target) }
}

/// A manifest in a few words.
func manifestText(
    _ name: String = "acme/spec",
    _ version: String = "1.4.2",
    protocols: String = "1.0",
    requires: String = "",
    platforms: [String: String] = [:],
    secrets: [String] = []
) -> String {
    var text = """
        manifest = 1
        name = "\(name)"
        version = "\(version)"
        [protocol]
        versions = ["\(protocols)"]
        requires = [\(requires)]
        [entry]
        argv = ["bin/spec"]

        """
    if !secrets.isEmpty {
        text += "[permissions]\nsecrets = [\(secrets.map { "\"\($0)\"" }.joined(separator: ", "))]\n"
    }
    if !platforms.isEmpty {
        text += "[platforms]\n" + platforms.map { "\"\($0.key)\" = \"\($0.value)\"\n" }.sorted().joined()
    }
    return text
}

/// A package of one program.
func package(_ version: String = "1.4.2", says word: String = "hello", name: String = "acme/spec") -> [String: TestFile]
{
    [
        "frontend.toml": .text(manifestText(name, version)),
        "bin/spec": .text("#!/bin/sh\necho \(word)\n", mode: 0o755),
        "bin/alias": .link("spec"),
        "data/words.txt": .text(word),
    ]
}

extension Scratch {
    /// Writes files below a folder and gives the folder.
    @discardableResult
    func package(_ folder: String, _ files: [String: TestFile]) throws -> FilePath {
        let root = try Directory(host: FilePath(path).appending(folder), createMode: 0o755)
        for (path, file) in files {
            var names = path.split(separator: "/").map(String.init)
            let name = names.removeLast()
            let parent = try root.makeDirectories(names.joined(separator: "/"))
            if let target = file.link {
                try parent.makeSymbolicLink(name, to: target)
            } else {
                let descriptor = try parent.createFile(name, mode: 0o600)
                try descriptor.write(file.text.utf8)
                try descriptor.setMode(file.mode)
            }
        }
        return FilePath(path).appending(folder)
    }

    func frontends(_ name: String = "frontends") throws -> FrontendStore {
        try FrontendStore(directory: FilePath(path).appending(name))
    }

    func service(_ name: String = "state") throws -> FrontendService {
        try FrontendService(stateDirectory: FilePath(path).appending(name), registry: quickConfiguration(attempts: 1))
    }

    /// Names in a folder, sorted.
    func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path + "/" + folder)) ?? []).sorted()
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path + "/" + name) }
}

/// Does work with a service and closes it, whatever comes of that.
func withService<Value>(
    _ scratch: Scratch,
    _ state: String = "state",
    _ body: (FrontendService) async throws -> Value
) async throws -> Value {
    let service = try scratch.service(state)
    do {
        let value = try await body(service)
        await service.close()
        return value
    } catch {
        await service.close()
        throw error
    }
}

/// A tar archive.
func tar(_ entries: [(TarEntry, String)]) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var writer = unsafe TarWriter { unsafe bytes.append(contentsOf: $0) }
    for (entry, text) in entries {
        var entry = entry
        if entry.kind == .regular { entry.size = Int64(text.utf8.count) }
        try writer.begin(entry)
        if entry.kind == .regular {
            let content = Array(text.utf8)
            try unsafe content.withUnsafeBytes { unsafe try writer.write($0) }
        }
    }
    try writer.finish()
    return bytes
}

func file(_ path: String, mode: UInt32 = 0o644) -> TarEntry { TarEntry(path: path, kind: .regular, mode: mode) }

/// Reads an archive from memory.
func archive(_ bytes: [UInt8]) throws -> ArchiveReader {
    var rest = bytes[...]
    return unsafe try ArchiveReader(plain: { buffer in
        let count = min(buffer.count, rest.count)
        unsafe buffer.copyBytes(from: rest.prefix(count))
        rest = rest.dropFirst(count)
        return count
    })
}

/// The error of some work, which must fail with one of this type.
func failure<Failure: Error>(
    _ type: Failure.Type = Failure.self,
    _ body: () async throws -> Void
) async throws -> Failure {
    do {
        try await body()
    } catch let error as Failure {
        return error
    } catch {
        throw TestFailure("failed with \(error) instead of a \(type)")
    }
    throw TestFailure("did not fail")
}

/// A `kiln.toml` that lists frontends.
func project(_ frontends: String, _ rest: String = "") throws -> ProjectFile {
    try ProjectFile(
        toml: Array(
            "version = 1\n\(rest.hasPrefix("platforms") ? rest : "")\n[frontends]\n\(frontends)\n\(rest.hasPrefix("platforms") ? "" : rest)\n"
                .utf8
        )
    )
}

let everything = EngineOffer(capabilities: ["solve", "readFile"])
