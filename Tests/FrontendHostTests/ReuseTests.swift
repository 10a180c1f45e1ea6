// SPDX-License-Identifier: Apache-2.0

import FrontendHost
import FrontendProtocol
import LLB
import LinuxSystem
import OCI
import Sandbox
import Synchronization
import SystemPackage
import Testing

/// A result is used again exactly where the frontend would give it again.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(1)))
struct ReuseTests {
    private static let dockerfile = "FROM base:1 AS one\nCOPY a /b\nFrom one\nENV X=1\n"

    /// A store in a directory of its own, and what runs there.
    private func withStore(_ body: (FrontendResultStore, FilePath) async throws -> Void) async throws {
        let path = FilePath("/tmp/kiln-reuse-tests-\(randomToken(count: 8))")
        let store = FrontendResultStore(directory: try Directory(host: path, createMode: 0o700))
        defer { try? Directory(host: "/tmp").removeTree(name: path.lastComponent?.string ?? "") }
        try await body(store, path)
    }

    private func build(
        _ store: FrontendResultStore?,
        _ bridge: ChangingBridge,
        dockerfile: String = dockerfile,
        options: [String: String] = [:],
        digest: String? = "file:1",
        inputs: [String: FrontendBuildRequest<Int>.Input] = [:],
        isThere: Bool = true
    ) async throws -> FrontendResult<Int> {
        let fixture = try HostFixture.shared.get()
        return try await FrontendHost(launcher: fixture.launcher, engine: .init(name: "test", version: "0")).build(
            FrontendProgram(
                name: "dockerfile",
                content: .file(fixture.products.appending(isThere ? "kiln-frontend-dockerfile" : "no-such-program")),
                isBundled: true,
                digest: digest
            ),
            request: FrontendBuildRequest<Int>(
                fileName: "Dockerfile",
                fileContent: Array(dockerfile.utf8),
                options: options,
                inputs: inputs,
                workerPlatforms: [Platform(os: "linux", architecture: "amd64")]
            ),
            bridge: bridge,
            results: store
        )
    }

    @Test func `a second build with the same answers starts nothing and gives the same, warnings included`()
        async throws
    {
        try await withStore { store, _ in
            let first = ChangingBridge()
            let result = try await build(store, first)
            let second = ChangingBridge()
            let again = try await build(store, second, isThere: false)
            #expect(again.platforms.map(\.id) == result.platforms.map(\.id))
            #expect(again.platforms.map(\.config) == result.platforms.map(\.config))
            #expect(again.platforms.map(\.metadata) == result.platforms.map(\.metadata))
            #expect(again.frontend == result.frontend)
            #expect(first.diagnostics.map(\.code).contains("ConsistentInstructionCasing"))
            #expect(second.diagnostics == first.diagnostics)
            #expect(second.definitions.last == first.definitions.last)
        }
    }

    @Test(arguments: ["image", "ignore", "build file", "option", "program"])
    func `what is not the same is found out`(_ change: String) async throws {
        try await withStore { store, _ in
            _ = try await build(store, ChangingBridge())
            let bridge = ChangingBridge()
            if change == "image" { bridge.imageSeed = 2 }
            if change == "ignore" { bridge.ignoreFile = Array("a\n".utf8) }
            func again(isThere: Bool) async throws -> FrontendResult<Int> {
                try await build(
                    store,
                    bridge,
                    dockerfile: change == "build file" ? Self.dockerfile + "ENV Y=2\n" : Self.dockerfile,
                    options: change == "option" ? ["label:x": "y"] : [:],
                    digest: change == "program" ? "file:2" : "file:1",
                    isThere: isThere
                )
            }
            // It would have to be started, and cannot be.
            let error = await #expect(throws: FrontendHostError.self) { try await again(isThere: false) }
            #expect(error?.code == .notStarted)
            let result = try await again(isThere: true)
            let config = String(decoding: result.platforms[0].config ?? [], as: UTF8.self)
            switch change {
            case "image": #expect(config.contains("seed=2"))
            case "build file": #expect(config.contains("Y=2"))
            case "option": #expect(config.contains("\"x\":\"y\""))
            default: #expect(config.contains("X=1"))
            }
        }
    }

