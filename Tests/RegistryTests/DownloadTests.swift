// SPDX-License-Identifier: Apache-2.0

import ContentStore
import LinuxSystem
import OCI
import Registry
import RegistryTestSupport
import Synchronization
import Testing

/// A download from a server that misbehaves in a way of its own.
@Suite struct DownloadTests {
    private let scratch: Scratch
    private let store: ContentStore
    private let bytes = noise(300_000)

    init() throws {
        scratch = try Scratch()
        store = try scratch.store()
    }

    /// Fetches `bytes` as a blob of a server, and gives the progress that was told.
    @discardableResult
    private func fetch(
        _ server: ScriptedServer,
        size: Int64? = nil,
        configuration: RegistryConfiguration = quickConfiguration()
    ) async throws -> [TransferProgress] {
        let told = Mutex<[TransferProgress]>([])
        var blob = describe(bytes)
        if let size { blob.size = size }
        try await withClient(configuration, store) { [blob] client in
            try await client.fetch(blob, from: Repository(host: server.host, path: "a/b")) {
                progress in
                told.withLock { $0.append(progress) }
            }
        }
        return told.withLock { $0 }
    }

    /// What a server with ranges answers.
    private static func ranged(
        _ bytes: [UInt8],
        _ request: ScriptedServer.Request
    ) -> ScriptedServer.Reply {
        guard let range = request.headers["range"], let start = Int(range.dropFirst(6).dropLast())
        else {
            return .init(body: bytes)
        }
        return .init(
            status: 206,
            headers: [("Content-Range", "bytes \(start)-\(bytes.count - 1)/\(bytes.count)")],
            body: Array(bytes[start...])
        )
    }

