// SPDX-License-Identifier: Apache-2.0

import ContentStore
import OCI
import Registry
import RegistryTestSupport
import Synchronization
import Testing

/// Against Debian's docker-registry on loopback.
@Suite(
    .enabled(if: RegistryProcess.isInstalled, "needs docker-registry, apache2-utils and openssl")
)
struct RealRegistryTests {
    private let scratch: Scratch
    private let store: ContentStore

    init() throws {
        scratch = try Scratch()
        store = try scratch.store("source")
    }

    private func layers(_ document: ManifestDocument) -> [OCI.Descriptor] {
        guard case .image(let manifest) = document.content else { return [] }
        return [manifest.config] + manifest.layers
    }

    @Test func `an index of two images goes there and comes back byte for byte`() async throws {
        let registry = try await RegistryProcess(scratch)
        let shared = noise(500_000, seed: 1)
        let images = [
            try storeImage(in: store, layers: [shared, noise(1000, seed: 2)]),
            try storeImage(
                in: store,
                layers: [shared, noise(1000, seed: 3)],
                architecture: "arm64"
            ),
        ]
        let index = Index(manifests: images.map(\.descriptor))
        try store.put(index.encoded)
        let root = try ManifestDocument(parsing: index.encoded)
        let told = Mutex<[TransferProgress]>([])
        let repository = Repository(host: registry.host, path: "team/app")
        try await withClient(quickConfiguration(), store) { client in
            try await client.push(
                PushRequest(root: root, repository: repository, tags: ["v1", "latest"])
            ) { progress in
                told.withLock { $0.append(progress) }
            }
        }
        // Five blobs, of which one is shared, and three manifests.
        #expect(told.withLock { $0.filter { $0.stage == .done }.count } == 5 + 3)
        let target = try scratch.store("target")
        try await withClient(quickConfiguration(), target) { client in
            let found = try await client.resolve(Reference(parsing: "\(registry.host)/team/app"))
            #expect(found.bytes == root.bytes)
            #expect(found.descriptor == root.descriptor)
            #expect(try await client.digest(of: "v1", in: repository) == root.descriptor.digest)
            for image in images {
                let document = try await client.manifest(image.descriptor.digest, in: repository)
                for blob in layers(document) {
                    try await client.fetch(blob, from: repository)
                    try target.verify(blob.digest)
                }
            }
        }
        // A second push finds everything there.
        told.withLock { $0 = [] }
        try await withClient(quickConfiguration(), store) { client in
            try await client.push(PushRequest(root: root, repository: repository, tags: ["v2"])) {
                progress in
                told.withLock { $0.append(progress) }
            }
        }
        #expect(told.withLock { $0.filter { $0.stage == .alreadyThere }.count } == 5)
        #expect(told.withLock { $0.allSatisfy { $0.stage != .uploading } })
    }

