// SPDX-License-Identifier: Apache-2.0

import ContentStore
import Foundation
import LinuxSystem
import OCI
import RegistryTestSupport
import Snapshots
import SystemPackage
import Testing

import Sources

@Suite struct LayoutSourceTests {
    private let scratch: Scratch
    private let store: ContentStore
    private let snapshots: SnapshotStore
    private let amd64 = Platform(os: "linux", architecture: "amd64")
    private let image: SampleImage

    init() throws {
        scratch = try Scratch()
        let state = try StateDirectory(path: FilePath(scratch.path).appending("state"))
        store = try ContentStore(state: state)
        snapshots = try SnapshotStore(state: state, content: store)
        image = try SampleImage(scratch, files: [("first", "1"), ("second", "2")])
        try scratch.write("layout/oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#)
        try write(image.all)
        var entry = image.descriptor
        entry.annotations = ["org.opencontainers.image.ref.name": "v1"]
        try scratch.write(
            "layout/index.json",
            String(decoding: Index(manifests: [entry]).encoded, as: UTF8.self)
        )
    }

    private func path(_ digest: Digest) -> String {
        scratch.path + "/layout/blobs/sha256/" + digest.hex
    }

    private func write(_ blobs: [Digest: [UInt8]]) throws {
        try FileManager.default.createDirectory(
            atPath: scratch.path + "/layout/blobs/sha256",
            withIntermediateDirectories: true
        )
        for (digest, bytes) in blobs { try Data(bytes).write(to: URL(filePath: path(digest))) }
    }

    private func source() throws -> LayoutSource {
        LayoutSource(
            directory: try Directory(host: FilePath(scratch.path).appending("layout")),
            name: "layout",
            content: store,
            snapshots: snapshots
        )
    }

    private func request(
        _ suffix: String,
        _ attributes: [String: String] = [:]
    ) throws -> LayoutRequest {
        try LayoutRequest(
            identifier: "oci-layout://base\(suffix)",
            attributes: attributes,
            platform: amd64
        )
    }

    private func failure(_ suffix: String = ":v1") async throws -> SourcesError {
        try await #require(throws: SourcesError.self) {
            _ = try await source().resolve(request(suffix))
        }
    }

    @Test(arguments: [":v1", "", "@digest"])
    func `an image is found by tag, by digest, and as the only one`(suffix: String) async throws {
        let suffix = suffix.replacing("digest", with: "\(image.descriptor.digest)")
        let source = try source()
        let found = try await source.resolve(request(suffix))
        #expect(found.manifest.digest == image.descriptor.digest)
        #expect(found.configBytes == image.config)
        // Layers are not copied before somebody looks.
        #expect(!store.contains(Digest.of(image.blobs[0])))
        let reader = try await TreeReader(source.tree(of: found))
        #expect(try reader.readFile("second", byteLimit: 100) == Array("2".utf8))
    }

    @Test func `a tag that is missing and several images without a choice are told`() async throws {
        let missing = try await failure(":v2")
        #expect(missing.code == .notFound)
        #expect(missing.message.hasSuffix("its index.json has the tags v1"), "\(missing.message)")
        let other = try SampleImage(scratch, files: [("third", "3")])
        try write(other.all)
        let index = Index(manifests: [image.descriptor, other.descriptor])
        try scratch.write("layout/index.json", String(decoding: index.encoded, as: UTF8.self))
        #expect(try await failure("").message.contains("it has 2; name a tag or a digest"))
    }

    @Test func `a digest that is not there is not found`() async throws {
        let error = try await failure("@\(Digest.of("missing"))")
        #expect(error.code == .notFound)
        #expect(error.message.contains("\(Digest.of("missing")) of layout"))
    }

    @Test func `a manifest, config or layer with other bytes than its name says is refused`()
        async throws
    {
        try Data("{}".utf8).write(to: URL(filePath: path(Digest.of(image.config))))
        #expect(try await failure().code == .digestMismatch)
        try write(image.all)
        var layer = image.blobs[0]
        layer[layer.count - 1] ^= 1
        try Data(layer).write(to: URL(filePath: path(Digest.of(image.blobs[0]))))
        let source = try source()
        let tree = source.tree(of: try await source.resolve(request(":v1")))
        let wrong = try await #require(throws: SourcesError.self) { _ = try await TreeReader(tree) }
        #expect(wrong.code == .digestMismatch)
        try Data(layer.dropLast(5)).write(to: URL(filePath: path(Digest.of(image.blobs[0]))))
        let short = try await #require(throws: SourcesError.self) { _ = try await TreeReader(tree) }
        #expect(short.message.contains("its descriptor names \(layer.count)"))
        try write(image.all)
        _ = try await TreeReader(tree)
    }

    @Test
    func `symlinks, fifos and directories in the place of files are refused and not followed`()
        async throws
    {
        let file = path(image.descriptor.digest)
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: "/etc/passwd")
        #expect(try await !failure().message.contains("root:"))
        try FileManager.default.removeItem(atPath: file)
        #expect(unsafe mkfifo(file, 0o644) == 0)
        #expect(try await failure().message.contains("no regular file"))
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
        #expect(try await failure().message.contains("no regular file"))
        let index = scratch.path + "/layout/index.json"
        try FileManager.default.removeItem(atPath: index)
        try FileManager.default.createSymbolicLink(
            atPath: index,
            withDestinationPath: "/proc/self/environ"
        )
        _ = try await failure()
    }

    @Test func `a layout that is none, too new, or too large is told`() async throws {
        try scratch.write("layout/oci-layout", #"{"imageLayoutVersion":"2.0.0"}"#)
        #expect(try await failure().code == .unsupported)
        try FileManager.default.removeItem(atPath: scratch.path + "/layout/oci-layout")
        #expect(try await failure().code == .notFound)
        try scratch.write("layout/oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#)
        let sparse = try #require(FileHandle(forWritingAtPath: scratch.path + "/layout/index.json"))
        try sparse.truncate(atOffset: 2 << 30)
        #expect(try await failure().message.contains("at most 4194304"))
    }

    @Test func `identifiers are read and what cannot be read is refused`() throws {
        let digest = Digest.of("x")
        let request = try request(
            ":v1@\(digest)",
            ["oci.store": "mine", "oci.layerlimit": "1", "oci.session": "s"]
        )
        #expect(
            request.store == "mine" && request.tag == "v1" && request.digest == digest
                && request.layerLimit == 1
        )
        #expect(try self.request("/dir").store == "base/dir")
        for wrong in ["@sha256:../../x", "@md5:abc", ":"] {
            #expect(throws: SourcesError.self, "\(wrong)") { _ = try self.request(wrong) }
        }
        #expect(throws: SourcesError.self) { _ = try self.request("", ["oci.layerlimit": "0"]) }
        #expect(throws: SourcesError.self) {
            _ = try self.request("@\(digest)", ["image.checksum": "\(Digest.of("y"))"])
        }
    }
}
