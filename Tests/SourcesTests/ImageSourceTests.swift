// SPDX-License-Identifier: Apache-2.0

import ContentStore
import Foundation
import LinuxSystem
import OCI
import Registry
import RegistryTestSupport
import Snapshots
import Synchronization
import SystemPackage
import Testing

@testable import Sources

/// Remembers in memory.
private final class Notes: MetadataStore {
    let values = Mutex<[String: String]>([:])
    func remembered(_ key: String) throws -> (value: String, age: Duration)? {
        values.withLock { $0[key].map { ($0, .zero) } }
    }
    func remember(_ value: String, for key: String) throws { values.withLock { $0[key] = value } }
}

/// A real tar.gz layer of one file, made with the tools of the host.
func makeLayer(
    _ scratch: Scratch,
    file: String,
    text: String
) throws -> (blob: [UInt8], diffID: Digest) {
    let folder = "layer-\(UUID().uuidString)"
    try scratch.write("\(folder)/\(file)", text)
    func output(_ program: String, _ arguments: [String]) throws -> [UInt8] {
        let answer = try HelperProgram(
            path: FilePath(program),
            arguments: arguments,
            environment: ["PATH": "/usr/bin:/bin"]
        )
        .run(input: [], outputByteLimit: 1 << 24, timeLimit: .seconds(10))
        guard answer.status == 0 else { throw TestFailure("\(program): \(answer.complaint)") }
        return answer.output
    }
    let tar = try output(
        "/bin/tar",
        ["-C", "\(scratch.path)/\(folder)", "--mtime=@0", "-cf", "-", file]
    )
    try Data(tar).write(to: URL(filePath: "\(scratch.path)/\(folder)/layer.tar"))
    let blob = try output("/bin/gzip", ["-nc", "\(scratch.path)/\(folder)/layer.tar"])
    return (blob, Digest.of(tar))
}

/// The documents and blobs of an image of real layers, one of one file each.
struct SampleImage {
    var blobs: [[UInt8]] = []
    var config: [UInt8] = []
    var manifest: [UInt8] = []
    var diffIDs: [Digest] = []

    var descriptor: OCI.Descriptor { describe(manifest, MediaType.manifest) }

    init(
        _ scratch: Scratch,
        files: [(String, String)],
        platform: Platform = Platform(os: "linux", architecture: "amd64")
    ) throws {
        for (file, text) in files {
            let layer = try makeLayer(scratch, file: file, text: text)
            blobs.append(layer.blob)
            diffIDs.append(layer.diffID)
        }
        config = ImageConfig(platform: platform, rootFS: .init(diffIDs: diffIDs)).encoded
        manifest =
            Manifest(config: describe(config, MediaType.config), layers: blobs.map { describe($0) })
            .encoded
    }