    @Test func `a blob of another repository is mounted, and neither obtained nor sent`()
        async throws
    {
        let registry = try await RegistryProcess(scratch)
        let image = try storeImage(in: store, layers: [noise(10_000)])
        let first = Repository(host: registry.host, path: "first")
        try await withClient(quickConfiguration(), store) { client in
            try await client.push(PushRequest(root: image, repository: first, tags: ["v1"]))
            var request = PushRequest(
                root: image,
                repository: Repository(host: registry.host, path: "second"),
                tags: ["v1"]
            ) {
                throw TestFailure("obtained \($0.digest)")
            }
            for blob in layers(image) { request.mountSources[blob.digest] = [first] }
            try await client.push(request)
            #expect(
                try await client.digest(
                    of: "v1",
                    in: Repository(host: registry.host, path: "second")
                )
                    == image.descriptor.digest
            )
        }
    }

    @Test func `more lazy layers than transfers are allowed can be pulled while pushing`()
        async throws
    {
        let registry = try await RegistryProcess(scratch)
        let image = try storeImage(
            in: store,
            layers: (0..<10).map { noise(1000, seed: UInt64($0 + 10)) }
        )
        let first = Repository(host: registry.host, path: "first")
        try await withClient(quickConfiguration(), store) { client in
            try await client.push(PushRequest(root: image, repository: first, tags: ["v1"]))
        }
        for blob in layers(image) { try store.remove(blob.digest) }
        var configuration = quickConfiguration()
        configuration.transferCountMax = 2
        try await withClient(configuration, store) { client in
            let request = PushRequest(
                root: image,
                repository: Repository(host: registry.host, path: "second"),
                tags: ["v1"]
            ) {
                try await client.fetch($0, from: first)
            }
            try await client.push(request)
        }
    }

    @Test func `parts of an upload are put together`() async throws {
        let registry = try await RegistryProcess(scratch)
        let image = try storeImage(in: store, layers: [noise(1_000_000)])
        var configuration = quickConfiguration()
        configuration.uploadPartByteCount = 300_000
        let repository = Repository(host: registry.host, path: "parts")
        try await withClient(configuration, store) { client in
            try await client.push(PushRequest(root: image, repository: repository, tags: ["v1"]))
        }
        let target = try scratch.store("target")
        try await withClient(quickConfiguration(), target) { client in
            for blob in layers(image) { try await client.fetch(blob, from: repository) }
        }
    }

    @Test func `a password opens a closed registry, and a wrong one or none does not`() async throws {
        let registry = try await RegistryProcess(scratch, login: ("user", "pass:word"))
        let image = try storeImage(in: store, layers: [noise(1000)])
        let repository = Repository(host: registry.host, path: "closed")
        func push(_ credentials: any CredentialSource) async throws {
            try await withClient(quickConfiguration(credentials: credentials), store) { client in
                try await client.push(
                    PushRequest(root: image, repository: repository, tags: ["v1"])
                )
            }
        }
        let anonymous = try await registryError { try await push(NoCredentials()) }
        #expect(anonymous.code == .unauthorized)
        #expect(anonymous.message.contains("log in with `docker login \(registry.host)`"))
        let wrong = FixedCredentials([registry.host: .password(user: "user", password: "no")])
        #expect(try await registryError { try await push(wrong) }.code == .unauthorized)
        try scratch.write(
            "bin/docker-credential-test",
            "#!/bin/sh\nprintf '{\"Username\":\"user\",\"Secret\":\"pass:word\"}'\n",
            executable: true
        )
        try scratch.write(".docker/config.json", #"{"credHelpers":{"\#(registry.host)":"test"}}"#)
        try await push(
            DockerLogins(environment: ["HOME": scratch.path, "PATH": scratch.path + "/bin"])
        )
    }

    @Test
    func `a certificate that nobody trusts is refused, unless the registry is listed as insecure`()
        async throws
    {
        let registry = try await RegistryProcess(scratch, isEncrypted: true)
        // This name means this machine too, and does not look like it.
        let repository = Repository(host: "0.0.0.0:\(registry.port)", path: "tls")
        let image = try storeImage(in: store, layers: [noise(1000)])
        var configuration = quickConfiguration()
        func push() async throws {
            try await withClient(configuration, store) { client in
                try await client.push(
                    PushRequest(root: image, repository: repository, tags: ["v1"])
                )
            }
        }
        let error = try await registryError { try await push() }
        #expect(error.code == .unavailable)
        #expect(error.message.contains("cannot be reached by TLS"), "\(error)")
        #expect(error.message.contains("insecure registry"))
        #expect(!error.message.contains("tried"))
        configuration.insecureHosts = [repository.host]
        try await push()
        try await withClient(quickConfiguration(), store) { client in
            var request = PushRequest(root: image, repository: repository, tags: ["v2"])
            request.isInsecure = true
            try await client.push(request)
        }
    }

    @Test func `an insecure registry without TLS is spoken to in plain HTTP`() async throws {
        let registry = try await RegistryProcess(scratch)
        let repository = Repository(host: "0.0.0.0:\(registry.port)", path: "plain")
        let image = try storeImage(in: store, layers: [noise(1000)])
        var configuration = quickConfiguration()
        configuration.insecureHosts = [repository.host]
        try await withClient(configuration, store) { client in
            try await client.push(PushRequest(root: image, repository: repository, tags: ["v1"]))
            #expect(try await client.digest(of: "v1", in: repository) == image.descriptor.digest)
        }
    }

    @Test func `a registry killed in the middle of a blob is continued when it is back`()
        async throws
    {
        let registry = try await RegistryProcess(scratch)
        let bytes = noise(48 << 20)
        let image = try storeImage(in: store, layers: [bytes])
        let repository = Repository(host: registry.host, path: "big")
        try await withClient(quickConfiguration(), store) { client in
            try await client.push(PushRequest(root: image, repository: repository, tags: ["v1"]))
        }
        let target = try scratch.store("target")
        let told = Mutex<[Int64]>([])
        let killed = Mutex<Int?>(nil)
        try await withClient(quickConfiguration(attempts: 50), target) { client in
            try await client.fetch(describe(bytes), from: repository) { progress in
                let count = told.withLock {
                    $0.append(progress.current); return $0.count
                }
                let mine = killed.withLock { mark in
                    guard mark == nil, progress.current >= 4 << 20 else { return false }
                    mark = count
                    return true
                }
                if mine {
                    registry.kill()
                    Task {
                        try await Task.sleep(for: .milliseconds(300))
                        try registry.start()
                    }
                }
            }
        }
        try target.verify(Digest.of(bytes))
        let mark = try #require(killed.withLock { $0 })
        // It never fell back to the beginning.
        let after = told.withLock { Array($0[mark...]) }
        #expect(after.allSatisfy { $0 >= 4 << 20 })
        #expect(after == after.sorted())
    }

    // This registry drops an upload of whose last part it has only half; others keep it: see
    // PushTests.
    @Test func `a registry killed in the middle of an upload gets it whole when it is back`()
        async throws
    {
        let registry = try await RegistryProcess(scratch)
        let bytes = noise(24 << 20)
        let image = try storeImage(in: store, layers: [bytes])
        let repository = Repository(host: registry.host, path: "big")
        var configuration = quickConfiguration(attempts: 50)
        configuration.uploadPartByteCount = 4 << 20
        let isKilled = Mutex(false)
        try await withClient(configuration, store) { client in
            let request = PushRequest(root: image, repository: repository, tags: ["v1"])
            try await client.push(request) { progress in
                guard progress.digest == Digest.of(bytes), progress.stage == .uploading else {
                    return
                }
                guard progress.current >= 10 << 20 else { return }
                let isMine = isKilled.withLock { killed in
                    defer { killed = true }
                    return !killed
                }
                guard isMine else { return }
                registry.kill()
                Task {
                    try await Task.sleep(for: .milliseconds(300))
                    try registry.start()
                }
            }
        }
        #expect(isKilled.withLock { $0 })
        let target = try scratch.store("target")
        try await withClient(quickConfiguration(), target) { client in
            try await client.fetch(describe(bytes), from: repository)
        }
        try target.verify(Digest.of(bytes))
    }

    @Test func `a registry that stays dead ends the pull, and the next run continues it`()
        async throws
    {
        let registry = try await RegistryProcess(scratch)
        let bytes = noise(48 << 20)
        let image = try storeImage(in: store, layers: [bytes])
        let repository = Repository(host: registry.host, path: "big")
        try await withClient(quickConfiguration(), store) { client in
            try await client.push(PushRequest(root: image, repository: repository, tags: ["v1"]))
        }
        let error = try await registryError {
            try await withClient(quickConfiguration(attempts: 2), scratch.store("target")) {
                client in
                try await client.fetch(describe(bytes), from: repository) { progress in
                    if progress.current >= 4 << 20 { registry.kill() }
                }
            }
        }
        #expect(error.code == .unavailable)
        try registry.start()
        try await registry.waitUntilReady()
        let first = Mutex<Int64?>(nil)
        let target = try scratch.store("target")
        try await withClient(quickConfiguration(), target) { client in
            try await client.fetch(describe(bytes), from: repository) { progress in
                first.withLock { if $0 == nil { $0 = progress.current } }
            }
        }
        #expect(first.withLock { $0 ?? 0 } > 4 << 20)
        try target.verify(Digest.of(bytes))
    }

    @Test func `a layer that was cut on the registry's disk is refused`() async throws {
        let registry = try await RegistryProcess(scratch)
        let bytes = noise(100_000)
        let image = try storeImage(in: store, layers: [bytes])
        let repository = Repository(host: registry.host, path: "cut")
        try await withClient(quickConfiguration(), store) { client in
            try await client.push(PushRequest(root: image, repository: repository, tags: ["v1"]))
        }
        let hex = Digest.of(bytes).hex
        let file =
            "registry-\(registry.port)/docker/registry/v2/blobs/sha256/\(hex.prefix(2))/\(hex)/data"
        try scratch.write(file, "only this is left")
        let target = try scratch.store("target")
        let error = try await registryError {
            try await withClient(quickConfiguration(), target) { client in
                try await client.fetch(describe(bytes), from: repository)
            }
        }
        #expect(error.code == .sizeMismatch, "\(error)")
        #expect(!target.contains(Digest.of(bytes)))
    }
}
