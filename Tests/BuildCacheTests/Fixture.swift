// SPDX-License-Identifier: Apache-2.0

import BuildCache
import ContentStore
import LinuxSystem
import OCI
import Snapshots
import Solver
import Synchronization
import SystemPackage

/// A state directory that is removed behind the test.
final class Place: Sendable {
    let path: FilePath

    init() { path = FilePath("/tmp").appending("kiln-cache-\(randomToken())") }

    deinit {
        let parent = try? Directory(host: path.removingLastComponent())
        if let name = path.lastComponent?.string { try? parent?.removeTree(name: name) }
    }
}

/// One process on a state directory, as far as the cache can tell: an owner of its own.
///
/// Letting go of it without ``BuildCache/close()`` is what a kill looks like.
struct Process {
    let state: StateDirectory
    let content: ContentStore
    let snapshots: SnapshotStore
    let cache: BuildCache
    let fetcher = Fetcher()

    init(_ place: Place, clock: Clock = Clock()) throws {
        state = try StateDirectory(path: place.path)
        content = try ContentStore(state: state)
        snapshots = try SnapshotStore(state: state, content: content)
        cache = try BuildCache(
            state: state,
            content: content,
            snapshots: snapshots,
            fetcher: fetcher,
            now: { clock.now }
        )
    }

    /// A tree with one more layer that holds one file.
    func tree(
        on lower: FileTree = .scratch,
        file: String,
        text: String = "text"
    ) async throws
        -> FileTree
    {
        let layer = try await snapshots.write(on: lower) { writer in
            try writer.makeFile(file, mode: 0o644, data: Array(text.utf8))
        }
        return lower.adding(layer)
    }

    func load(_ name: String, output: Int = 0) async throws -> FileTree? {
        guard let primary = try cache.primary(of: key(name)),
            let record = try cache.record(for: EdgeKey(key: primary, output: output))
        else { return nil }
        return try await cache.load(record) as? FileTree
    }
}

final class Clock: Sendable {
    private let time = Mutex<Int64>(1_000_000_000_000)
    var now: Int64 { time.withLock { $0 } }
    func advance(seconds: Int64) { time.withLock { $0 += seconds * 1000 } }
}

/// Notes what it was asked for and brings nothing.
final class Fetcher: BlobFetcher {
    struct Absent: Error {}
    private let asked = Mutex<[String]>([])
    var requests: [String] { asked.withLock { $0 } }

    func fetch(_ blob: OCI.Descriptor, origin: String?) async throws {
        asked.withLock { $0.append("\(blob.digest) from \(origin ?? "nowhere")") }
        throw Absent()
    }
}

func derivation(_ name: String) -> KeyDerivation {
    KeyDerivation(operation: Digest.of(name), isPersistable: true, inputs: [], hash: .sha256)
}

func key(_ name: String) -> CacheKey { derivation(name).key }

struct NoOperation: VertexOperation, CacheDescribed {
    var name = "op"
    var recordKind = RecordKind.regular
    var recordDescription: String?

    func cacheMap(_ context: OperationContext) async throws -> CacheMap {
        CacheMap(digest: Digest.of(name))
    }

    func execute(
        _ context: OperationContext,
        inputs: [any Sendable]
    ) async throws
        -> [any Sendable]
    { [] }
}

func entry(_ name: String, _ results: [any Sendable], kind: RecordKind = .regular) -> CacheEntry {
    CacheEntry(
        primary: key(name),
        derivations: [derivation(name)],
        results: results,
        inputs: [],
        vertex: Digest.of("vertex \(name)"),
        name: name,
        operation: NoOperation(recordKind: kind)
    )
}

extension FileTree {
    var ids: [LayerID] { layers.map(\.id) }
}

/// A value that closures share.
final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { mutex = Mutex(value) }

    var value: Value { mutex.withLock { $0 } }

    func change(_ body: (inout Value) -> Void) { mutex.withLock { body(&$0) } }
}