    /// All blobs by digest.
    var all: [Digest: [UInt8]] {
        Dictionary(
            (blobs + [config, manifest]).map { (Digest.of($0), $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }
}

/// What a registry of some blobs answers, one tag given.
func registryReply(
    _ blobs: [Digest: [UInt8]],
    tag: Digest?,
    _ request: ScriptedServer.Request
) -> ScriptedServer.Reply {
    let name = request.path.split(separator: "/").last.map(String.init) ?? ""
    let digest = Digest(name) ?? tag
    guard let digest, let bytes = blobs[digest] else { return .init(status: 404) }
    return .init(headers: [("Docker-Content-Digest", "\(digest)")], body: bytes)
}

@Suite struct ImageSourceTests {
    private let scratch: Scratch
    private let state: StateDirectory
    private let store: ContentStore
    private let snapshots: SnapshotStore
    private let amd64 = Platform(os: "linux", architecture: "amd64")

    init() throws {
        scratch = try Scratch()
        state = try StateDirectory(path: FilePath(scratch.path).appending("state"))
        store = try ContentStore(state: state)
        snapshots = try SnapshotStore(state: state, content: store)
    }

    private func withSource<Value>(
        _ notes: any MetadataStore = ForgetfulMetadata(),
        _ body: (ImageSource) async throws -> Value
    ) async throws -> Value {
        try await withClient(quickConfiguration(), store) { client in
            try await body(ImageSource(client: client, snapshots: snapshots, metadata: notes))
        }
    }

    private func request(
        _ server: ScriptedServer,
        _ suffix: String = ":v1",
        _ attributes: [String: String] = [:]
    ) throws -> ImageRequest {
        try ImageRequest(
            identifier: "docker-image://\(server.host)/a/b\(suffix)",
            attributes: attributes,
            platform: amd64
        )
    }

    @Test
    func
        `an image is resolved without its layers, and its files are there when they are looked at`()
        async throws
    {
        let image = try SampleImage(scratch, files: [("first", "1"), ("second", "2")])
        let server = try ScriptedServer {
            registryReply(image.all, tag: image.descriptor.digest, $0)
        }
        try await withSource { source in
            let request = try request(server)
            let found = try await source.resolve(request)
            #expect(found.root.digest == image.descriptor.digest)
            #expect(found.configBytes == image.config)
            #expect(found.layers.map(\.diffID) == image.diffIDs)
            let tree = source.tree(of: found, reference: request.reference)
            #expect(tree.layers.count == 2)
            #expect(
                server.requests.map(\.path).allSatisfy {
                    $0.contains("/manifests/") || $0.hasSuffix("\(Digest.of(image.config))")
                }
            )
            let reader = try await TreeReader(tree)
            #expect(try reader.readFile("second", byteLimit: 100) == Array("2".utf8))
            #expect(try reader.readFile("first", byteLimit: 100) == Array("1".utf8))
            #expect(image.blobs.allSatisfy { store.contains(Digest.of($0)) })
        }
    }

    @Test func `a pinned image that is in the store never dials`() async throws {
        let image = try SampleImage(scratch, files: [("file", "1")])
        let server = try ScriptedServer { registryReply(image.all, tag: nil, $0) }
        let pinned = "@\(image.descriptor.digest)"
        _ = try await withSource { try await $0.resolve(request(server, pinned)) }
        let count = server.requests.count
        _ = try await withSource { try await $0.resolve(request(server, pinned)) }
        #expect(count == 2)
        #expect(server.requests.count == count)
    }

    @Test
    func
        `a tag is asked for, by a HEAD once it is known, and not at all where local is good enough`()
        async throws
    {
        let image = try SampleImage(scratch, files: [("file", "1")])
        let server = try ScriptedServer {
            registryReply(image.all, tag: image.descriptor.digest, $0)
        }
        let notes = Notes()
        func methods(_ attributes: [String: String]) async throws -> [String] {
            let before = server.requests.count
            _ = try await withSource(notes) {
                try await $0.resolve(request(server, ":v1", attributes))
            }
            return server.requests[before...].map(\.method)
        }
        #expect(try await methods([:]) == ["GET", "GET"])
        #expect(try await methods([:]) == ["HEAD"])
        #expect(try await methods(["image.resolvemode": "local"]) == [])
        #expect(try await methods(["image.resolvemode": "pull"]) == ["GET"])
    }

    @Test func `within a build a tag keeps its meaning`() async throws {
        let images = try [
            SampleImage(scratch, files: [("file", "1")]),
            SampleImage(scratch, files: [("file", "2")]),
        ]
        let all = images[0].all.merging(images[1].all) { first, _ in first }
        let current = Mutex(0)
        let server = try ScriptedServer { request in
            registryReply(all, tag: current.withLock { images[$0].descriptor.digest }, request)
        }
        try await withSource { source in
            let first = try await source.resolve(request(server))
            current.withLock { $0 = 1 }
            let again = try await source.resolve(request(server, ":v1", ["image.layerlimit": "1"]))
            #expect(first.root.digest == images[0].descriptor.digest)
            #expect(again.root.digest == images[0].descriptor.digest)
        }
        let later = try await withSource { try await $0.resolve(request(server)) }
        #expect(later.root.digest == images[1].descriptor.digest)
    }

    @Test
    func `an index gives the image of the platform, and says what it has where that is missing`()
        async throws
    {
        let arm = Platform(os: "linux", architecture: "arm64")
        let images = try [
            SampleImage(scratch, files: [("file", "amd")], platform: amd64),
            SampleImage(scratch, files: [("file", "arm")], platform: arm),
        ]
        var entries = images.map(\.descriptor)
        entries[0].platform = amd64
        entries[1].platform = arm
        var attestation = describe([1, 2, 3], MediaType.manifest)
        attestation.platform = Platform(os: "unknown", architecture: "unknown")
        attestation.annotations = ["vnd.docker.reference.type": "attestation-manifest"]
        let index = Index(manifests: entries + [attestation]).encoded
        let all = images[0].all.merging(images[1].all) { first, _ in first }
            .merging([Digest.of(index): index]) { first, _ in first }
        let server = try ScriptedServer { registryReply(all, tag: Digest.of(index), $0) }
        try await withSource { source in
            var wanted = try request(server)
            #expect(try await source.resolve(wanted).manifest.digest == images[0].descriptor.digest)
            wanted.platform = arm
            let found = try await source.resolve(wanted)
            #expect(found.manifest.digest == images[1].descriptor.digest)
            #expect(found.root.digest == Digest.of(index))
            wanted.platform = Platform(os: "linux", architecture: "riscv64")
            let error = try await #require(throws: SourcesError.self) {
                _ = try await source.resolve(wanted)
            }
            #expect(error.code == .notFound)
            #expect(
                error.message.contains(
                    "nothing for linux/riscv64; it offers linux/amd64, linux/arm64"
                ),
                "\(error)"
            )
        }
    }

