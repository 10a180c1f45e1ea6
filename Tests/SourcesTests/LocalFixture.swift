// SPDX-License-Identifier: Apache-2.0

import ContentStore
import Glibc
import LinuxSystem
import OCI
import RegistryTestSupport
import Snapshots
import SystemPackage
import Testing

@testable import Sources

/// A directory to be scanned, and a source that believes a minute has passed since its files were
/// written.
struct LocalFixture {
    let scratch: Scratch
    let path: FilePath
    let state: StateDirectory
    let source: LocalSource

    init(files: [String: String] = [:], secondsLater: Int64 = 60) throws {
        scratch = try Scratch()
        path = FilePath(scratch.path).appending("context")
        state = try StateDirectory(path: FilePath(scratch.path).appending("state"))
        source = LocalSource(state: state) { Int64(time(nil)) + secondsLater }
        _ = try Directory(host: path, createMode: 0o755)
        for (name, text) in files { try write(name, text) }
    }

    func write(_ name: String, _ text: String) throws { try scratch.write("context/" + name, text) }

    func link(_ name: String, to target: String) throws {
        let parent = path.appending(name).removingLastComponent()
        try Directory(host: parent, createMode: 0o755)
            .makeSymbolicLink(path.appending(name).lastComponent?.string ?? "", to: target)
    }

    func open() throws -> Directory { try Directory(host: path) }

    func scan(
        include: [String] = [],
        exclude: [String] = [],
        follow: [String] = []
    ) async throws -> LocalSource.Scan {
        try await source.scan(
            path,
            LocalSource.Selection(
                includePatterns: include,
                excludePatterns: exclude,
                followPaths: follow
            )
        )
    }

    /// The code of the error that a scan ends with, and its words.
    func failure(of path: FilePath) async -> SourcesError? {
        do {
            _ = try await source.scan(path)
            return nil
        } catch {
            return error as? SourcesError
        }
    }
}

extension LocalSource.Scan {
    /// All paths, sorted.
    func paths() throws -> [String] {
        var found: [String] = []
        var waiting = [""]
        while let path = waiting.popLast() {
            for name in try content.children(path) {
                let child = TreePath.join(path, name)
                found.append(child)
                waiting.append(child)
            }
        }
        return found.sorted()
    }
}
