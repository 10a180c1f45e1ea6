// SPDX-License-Identifier: Apache-2.0

import ContentStore
import Foundation
import LinuxSystem
import OCI
import Registry
import RegistryTestSupport
import Snapshots
import SystemPackage
import Testing

@testable import Exporters

/// A layer that a test makes up; directories on the way to a file need no entry.
struct MadeUpLayer: LayerContent {
    struct File: Sendable {
        var entry: LayerEntry
        var bytes: [UInt8] = []
        var attributes: [ExtendedAttribute] = []
    }

    private(set) var files: [String: File] = [
        "": File(entry: LayerEntry(kind: .directory(opaque: false), mode: 0o755))
    ]

    mutating func add(
        _ path: String,
        _ kind: LayerEntry.Kind,
        mode: UInt32 = 0o644,
        owner: UInt32 = 0,
        text: String = "",
        mtime: Int64 = 1_000_000_000,
        link: LayerEntry.Identity? = nil,
        attributes: [ExtendedAttribute] = []
    ) {
        let parent = TreePath.split(path).directory
        if files[parent] == nil { add(parent, .directory(opaque: false), mode: 0o755) }
        let entry = LayerEntry(
            kind: kind,
            mode: mode,
            uid: owner,
            gid: owner,
            size: UInt64(text.utf8.count),
            mtime: FileStatus.Time(seconds: mtime),
            link: link
        )
        files[path] = File(entry: entry, bytes: Array(text.utf8), attributes: attributes)
    }

    mutating func add(file path: String, _ text: String, mode: UInt32 = 0o644) {
        add(path, .regular, mode: mode, text: text)
    }

    func entry(_ path: String) throws -> LayerEntry? { files[path]?.entry }

    func children(_ path: String) throws -> [String] {
        files.keys.filter { !$0.isEmpty && TreePath.split($0).directory == path }.map {
            TreePath.split($0).name
        }
    }

    func open(_ path: String) throws -> LinuxSystem.Descriptor {
        let file = try LinuxSystem.Descriptor.memory("test")
        try file.write(files[path]?.bytes ?? [])
        // A second open file, so that reading begins at the beginning.
        return try LinuxSystem.Descriptor.open(host: FilePath("/proc/self/fd/\(file.number)"))
    }

    func attributes(_ path: String) throws -> [ExtendedAttribute] { files[path]?.attributes ?? [] }
}

/// A store and an exporter over it.
struct Fixture {
    let scratch: Scratch
    let state: StateDirectory
    let content: ContentStore
    let snapshots: SnapshotStore
    let exporter: Exporter
    let platform = Platform(os: "linux", architecture: "amd64")

    init() throws {
        scratch = try Scratch()
        state = try StateDirectory(path: FilePath(scratch.path).appending("state"))
        content = try ContentStore(state: state)
        snapshots = try SnapshotStore(state: state, content: content)
        exporter = Exporter(
            state: state,
            content: content,
            snapshots: snapshots,
            registry: RegistryClient(configuration: quickConfiguration(), content: content)
        )
    }

    var output: FilePath { FilePath(scratch.path).appending("out") }

    func tree(_ layers: any LayerContent...) -> FileTree {
        FileTree(layers: layers.map { snapshots.hostLayer($0, key: UUID().uuidString) })
    }

    func request(
        _ type: String,
        _ attributes: [String: String] = [:],
        _ results: [PlatformResult],
        to destination: FilePath? = nil,
        metadata: [String: String] = [:],
        isMultiPlatform: Bool = false
    ) -> ExportRequest {
        ExportRequest(
            type: type,
            attributes: attributes,
            destination: .path(destination ?? output),
            results: results,
            isMultiPlatform: isMultiPlatform,
            metadata: metadata.mapValues { Array($0.utf8) }
        )
    }

    /// What a program prints; a failure of the test when it fails.
    func run(_ program: String, _ arguments: String...) throws -> String {
        let answer = try HelperProgram(
            path: FilePath(program),
            arguments: arguments,
            environment: ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": scratch.path]
        )
        .run(input: [], outputByteLimit: 1 << 24, timeLimit: .seconds(60))
        guard answer.status == 0 else {
            throw TestFailure("\(program) \(arguments.joined(separator: " ")): \(answer.complaint)")
        }
        return String(decoding: answer.output, as: UTF8.self)
    }
}

/// The error of an export, if it is one of this module.
func exportError(_ body: () async throws -> some Any) async -> ExportError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? ExportError
    }
}
