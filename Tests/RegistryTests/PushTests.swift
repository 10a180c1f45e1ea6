// SPDX-License-Identifier: Apache-2.0

import ContentStore
import OCI
import Registry
import RegistryTestSupport
import Synchronization
import Testing

/// An upload endpoint in memory that loses connections as told.
private final class UploadServer: Sendable {
    struct State {
        var blobs: [String: [UInt8]] = [:]
        var received: [UInt8] = []
        var manifests: [String: [UInt8]] = [:]
        var number = 0
        /// What happens to the requests with a body, by their order: how many of its bytes are kept
        /// before the connection breaks.
        var losses: [Int: Int] = [:]
        var forgets = false
    }

    let state = Mutex(State())

    func answer(_ request: ScriptedServer.Request) -> ScriptedServer.Reply {
        state.withLock { state in
            let last = request.path.split(separator: "/").last.map(String.init) ?? ""
            switch (request.method, request.path) {
            case ("HEAD", _): return .init(status: state.blobs[last] == nil ? 404 : 200)
            case ("POST", _):
                state.received = []
                return .init(
                    status: 202,
                    headers: [("Location", "/v2/a/b/blobs/uploads/u\(state.number)?state=x")]
                )
            case ("GET", _) where request.path.contains("/uploads/"):
                if state.forgets { return .init(status: 404) }
                return .init(
                    status: 204,
                    headers: [
                        ("Location", request.target),
                        ("Range", "0-\(max(0, state.received.count - 1))"),
                    ]
                )
            case ("PUT", _) where request.path.contains("/manifests/"):
                state.manifests[last] = request.body
                return .init(status: 201)
            case ("PATCH", _), ("PUT", _):
                state.number += 1
                if let kept = state.losses[state.number] {
                    state.received += request.body.prefix(kept)
                    return .init(status: 500, body: [1], cutAfter: 0)
                }
                state.received += request.body
                guard request.method == "PUT" else {
                    return .init(status: 202, headers: [("Location", request.target)])
                }
                let digest = Digest.of(state.received)
                guard request.target.hasSuffix("digest=" + "\(digest)".replacing(":", with: "%3A"))
                else {
                    return .json(
                        #"{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}"#,
                        status: 400
                    )
                }
                state.blobs["\(digest)"] = state.received
                return .init(status: 201)
            default: return .init(status: 405)
            }
        }
    }
}

@Suite struct PushTests {
    private let scratch: Scratch
    private let store: ContentStore
    private let bytes = noise(100_000)

    init() throws {
        scratch = try Scratch()
        store = try scratch.store()
    }