    @Test
    func
        `an index that names no platforms is judged by the configs, and a circle of indexes is left`()
        async throws
    {
        let image = try SampleImage(scratch, files: [("file", "1")])
        let other = try SampleImage(
            scratch,
            files: [("file", "2")],
            platform: Platform(os: "linux", architecture: "s390x")
        )
        let index = Index(manifests: [other.descriptor, image.descriptor]).encoded
        let all = image.all.merging(other.all) { first, _ in first }.merging([
            Digest.of(index): index
        ]) { first, _ in first }
        let server = try ScriptedServer { registryReply(all, tag: Digest.of(index), $0) }
        let found = try await withSource { try await $0.resolve(request(server)) }
        #expect(found.manifest.digest == image.descriptor.digest)
        // Digests cannot be tied into a circle, but nothing ends a chain of them.
        var chain = index
        var chained = all
        for _ in 0..<10 {
            chain = Index(manifests: [describe(chain, MediaType.index)]).encoded
            chained[Digest.of(chain)] = chain
        }
        let (top, blobs) = (Digest.of(chain), chained)
        let deep = try ScriptedServer { registryReply(blobs, tag: top, $0) }
        let error = try await #require(throws: SourcesError.self) {
            _ = try await withSource { try await $0.resolve(request(deep)) }
        }
        #expect(error.message.contains("nested deeper than 4"))
    }

    @Test func `a checksum that differs and a layer limit that is too high are refused`()
        async throws
    {
        let image = try SampleImage(scratch, files: [("a", "1"), ("b", "2")])
        let server = try ScriptedServer {
            registryReply(image.all, tag: image.descriptor.digest, $0)
        }
        try await withSource { source in
            let wrong = try await #require(throws: SourcesError.self) {
                _ = try await source.resolve(
                    request(server, ":v1", ["image.checksum": "\(Digest.of("x"))"])
                )
            }
            #expect(wrong.code == .digestMismatch)
            let limited = try await source.resolve(
                request(server, ":v1", ["image.layerlimit": "1"])
            )
            #expect(limited.layers.count == 1)
            let high = try await #require(throws: SourcesError.self) {
                _ = try await source.resolve(request(server, ":v1", ["image.layerlimit": "3"]))
            }
            #expect(high.message.contains("the layer limit is 3, the image has 2 layers"))
        }
    }

    @Test func `a truncated layer ends in an error, leaves no tree, and works once it is whole`()
        async throws
    {
        let image = try SampleImage(scratch, files: [("file", "text")])
        let isBroken = Mutex(true)
        let server = try ScriptedServer { request in
            var reply = registryReply(image.all, tag: image.descriptor.digest, request)
            if isBroken.withLock({ $0 }), request.path.hasSuffix("\(Digest.of(image.blobs[0]))") {
                reply.body = Array(reply.body.dropLast(10))
            }
            return reply
        }
        try await withSource { source in
            let request = try request(server)
            let tree = source.tree(
                of: try await source.resolve(request),
                reference: request.reference
            )
            let error = try await #require(throws: RegistryError.self) {
                _ = try await TreeReader(tree)
            }
            #expect(error.code == .sizeMismatch)
            isBroken.withLock { $0 = false }
            let reader = try await TreeReader(tree)
            #expect(try reader.readFile("file", byteLimit: 100) == Array("text".utf8))
        }
    }

    @Test func `a layer that is not the one of the config is refused`() async throws {
        var image = try SampleImage(scratch, files: [("file", "text")])
        image.config =
            ImageConfig(platform: amd64, rootFS: .init(diffIDs: [Digest.of("other")])).encoded
        image.manifest =
            Manifest(
                config: describe(image.config, MediaType.config),
                layers: image.blobs.map { describe($0) }
            ).encoded
        let (all, digest) = (image.all, image.descriptor.digest)
        let server = try ScriptedServer { registryReply(all, tag: digest, $0) }
        try await withSource { source in
            let request = try request(server)
            let tree = source.tree(
                of: try await source.resolve(request),
                reference: request.reference
            )
            let error = try await #require(throws: SnapshotError.self) {
                _ = try await TreeReader(tree)
            }
            #expect(error.message.contains("\(Digest.of("other"))"), "\(error)")
        }
    }

    @Test func `a config with another number of layers than the manifest is refused`() async throws {
        var image = try SampleImage(scratch, files: [("file", "text")])
        image.config = ImageConfig(platform: amd64, rootFS: .init(diffIDs: [])).encoded
        image.manifest =
            Manifest(
                config: describe(image.config, MediaType.config),
                layers: image.blobs.map { describe($0) }
            ).encoded
        let (all, digest) = (image.all, image.descriptor.digest)
        let server = try ScriptedServer { registryReply(all, tag: digest, $0) }
        let error = try await #require(throws: SourcesError.self) {
            _ = try await withSource { try await $0.resolve(request(server)) }
        }
        #expect(error.message.contains("its manifest has 1 layers, its config 0"))
    }

    @Test func `a caller that is cancelled does not take the answer from another`() async throws {
        let image = try SampleImage(scratch, files: [("file", "1")])
        let server = try ScriptedServer { request in
            var reply = registryReply(image.all, tag: image.descriptor.digest, request)
            reply.delay = 50
            return reply
        }
        try await withSource { source in
            let request = try request(server)
            let first = Task { try await source.resolve(request) }
            let second = Task { try await source.resolve(request) }
            while server.requests.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
            first.cancel()
            #expect(try await second.value.root.digest == image.descriptor.digest)
        }
    }
}

