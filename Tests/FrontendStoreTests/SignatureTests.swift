// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import OCI
import ProjectFiles
import RegistryTestSupport
import SystemPackage
import Testing

@testable import FrontendStore

@Suite struct SignatureTests {
    /// A key pair as `openssl` makes it.
    static func keyPair() throws -> (key: SigningKey, publicKey: TrustedKey) {
        func run(_ arguments: [String], _ input: [UInt8] = []) throws -> String {
            let answer = try HelperProgram(path: "/usr/bin/openssl", arguments: arguments, environment: [:])
                .run(input: input, outputByteLimit: 1 << 16, timeLimit: .seconds(20))
            return String(decoding: answer.output, as: UTF8.self)
        }
        let pem = try run(["genpkey", "-algorithm", "ed25519"])
        return (try SigningKey(pem: pem), try TrustedKey(parsing: run(["pkey", "-pubout"], Array(pem.utf8))))
    }

    /// A layout with one release that a key signed.
    private func signedLayout(_ scratch: Scratch, _ key: SigningKey?) async throws -> (FilePath, PackedFrontend) {
        let directory = try scratch.package("package-\(randomToken())", package())
        let layout = FilePath(scratch.path).appending("layout-\(randomToken())")
        let packed = try await withService(scratch) { service in
            let packed = try await service.pack(directory, signedBy: key)
            try await service.publish(packed, to: .layout(layout))
            return packed
        }
        return (layout, packed)
    }

    private func places(_ scratch: Scratch, _ keys: [TrustedKey], required: Bool) throws -> FrontendPlaces {
        let list = keys.map { "\"\($0)\"" }.joined(separator: ", ")
        let text = "version = 1\n[trust.\"layout:*\"]\nkeys = [\(list)]\nrequired = \(required)\n"
        return FrontendPlaces(
            root: FilePath(scratch.path),
            rules: try OriginRules(toml: Array(text.utf8), file: "config.toml")
        )
    }

    private func lock(_ scratch: Scratch, _ layout: FilePath, _ places: FrontendPlaces) async throws -> LockFile {
        let wanted = try project("\"acme/spec\" = { version = \"^1\", source = \"layout:\(layout)\" }")
        return try await withService(scratch, "locker") { service in
            try await service.lock(wanted, old: nil, in: places, LockRequest(offer: everything)).lock
        }
    }

    @Test func `a key of openssl signs, and its public half in either form verifies`() throws {
        let (key, publicKey) = try Self.keyPair()
        #expect(key.publicKey == publicKey)
        #expect(try TrustedKey(parsing: publicKey.description) == publicKey)
        #expect(publicKey.id.utf8.count == 16)
        for text in [
            "ed25519:", "ed25519:AAAA", "rsa:x", "", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        ] {
            #expect(throws: FrontendStoreError.self) { try TrustedKey(parsing: text) }
        }
        #expect(throws: FrontendStoreError.self) { try SigningKey(pem: "secret words") }
    }

    @Test func `a release signed by a trusted key is locked and verified`() async throws {
        let scratch = try Scratch()
        let (key, publicKey) = try Self.keyPair()
        let (layout, _) = try await signedLayout(scratch, key)
        let places = try places(scratch, [publicKey], required: true)
        let lock = try await lock(scratch, layout, places)
        let verified = try await withService(scratch) { try await $0.verify(lock, in: places, isDeep: true) }
        #expect(verified.map(\.signers) == [[publicKey.id]])
    }

    @Test func `where a signature is required, none and one by another key are refused`() async throws {
        let scratch = try Scratch()
        let (key, _) = try Self.keyPair()
        let (_, stranger) = try Self.keyPair()
        for signer in [nil, key] {
            let (layout, _) = try await signedLayout(scratch, signer)
            let error = try await failure(FrontendStoreError.self) {
                _ = try await lock(scratch, layout, places(scratch, [stranger], required: true))
            }
            #expect(error.code == .untrusted)
            #expect(error.message.contains("requires a signature by \(stranger.id), and it has none"))
            // A rule that does not require one lets both in.
            _ = try await lock(scratch, layout, places(scratch, [stranger], required: false))
        }
    }

    @Test func `a signature that was made for another release is refused, required or not`() async throws {
        let scratch = try Scratch()
        let (key, publicKey) = try Self.keyPair()
        let (layout, packed) = try await signedLayout(scratch, nil)
        let other = try await withService(scratch) { service in
            try await service.pack(scratch.package("other", package("1.4.3")))
        }
        let foreign = try ReleaseSignature(of: other.release, by: key)
        #expect(!foreign.isValid(for: packed.release, by: publicKey))
        // The document under the tag that this release's signature would have.
        let document = foreign.document
        var index = try #require(
            try JSONValue(parsing: Data(contentsOf: URL(filePath: "\(layout)/index.json")).map { $0 })["manifests"]?
                .elements
        )
        let entry = """
            {"mediaType":"\(MediaType.manifest)","digest":"\(Digest.of(document.manifest))","size":\(document.manifest.count),\
            "annotations":{"org.opencontainers.image.ref.name":\
            "sha256-\(packed.release.digest.hex).\(publicKey.id).sig"}}
            """
        index.append(try JSONValue(parsing: entry))
        let list = JSONValue.object([JSONMember("schemaVersion", .integer(2)), JSONMember("manifests", .array(index))])
        try Data(list.encoded).write(to: URL(filePath: "\(layout)/index.json"))
        try Data(document.manifest).write(
            to: URL(filePath: "\(layout)/blobs/sha256/\(Digest.of(document.manifest).hex)")
        )
        for required in [true, false] {
            let error = try await failure(FrontendStoreError.self) {
                _ = try await lock(scratch, layout, places(scratch, [publicKey], required: required))
            }
            #expect(error.code == .badSignature)
            #expect(error.message.contains("its signature by the key \(publicKey.id) does not verify"))
        }
    }

    @Test func `fetching checks the signature too, and a bundle carries it along`() async throws {
        let scratch = try Scratch()
        let (key, publicKey) = try Self.keyPair()
        let (layout, packed) = try await signedLayout(scratch, key)
        let open = FrontendPlaces(root: FilePath(scratch.path))
        let lock = try await lock(scratch, layout, open)
        let bundle = FilePath(scratch.path).appending("bundle.tar")
        try await withService(scratch) { try await $0.bundle(lock, in: open, to: bundle) }
        let entry = try #require(lock.frontends.first)
        let locked = LockedFrontend(
            name: entry.key,
            entry: entry.value,
            tree: try #require(packed.release.trees["any"]),
            grant: .nothing
        )
        try FileManager.default.removeItem(atPath: layout.string)
        var strict = try places(scratch, [publicKey], required: true)
        strict.additional = [.bundle(bundle)]
        let fetched = try await withService(scratch, "user") { try await $0.obtain(locked, in: strict) }
        #expect(fetched.tree == packed.release.trees["any"])
        let (_, stranger) = try Self.keyPair()
        var stricter = try places(scratch, [stranger], required: true)
        stricter.additional = [.bundle(bundle)]
        let refusing = stricter
        let error = try await failure(FrontendStoreError.self) {
            _ = try await withService(scratch, "another") { try await $0.obtain(locked, in: refusing) }
        }
        #expect(error.code == .untrusted)
    }
}