    /// Pushes an image of one layer to a server and gives the requests that carried layer bytes.
    private func push(
        _ uploads: UploadServer,
        part: Int64 = 30_000
    ) async throws -> [ScriptedServer.Request] {
        let server = try ScriptedServer { uploads.answer($0) }
        // The config is there already, so that only the layer is sent.
        let image = try storeImage(in: store, layers: [bytes])
        guard case .image(let manifest) = image.content else { throw TestFailure("no image") }
        uploads.state.withLock { $0.blobs["\(manifest.config.digest)"] = [] }
        var configuration = quickConfiguration()
        configuration.uploadPartByteCount = part
        try await withClient(configuration, store) { client in
            try await client.push(
                PushRequest(
                    root: image,
                    repository: Repository(host: server.host, path: "a/b"),
                    tags: ["v1"]
                )
            )
        }
        #expect(uploads.state.withLock { $0.blobs["\(Digest.of(bytes))"] } == bytes)
        #expect(uploads.state.withLock { $0.manifests["v1"] } == image.bytes)
        #expect(
            uploads.state.withLock { $0.manifests["\(image.descriptor.digest)"] } == image.bytes
        )
        return server.requests.filter {
            ["PATCH", "PUT"].contains($0.method) && $0.path.contains("/uploads/")
        }
    }

    @Test func `a small blob is sent by one request`() async throws {
        let sent = try await push(UploadServer(), part: 1 << 20)
        #expect(sent.map(\.method) == ["PUT"])
    }

    @Test func `a long blob is sent in parts that name their place`() async throws {
        let sent = try await push(UploadServer())
        #expect(sent.map(\.method) == ["PATCH", "PATCH", "PATCH", "PATCH", "PUT"])
        #expect(
            sent.compactMap { $0.headers["content-range"] }
                == ["0-29999", "30000-59999", "60000-89999", "90000-99999"]
        )
    }

    @Test func `a broken upload goes on where the registry says it stands`() async throws {
        let uploads = UploadServer()
        uploads.state.withLock { $0.losses = [2: 12_345] }
        let sent = try await push(uploads)
        #expect(sent[2].headers["content-range"] == "42345-72344")
    }

    @Test func `a single request that broke is finished in parts`() async throws {
        let uploads = UploadServer()
        uploads.state.withLock { $0.losses = [1: 60_000] }
        let sent = try await push(uploads, part: 1 << 20)
        #expect(sent.map(\.method) == ["PUT", "PATCH", "PUT"])
        #expect(sent[1].headers["content-range"] == "60000-99999")
    }

    @Test func `an upload the registry forgot begins anew`() async throws {
        let uploads = UploadServer()
        uploads.state.withLock {
            $0.losses = [2: 5]
            $0.forgets = true
        }
        let sent = try await push(uploads)
        #expect(sent[2].headers["content-range"] == "0-29999")
    }

    @Test func `a registry that keeps breaking uploads is given up`() async throws {
        let uploads = UploadServer()
        uploads.state.withLock {
            $0.losses = Dictionary(uniqueKeysWithValues: (1...20).map { ($0, 0) })
        }
        let error = try await registryError { _ = try await push(uploads) }
        #expect(error.code == .unavailable)
        #expect(error.message.contains("cannot push 127.0.0.1"))
        #expect(uploads.state.withLock { $0.manifests.isEmpty })
    }

    @Test func `a registry that refuses the push is told at once`() async throws {
        let server = try ScriptedServer { request in
            request.method == "HEAD"
                ? .init(status: 404)
                : .json(#"{"errors":[{"code":"DENIED","message":"read only"}]}"#, status: 403)
        }
        let image = try storeImage(in: store, layers: [])
        let error = try await registryError {
            try await withClient(quickConfiguration(), store) { client in
                try await client.push(
                    PushRequest(
                        root: image,
                        repository: Repository(host: server.host, path: "a"),
                        tags: ["v1"]
                    )
                )
            }
        }
        #expect(error.code == .unauthorized)
        #expect(
            error.message.hasPrefix(
                "cannot push \(server.host)/a:v1: \(server.host) answered 403 (DENIED: read only)"
            ),
            "\(error)"
        )
        #expect(server.requests.count == 2)
    }

    @Test func `a blob that was cut in the store is told at once and does not become visible`()
        async throws
    {
        let uploads = UploadServer()
        let server = try ScriptedServer { uploads.answer($0) }
        let image = try storeImage(in: store, layers: [bytes])
        try scratch.write("state/blobs/sha256/\(Digest.of(bytes).hex)", "cut")
        let error = try await registryError {
            try await withClient(quickConfiguration(), store) { client in
                let repository = Repository(host: server.host, path: "a/b")
                try await client.push(
                    PushRequest(root: image, repository: repository, tags: ["v1"])
                )
            }
        }
        #expect(error.code == .sizeMismatch, "\(error)")
        #expect(uploads.state.withLock { $0.manifests.isEmpty })
    }

    @Test func `an index whose manifest is not in the store is not begun`() async throws {
        let server = try ScriptedServer { _ in .init(status: 500) }
        let index = Index(manifests: [describe([1, 2], MediaType.manifest)])
        let root = try ManifestDocument(parsing: index.encoded)
        let error = try await registryError {
            try await withClient(quickConfiguration(), store) { client in
                try await client.push(
                    PushRequest(
                        root: root,
                        repository: Repository(host: server.host, path: "a"),
                        tags: []
                    )
                )
            }
        }
        #expect(error.code == .notFound)
        #expect(server.requests.isEmpty)
    }
}