@Suite struct ImageRequestTests {
    private let amd64 = Platform(os: "linux", architecture: "amd64")

    @Test func `attributes are read and unknown ones passed over`() throws {
        let request = try ImageRequest(
            identifier: "docker-image://busybox",
            attributes: [
                "image.resolvemode": "local", "image.recordtype": "frontend",
                "image.layerlimit": "2",
                "image.checksum": "\(Digest.of("x"))", "image.unknown": "y",
            ],
            platform: amd64
        )
        #expect(request.reference.description == "docker.io/library/busybox:latest")
        #expect(request.resolveMode == .preferLocal)
        #expect(request.recordType == .frontend)
        #expect(request.layerLimit == 2)
        #expect(request.checksum == Digest.of("x"))
    }

    @Test(arguments: [
        ("Busybox", "", ""), ("busybox", "image.resolvemode", "sometimes"),
        ("busybox", "image.recordtype", "x"),
        ("busybox", "image.layerlimit", "0"), ("busybox", "image.layerlimit", "-1"),
        ("busybox", "image.layerlimit", "x"),
        ("busybox", "image.layerlimit", "99999999999999999999"),
        ("busybox", "image.checksum", "sha256:ABC"),
        ("busybox", "image.checksum", "md5:d41d8cd98f00b204e9800998ecf8427e"), ("", "", ""),
        ("a b", "", ""),
    ])
    func `what cannot be read is refused`(
        identifier: String,
        attribute: String,
        value: String
    ) throws {
        let error = #expect(throws: SourcesError.self) {
            _ = try ImageRequest(
                identifier: "docker-image://" + identifier,
                attributes: attribute.isEmpty ? [:] : [attribute: value],
                platform: amd64
            )
        }
        #expect(error?.code == .invalid)
    }

    @Test func `cache keys are those of BuildKit`() throws {
        let config = ImageConfig(
            platform: amd64,
            rootFS: .init(diffIDs: [Digest.of("a"), Digest.of("b")])
        )
        let layers = ["x", "y"].map { describe(Array($0.utf8)) }
        func image(_ limit: Int?) throws -> ResolvedImage {
            try ResolvedImage(
                name: "test",
                root: describe([1], MediaType.index),
                manifest: describe([2], MediaType.manifest),
                contents: Manifest(
                    config: describe(config.encoded, MediaType.config),
                    layers: layers
                ),
                configBytes: config.encoded,
                platform: amd64,
                layerLimit: limit
            )
        }
        let root = Digest.of([1])
        #expect(
            try image(nil).manifestKey
                == Digest.of(#"{"Digest":"\#(root)","OS":"linux","Arch":"amd64"}"#)
        )
        #expect(
            try image(1).manifestKey
                == Digest.of(#"{"Digest":"\#(root)","OS":"linux","Arch":"amd64","Limit":1}"#)
        )
        #expect(try image(nil).chainKey == Digest.of("\(Digest.of("a")) \(Digest.of("b"))"))
        #expect(try image(1).chainKey == Digest.of("a"))
    }
}