    @Test func `a failure is never kept`() async throws {
        try await withStore { store, path in
            for _ in 0..<2 {
                await #expect(throws: FrontendHostError.self) {
                    try await build(store, ChangingBridge(), dockerfile: "FORM x\n")
                }
            }
            let kept = try Directory(host: path).entries()
            #expect(kept.isEmpty)
        }
    }

    @Test func `a program that nobody named by its bytes is always started`() async throws {
        try await withStore { store, path in
            _ = try await build(store, ChangingBridge(), digest: nil)
            let kept = try Directory(host: path).entries()
            #expect(kept.isEmpty)
        }
    }

    @Test func `a tree that no definition names keeps a result from being used again`() async throws {
        try await withStore { store, path in
            _ = try await build(store, ChangingBridge(), inputs: ["x": .init(ref: 4711, definition: nil)])
            let kept = try Directory(host: path).entries()
            #expect(kept.isEmpty)
        }
    }

    @Test(arguments: [0, 10, 64, 100, 1000])
    func `a damaged record is no record`(_ place: Int) async throws {
        try await withStore { store, path in
            _ = try await build(store, ChangingBridge())
            let root = try Directory(host: path)
            let key = try #require(try root.entries().first?.name)
            let folder = try root.directory(key)
            let name = try #require(try folder.entries().first?.name)
            var bytes = try folder.open(name).readToEnd(byteLimit: 1 << 20)
            try #require(bytes.count > place)
            bytes[place] ^= 1
            try folder.remove(name: name)
            try folder.createFile(name, mode: 0o600).write(bytes)
            let error = await #expect(throws: FrontendHostError.self) {
                try await build(store, ChangingBridge(), isThere: false)
            }
            #expect(error?.code == .notStarted)
        }
    }

    @Test func `builds that go back and forth find both states`() async throws {
        try await withStore { store, path in
            for seed in [1, 2] {
                let bridge = ChangingBridge()
                bridge.imageSeed = seed
                _ = try await build(store, bridge)
            }
            for seed in [1, 2, 1] {
                let bridge = ChangingBridge()
                bridge.imageSeed = seed
                let result = try await build(store, bridge, isThere: false)
                #expect(String(decoding: result.platforms[0].config ?? [], as: UTF8.self).contains("seed=\(seed)"))
            }
            let kept = try Directory(host: path).entries()
            #expect(kept.count == 1)
        }
    }
}

/// A bridge with an image and an ignore file that can change.
final class ChangingBridge: FrontendBridge {
    private struct State: Sendable {
        var imageSeed = 1
        var ignoreFile: [UInt8]?
        var definitions: [[UInt8]] = []
        var diagnostics: [Diagnostic] = []
    }

    private let state = Mutex(State())

    var imageSeed: Int {
        get { state.withLock { $0.imageSeed } }
        set { state.withLock { $0.imageSeed = newValue } }
    }
    var ignoreFile: [UInt8]? {
        get { state.withLock { $0.ignoreFile } }
        set { state.withLock { $0.ignoreFile = newValue } }
    }
    var diagnostics: [Diagnostic] { state.withLock { $0.diagnostics } }
    var definitions: [[UInt8]] { state.withLock { $0.definitions } }

    var capabilities: [EngineCapability] { [.solve, .readFile, .resolveImage, .diagnostic] }

    func solve(_ definition: LLB.Definition, evaluate: Bool) async throws -> Int? {
        let bytes = try definition.serialized()
        return state.withLock { state in
            state.definitions.append(bytes)
            return state.definitions.count
        }
    }

    func evaluate(_ ref: Int) async throws {}
    func release(_ ref: Int) {}

    func readFile(_ ref: Int?, path: String, offset: Int64, length: Int) async throws -> Wire.ReadFile.Answer {
        guard let file = ignoreFile, path == ".dockerignore" else { throw ProtocolFailure(.notFound, "no \(path)") }
        return .init(data: file, isEnd: true)
    }

    func readDirectory(_ ref: Int?, path: String, pattern: String?) async throws -> [FileInfo] { [] }

    func stat(_ ref: Int?, path: String, followSymlinks: Bool) async throws -> FileInfo {
        throw ProtocolFailure(.notFound, "no \(path)")
    }

    func resolveSource(_ query: Wire.ResolveSource) async throws -> ResolvedSource {
        let config =
            #"{"architecture":"amd64","os":"linux","config":{"Env":["seed=\#(imageSeed)"]},"rootfs":{"type":"layers"}}"#
        return ResolvedSource(
            identifier: query.identifier,
            image: .init(digest: Digest.of("image \(imageSeed)"), config: Array(config.utf8))
        )
    }

    func log(_ entry: FrontendLogEntry) {}
    func diagnostic(_ diagnostic: Diagnostic) { state.withLock { $0.diagnostics.append(diagnostic) } }
}