    @Test func `a blob arrives, is verified, and is asked for once`() async throws {
        let server = try ScriptedServer { [bytes] _ in .init(body: bytes) }
        let progress = try await fetch(server)
        #expect(try store.read(Digest.of(bytes), byteLimit: 1 << 20) == bytes)
        #expect(
            progress.last
                == TransferProgress(
                    digest: Digest.of(bytes),
                    stage: .done,
                    current: 300_000,
                    total: 300_000
                )
        )
        #expect(try await fetch(server).map(\.stage) == [.alreadyThere])
        #expect(server.requests.map(\.target) == ["/v2/a/b/blobs/\(Digest.of(bytes))"])
    }

    @Test func `a cut connection is continued where it broke`() async throws {
        let server = try ScriptedServer { [bytes] request in
            var reply = Self.ranged(bytes, request)
            if request.headers["range"] == nil { reply.cutAfter = 200_000 }
            return reply
        }
        try await fetch(server)
        #expect(try store.read(Digest.of(bytes), byteLimit: 1 << 20) == bytes)
        #expect(server.requests.count == 2)
        // Bytes that were under way when the connection broke may be lost, those before are not
        // asked for again.
        let start = try #require(server.requests.last?.headers["range"]?.dropFirst(6).dropLast())
        #expect((1...200_000).contains(try #require(Int(start))))
    }

    @Test func `a server without ranges starts again from the beginning`() async throws {
        let count = Mutex(0)
        let server = try ScriptedServer { [bytes] _ in
            let number = count.withLock {
                $0 += 1; return $0
            }
            return .init(body: bytes, cutAfter: number == 1 ? 200_000 : nil)
        }
        try await fetch(server)
        #expect(try store.read(Digest.of(bytes), byteLimit: 1 << 20) == bytes)
    }

    @Test(arguments: [
        "bytes 0-299999/300000", "bytes 200000-299999/300001", "bytes 199999-299999/300000",
        "nonsense", "",
    ])
    func `an answer with another range than asked for is thrown away`(range: String) async throws {
        let seen = Seen()
        let server = try ScriptedServer { [bytes] request in
            if request.headers["range"] != nil {
                return .init(
                    status: 206,
                    headers: [("Content-Range", range)],
                    body: Array(bytes[200_000...])
                )
            }
            let isFirst = range.isEmpty || !request.target.isEmpty
            return .init(body: bytes, cutAfter: isFirst && seen.isFirst(request) ? 200_000 : nil)
        }
        try await fetch(server)
        #expect(try store.read(Digest.of(bytes), byteLimit: 1 << 20) == bytes)
    }

    /// Which paths were asked for; each test has its own, since they run at the same time.
    private final class Seen: Sendable {
        private let targets = Mutex<Set<String>>([])

        func isFirst(_ request: ScriptedServer.Request) -> Bool {
            targets.withLock { $0.insert(request.target).inserted }
        }
    }

    @Test func `a refused range (416) starts again from the beginning`() async throws {
        let seen = Seen()
        let server = try ScriptedServer { [bytes] request in
            if request.headers["range"] != nil { return .init(status: 416) }
            return .init(body: bytes, cutAfter: seen.isFirst(request) ? 1000 : nil)
        }
        try await fetch(server)
        #expect(store.contains(Digest.of(bytes)))
    }

    @Test func `content that changed between two tries is noticed and fetched whole`() async throws {
        let seen = Seen()
        let server = try ScriptedServer { [bytes] request in
            if request.headers["range"] == nil, seen.isFirst(request) {
                return .init(body: noise(300_000, seed: 9), cutAfter: 100_000)
            }
            return Self.ranged(bytes, request)
        }
        try await fetch(server)
        #expect(try store.read(Digest.of(bytes), byteLimit: 1 << 20) == bytes)
        #expect(server.requests.map { $0.headers["range"] != nil } == [false, true, false])
    }

    @Test func `what another process left behind is continued`() async throws {
        try store.partial(Digest.of(bytes)).append(Array(bytes[..<123_456]))
        let server = try ScriptedServer { [bytes] request in Self.ranged(bytes, request) }
        try await fetch(server)
        #expect(server.requests.map { $0.headers["range"] } == ["bytes=123456-"])
        #expect(try store.read(Digest.of(bytes), byteLimit: 1 << 20) == bytes)
    }

    @Test func `wrong bytes are refused and leave nothing`() async throws {
        let server = try ScriptedServer { _ in .init(body: noise(300_000, seed: 5)) }
        let error = try await registryError { try await fetch(server) }
        #expect(error.code == .digestMismatch)
        #expect(
            error.message.contains("cannot pull blob \(Digest.of(bytes)) of \(server.host)/a/b")
        )
        #expect(!store.contains(Digest.of(bytes)))
        #expect(server.requests.count == 1)
    }

    @Test(arguments: [299_999 as Int64, 300_001, 0])
    func `a blob of another length than its descriptor says is refused at once`(
        size: Int64
    ) async throws {
        let server = try ScriptedServer { [bytes] _ in .init(body: bytes) }
        let error = try await registryError { try await fetch(server, size: size) }
        #expect(error.code == .sizeMismatch, "\(error)")
        #expect(server.requests.count == 1)
        #expect(!store.contains(Digest.of(bytes)))
    }

    @Test
    func
        `a descriptor that lies about a blob in the store is refused, a damaged blob is fetched again`()
        async throws
    {
        try store.put(bytes)
        let server = try ScriptedServer { [bytes] _ in .init(body: bytes) }
        let error = try await registryError { try await fetch(server, size: 299_999) }
        #expect(error.code == .sizeMismatch)
        #expect(server.requests.isEmpty)
        try scratch.write("state/blobs/sha256/\(Digest.of(bytes).hex)", "damaged")
        try await fetch(server)
        #expect(server.requests.count == 1)
        try store.verify(Digest.of(bytes))
    }

    @Test(arguments: ["-5", "9223372036854775808", "299999", "300001", "x"])
    func `a length that lies ends in an error`(length: String) async throws {
        let server = try ScriptedServer { [bytes] _ in .init(body: bytes, announcedLength: length) }
        await #expect(throws: RegistryError.self) { try await fetch(server) }
        #expect(!store.contains(Digest.of(bytes)))
    }

    @Test
    func `a blob that ends early every time fails after some tries, and says how far it came`()
        async throws
    {
        let server = try ScriptedServer { _ in .init(body: [1, 2, 3], announcedLength: "300000") }
        let error = try await registryError { try await fetch(server) }
        #expect(error.code == .unavailable)
        #expect(error.message.contains("tried 4 times"), "\(error)")
    }

    @Test
    func
        `an overloaded server is asked again, after the time it names but no longer than the limit`()
        async throws
    {
        let seen = Seen()
        let server = try ScriptedServer { [bytes] request in
            seen.isFirst(request)
                ? .init(status: 503, headers: [("Retry-After", "1000000000")]) : .init(body: bytes)
        }
        try await fetch(server)
        #expect(server.requests.count == 2)
    }

    @Test func `a server that stays overloaded ends in a sentence with its own words`() async throws {
        let server = try ScriptedServer { _ in
            .json(
                #"{"errors":[{"code":"UNAVAILABLE","message":"come\nback \u001b[31mlater"}]}"#,
                status: 503
            )
        }
        let error = try await registryError { try await fetch(server) }
        #expect(error.code == .unavailable)
        #expect(
            error.message.hasSuffix(
                "\(server.host) answered 503 (UNAVAILABLE: come back [31mlater) (tried 4 times)"
            ),
            "\(error)"
        )
    }

    @Test func `a silent server is given up`() async throws {
        let server = try ScriptedServer { [bytes] _ in .init(body: bytes, drip: (10_000, 2000)) }
        var configuration = quickConfiguration(attempts: 1)
        configuration.timeouts.idle = .milliseconds(200)
        let error = try await registryError {
            try await fetch(server, configuration: configuration)
        }
        #expect(error.code == .timedOut, "\(error)")
    }

    @Test func `a server that drips is given up`() async throws {
        let server = try ScriptedServer { [bytes] _ in .init(body: bytes, drip: (100, 20)) }
        var configuration = quickConfiguration(attempts: 1)
        configuration.timeouts.stall = .milliseconds(300)
        let error = try await registryError {
            try await fetch(server, configuration: configuration)
        }
        #expect(error.code == .timedOut)
        #expect(error.message.contains("sent only"), "\(error)")
    }

    @Test func `fifty callers of one blob cause one download`() async throws {
        let server = try ScriptedServer { [bytes] _ in .init(body: bytes, delay: 50) }
        try await withClient(quickConfiguration(), store) { client in
            try await withThrowingTaskGroup { group in
                for _ in 0..<50 {
                    group.addTask { [bytes] in
                        try await client.fetch(
                            describe(bytes),
                            from: Repository(host: server.host, path: "a/b")
                        )
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(server.requests.count == 1)
    }

    @Test
    func `a caller that leaves does not take the download from the others, the last one does`()
        async throws
    {
        let server = try ScriptedServer { [bytes] _ in .init(body: bytes, drip: (30_000, 20)) }
        let repository = Repository(host: server.host, path: "a/b")
        try await withClient(quickConfiguration(), store) { client in
            let blob = describe(bytes)
            let first = Task { try await client.fetch(blob, from: repository) }
            while server.requests.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
            let second = Task { try await client.fetch(blob, from: repository) }
            try await Task.sleep(for: .milliseconds(20))
            first.cancel()
            await #expect(throws: CancellationError.self) { try await first.value }
            try await second.value
            #expect(store.contains(blob.digest))
            try store.remove(blob.digest)
            let last = Task { try await client.fetch(blob, from: repository) }
            while server.requests.count < 2 { try await Task.sleep(for: .milliseconds(1)) }
            last.cancel()
            await #expect(throws: CancellationError.self) { try await last.value }
            try await Task.sleep(for: .milliseconds(300))
            #expect(!store.contains(blob.digest))
        }
        #expect(server.requests.count == 2)
    }

    @Test func `a mirror is asked first, and passed over when it fails`() async throws {
        let broken = try ScriptedServer { _ in .init(status: 404) }
        let mirror = try ScriptedServer { [bytes] _ in .init(body: bytes) }
        let origin = try ScriptedServer { _ in .init(status: 500) }
        var configuration = quickConfiguration()
        configuration.mirrors[origin.host] = [broken.host, mirror.host + "/proxy"]
        try await fetch(origin, configuration: configuration)
        #expect(broken.requests.count == 1)
        #expect(mirror.requests.map(\.target) == ["/v2/proxy/a/b/blobs/\(Digest.of(bytes))"])
        #expect(origin.requests.isEmpty)
    }

    @Test func `a proxy is spoken to in place of the registry, with its own login`() async throws {
        let proxy = try ScriptedServer { [bytes] request in
            request.method == "CONNECT" ? .init() : .init(body: bytes)
        }
        var configuration = quickConfiguration()
        let address = "http://u:p@\(proxy.host)"
        configuration.proxies = ProxySettings(
            environment: ["HTTP_PROXY": address, "HTTPS_PROXY": address]
        )
        configuration.insecureHosts = ["registry.invalid"]
        try await withClient(configuration, store) { [bytes] client in
            try await client.fetch(
                describe(bytes),
                from: Repository(host: "registry.invalid", path: "a/b")
            )
        }
        // Once for TLS, which the server behind the proxy does not speak, and once without.
        #expect(
            proxy.requests.map { "\($0.method) \($0.target)" } == [
                "CONNECT registry.invalid:443", "CONNECT registry.invalid:80",
                "GET /v2/a/b/blobs/\(Digest.of(bytes))",
            ]
        )
        #expect(proxy.requests.first?.headers["proxy-authorization"] == "Basic dTpw")
        #expect(proxy.requests.last?.headers["proxy-authorization"] == nil)
    }

    @Test func `a missing blob is told at once, with what to do`() async throws {
        let server = try ScriptedServer { _ in
            .json(
                #"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#,
                status: 404
            )
        }
        let error = try await registryError { try await fetch(server) }
        #expect(error.code == .notFound)
        #expect(
            error.message
                == "cannot pull blob \(Digest.of(bytes)) of \(server.host)/a/b: \(server.host) answered 404 "
                + "(BLOB_UNKNOWN: blob unknown to registry): it does not exist, or this login has no access; "
                + "log in with `docker login \(server.host)`"
        )
        #expect(error.fault == .input)
    }

    @Test func `nobody listening is told as a refused connection`() async throws {
        let host = try ScriptedServer { _ in .init() }.host
        let error = try await registryError {
            try await withClient(quickConfiguration(attempts: 2), store) { [bytes] client in
                try await client.fetch(describe(bytes), from: Repository(host: host, path: "a/b"))
            }
        }
        #expect(error.code == .unavailable)
        #expect(
            error.message.hasSuffix(
                "cannot connect to \(host): connection refused (tried 2 times)"
            ),
            "\(error)"
        )
        #expect(error.fault == .environment)
    }

    @Test func `a client that was shut down says so`() async throws {
        let client = RegistryClient(configuration: quickConfiguration(), content: store)
        await client.shutdown()
        let error = try await registryError {
            try await client.fetch(
                describe(bytes),
                from: Repository(host: "127.0.0.1:1", path: "a")
            )
        }
        #expect(error.code == .closed)
    }

    @Test func `a client that is dropped without its shutdown harms nobody`() async throws {
        let server = try ScriptedServer { [bytes] _ in .init(body: bytes) }
        let client = RegistryClient(configuration: quickConfiguration(), content: store)
        try await client.fetch(describe(bytes), from: Repository(host: server.host, path: "a/b"))
    }
}
