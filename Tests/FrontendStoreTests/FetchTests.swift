// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import OCI
import ProjectFiles
import Registry
import RegistryTestSupport
import Synchronization
import SystemPackage
import Testing

@testable import FrontendStore

@Suite struct FetchTests {
    /// A release, published in a layout, and a lock that pins it.
    struct Fixture {
        let scratch: Scratch
        let layout: FilePath
        let packed: PackedFrontend
        let locked: LockedFrontend

        init(source: String = "layout:releases") async throws {
            let scratch = try Scratch()
            self.scratch = scratch
            let layout = FilePath(scratch.path).appending("releases")
            self.layout = layout
            packed = try await withService(scratch, "author") { service in
                let packed = try await service.pack(scratch.package("package", package()))
                try await service.publish(packed, to: .layout(layout))
                return packed
            }
            locked = try Self.lock(packed.release, source)
        }

        static func lock(_ release: FrontendRelease, _ source: String) throws -> LockedFrontend {
            let entry = LockFile.Frontend(
                constraint: "^1",
                version: release.version,
                release: release.digest,
                source: source,
                platforms: release.trees,
                permissions: .nothing,
                protocolText: "native 1.0"
            )
            let tree = try #require(release.trees["any"])
            return LockedFrontend(name: release.name, entry: entry, tree: tree, grant: .nothing)
        }

        var places: FrontendPlaces { FrontendPlaces(root: FilePath(scratch.path)) }

        func obtain(
            _ locked: LockedFrontend? = nil,
            state: String = "user",
            _ change: (inout FrontendPlaces) -> Void = { _ in }
        ) async throws -> TreeDigest? {
            var places = places
            change(&places)
            let chosen = places
            return try await withService(scratch, state) { service in
                try await service.obtain(locked ?? self.locked, in: chosen).tree
            }
        }

        /// The file of a blob in the layout.
        func blob(_ digest: Digest) -> String { "\(layout)/blobs/sha256/\(digest.hex)" }

        var layer: Digest {
            get throws { try #require(packed.blobs.first { $0.mediaType == MediaType.layerZstd }).digest }
        }
    }

    @Test func `a pinned release comes from its source once, and from the store afterwards`() async throws {
        let fixture = try await Fixture()
        #expect(try await fixture.obtain() == fixture.locked.tree)
        try FileManager.default.removeItem(atPath: fixture.layout.string)
        #expect(try await fixture.obtain { $0.isOffline = true } == fixture.locked.tree)
    }

    @Test func `what is nowhere is F209 with the places that were looked at`() async throws {
        let fixture = try await Fixture(source: "oci://127.0.0.1:1/acme/spec")
        let offline = try await failure(ProjectError.self) { _ = try await fixture.obtain { $0.isOffline = true } }
        #expect(
            offline.description == """
                F209 kiln.lock: acme/spec 1.4.2 (\(fixture.locked.tree)) is not in vendor/ or the store and --offline is \
                set. Looked in: \(fixture.scratch.path)/vendor/frontends, \(fixture.scratch.path)/user/frontends
                """
        )
        let online = try await failure(ProjectError.self) { _ = try await fixture.obtain() }
        #expect(online.code == .unavailable && online.fault == .environment)
        #expect(online.description.contains("127.0.0.1:1"))
    }

    @Test func `a vendored copy is taken without any source, and a changed one is F211`() async throws {
        let fixture = try await Fixture()
        let lock = LockFile(frontends: [
            fixture.locked.name: LockFile.Frontend(
                constraint: "^1",
                version: fixture.locked.version,
                release: fixture.locked.release,
                source: fixture.locked.source,
                platforms: ["any": fixture.locked.tree],
                permissions: .nothing,
                protocolText: "native 1.0"
            )
        ])
        let written = try await withService(fixture.scratch) { service in
            try await service.vendor(lock, in: fixture.places, to: fixture.places.vendor)
        }
        #expect(written == ["acme/spec 1.4.2 (any)"])
        try FileManager.default.removeItem(atPath: fixture.layout.string)
        #expect(try await fixture.obtain { $0.isOffline = true } == fixture.locked.tree)

        let folder = "\(fixture.places.vendor)/acme/spec/1.4.2/any"
        try Data("evil".utf8).write(to: URL(filePath: folder + "/data/words.txt"))
        let found = try FrontendPackage.digest(of: FilePath(folder))
        let error = try await failure(ProjectError.self) {
            _ = try await fixture.obtain(state: "fresh") { $0.isOffline = true }
        }
        #expect(
            error.description == """
                F211 kiln.lock: acme/spec 1.4.2: content from \(folder) has digest \(found), lock says \
                \(fixture.locked.tree). Nothing was run.
                """
        )
        let verified = try await failure(ProjectError.self) {
            _ = try await withService(fixture.scratch) { try await $0.verify(lock, in: fixture.places, isDeep: false) }
        }
        #expect(verified.code == .wrongContent)
    }

    @Test func `a changed tree of the store is F211 and is not replaced by a build`() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.obtain()
        let tree = FilePath("\(fixture.scratch.path)/user/frontends/sha256/\(fixture.locked.tree.digest.hex)")
        let data = try Directory(host: tree).directory("data")
        try data.setMode(name: "words.txt", 0o644)
        try data.open("words.txt", flags: O_WRONLY | O_TRUNC).write("evil".utf8)
        let error = try await failure(ProjectError.self) { _ = try await fixture.obtain() }
        #expect(error.code == .wrongContent)
        #expect(error.description.hasPrefix("F211 kiln.lock: acme/spec 1.4.2: content from \(tree) has digest ft1:"))
    }

    @Test func `changed bytes of the layer, of a manifest and of the release are F211`() async throws {
        let fixture = try await Fixture()
        let variant = fixture.packed.release.variants[0]
        for (index, digest) in [try fixture.layer, variant.manifest.digest, fixture.packed.release.digest].enumerated()
        {
            let path = fixture.blob(digest)
            let sound = try Data(contentsOf: URL(filePath: path))
            var changed = sound
            changed[changed.count / 2] ^= 1
            try changed.write(to: URL(filePath: path))
            let error = try await failure(ProjectError.self) { _ = try await fixture.obtain(state: "user-\(index)") }
            #expect(
                error.description == """
                    F211 kiln.lock: acme/spec 1.4.2: content from \(fixture.layout) has digest \
                    \(Digest.of([UInt8](changed))), lock says \(digest). Nothing was run.
                    """
            )
            #expect(fixture.scratch.names(in: "user-\(index)/frontends/sha256").isEmpty)
            try sound.write(to: URL(filePath: path))
        }
    }

    @Test func `a release that promises another tree than it has is F211`() async throws {
        let fixture = try await Fixture()
        let lie = TreeDigest(Digest.of("a lie"))
        let variant = fixture.packed.release.variants[0]
        let release = FrontendRelease(
            name: fixture.locked.name,
            version: fixture.locked.version,
            variants: [.init(platform: "any", tree: lie, manifest: variant.manifest)]
        )
        try Data(release.bytes).write(to: URL(filePath: fixture.blob(release.digest)))
        let error = try await failure(ProjectError.self) {
            _ = try await fixture.obtain(Fixture.lock(release, "layout:releases"))
        }
        #expect(
            error.description == """
                F211 kiln.lock: acme/spec 1.4.2: content from \(fixture.layout) has digest \(fixture.locked.tree), \
                lock says \(lie). Nothing was run.
                """
        )
    }

    @Test func `a mirror is asked first, one that is down is passed over, one with other content is F211`() async throws
    {
        let fixture = try await Fixture()
        func rules(_ target: String) throws -> OriginRules {
            let text = "version = 1\n[[mirror]]\nmatch = \"layout:releases\"\nto = \"\(target)\"\n"
            return try OriginRules(toml: Array(text.utf8), file: "config.toml")
        }
        let down = try rules("oci://127.0.0.1:1/acme/spec")
        #expect(try await fixture.obtain(state: "one") { $0.rules = down } == fixture.locked.tree)
        // A mirror that has it all: the source may be gone.
        try FileManager.default.copyItem(atPath: fixture.layout.string, toPath: fixture.scratch.path + "/mirror")
        let whole = try rules("layout:mirror")
        let path = "\(fixture.scratch.path)/mirror/blobs/sha256/\(try fixture.layer.hex)"
        #expect(try await fixture.obtain(state: "two") { $0.rules = whole } == fixture.locked.tree)
        try Data("other".utf8).write(to: URL(filePath: path))
        let error = try await failure(ProjectError.self) {
            _ = try await fixture.obtain(state: "three") { $0.rules = whole }
        }
        #expect(
            error.code == .wrongContent && error.description.contains("content from \(fixture.scratch.path)/mirror")
        )
    }

    @Test func `a web server with the files of a layout is a source`() async throws {
        let fixture = try await Fixture()
        let layout = fixture.layout.string
        let server = try ScriptedServer { request in
            guard let data = try? Data(contentsOf: URL(filePath: layout + request.path.dropFirst("/spec".count))) else {
                return .init(status: 404)
            }
            return .init(body: [UInt8](data))
        }
        let source = "http://\(server.host)/spec"
        let wanted = try project("\"acme/spec\" = { version = \"^1\", source = \"\(source)\" }")
        let lock = try await withService(fixture.scratch, "locker") { service in
            try await service.lock(wanted, old: nil, in: fixture.places, LockRequest(offer: everything)).lock
        }
        #expect(lock.frontends[fixture.locked.name]?.release == fixture.locked.release)
        let locked = try Fixture.lock(fixture.packed.release, source)
        #expect(try await fixture.obtain(locked) == fixture.locked.tree)
        // What the server sends under a digest's name is hashed.
        try Data("other".utf8).write(to: URL(filePath: fixture.blob(fixture.layer)))
        let error = try await failure(ProjectError.self) { _ = try await fixture.obtain(locked, state: "other") }
        #expect(error.code == .wrongContent && error.description.contains("Nothing was run."))
        withExtendedLifetime(server) {}
    }

    @Test func `equal locks make equal bundles, and a bundle is all that is needed`() async throws {
        let fixture = try await Fixture()
        let lock = LockFile(frontends: [
            fixture.locked.name: LockFile.Frontend(
                constraint: "^1",
                version: fixture.locked.version,
                release: fixture.locked.release,
                source: "layout:releases",
                platforms: ["any": fixture.locked.tree],
                permissions: .nothing,
                protocolText: "native 1.0"
            )
        ])
        let bundles = ["one.tar", "two.tar"].map { FilePath(fixture.scratch.path).appending($0) }
        for (index, bundle) in bundles.enumerated() {
            try await withService(fixture.scratch, "bundler-\(index)") {
                try await $0.bundle(lock, in: fixture.places, to: bundle)
            }
        }
        #expect(
            try Data(contentsOf: URL(filePath: bundles[0].string)) == Data(contentsOf: URL(filePath: bundles[1].string))
        )
        try FileManager.default.removeItem(atPath: fixture.layout.string)
        let tree = try await fixture.obtain {
            $0.isOffline = true
            $0.additional = [.bundle(bundles[0])]
        }
        #expect(tree == fixture.locked.tree)
        // As the source itself, and cut short.
        let locked = try Fixture.lock(fixture.packed.release, "bundle:two.tar")
        #expect(try await fixture.obtain(locked, state: "second") == fixture.locked.tree)
        let whole = try Data(contentsOf: URL(filePath: bundles[1].string))
        try whole.prefix(whole.count / 2).write(to: URL(filePath: bundles[1].string))
        await #expect(throws: (any Error).self) { try await fixture.obtain(locked, state: "third") }
        #expect(fixture.scratch.names(in: "third/frontends/sha256").isEmpty)
    }

    @Test func `a directory with a frontend.toml is a source of one release`() async throws {
        let scratch = try Scratch()
        let places = FrontendPlaces(root: FilePath(scratch.path))
        let directory = try scratch.package("tools/gen", package("0.3.0"))
        let wanted = try project("\"acme/spec\" = { version = \"*\", source = \"path:tools/gen\" }")
        let lock = try await withService(scratch, "locker") { service in
            try await service.lock(wanted, old: nil, in: places, LockRequest(offer: everything)).lock
        }
        let entry = try #require(lock.frontends.first)
        let tree = try #require(entry.value.tree(for: .host))
        #expect(try FrontendPackage.digest(of: directory) == tree)
        let locked = LockedFrontend(name: entry.key, entry: entry.value, tree: tree, grant: .nothing)
        let fetched = try await withService(scratch, "user") { try await $0.obtain(locked, in: places) }
        #expect(fetched.tree == tree)
        // It goes on changing, its pin does not: what stands there now is another release.
        try Data("changed".utf8).write(to: URL(filePath: directory.string + "/data/words.txt"))
        let error = try await failure(ProjectError.self) {
            _ = try await withService(scratch, "late") { try await $0.obtain(locked, in: places) }
        }
        #expect(error.code == .unavailable)
        // Whoever pinned it has it.
        let kept = try await withService(scratch, "locker") { try await $0.obtain(locked, in: places) }
        #expect(kept.tree == tree)
    }

    @Test func `a tree whose frontend.toml is of another package or version is refused`() async throws {
        let fixture = try await Fixture()
        for (name, version) in [("acme/spec", "9.9.9"), ("acme/other", "1.4.2")] {
            let release = FrontendRelease(
                name: try FrontendName(parsing: name),
                version: try SemanticVersion(parsing: version),
                variants: fixture.packed.release.variants
            )
            try Data(release.bytes).write(to: URL(filePath: fixture.blob(release.digest)))
            let error = try await failure(FrontendStoreError.self) {
                _ = try await fixture.obtain(Fixture.lock(release, "layout:releases"))
            }
            #expect(error.code == .badRelease)
            #expect(error.message.contains("the frontend.toml in its tree is of acme/spec 1.4.2"))
        }
    }

    @Test func `many processes that need one frontend at once all get it`() async throws {
        let fixture = try await Fixture()
        try await withThrowingTaskGroup(of: TreeDigest?.self) { group in
            for _ in 0..<8 { group.addTask { try await fixture.obtain(state: "shared") } }
            for try await tree in group { #expect(tree == fixture.locked.tree) }
        }
        #expect(fixture.scratch.names(in: "shared/frontends/sha256") == [fixture.locked.tree.digest.hex])
    }
}

@Suite(.enabled(if: RegistryProcess.isInstalled, "docker-registry is not installed"))
struct PublishTests {
    @Test func `a published release is found by its tag, locked, fetched, and stays what it is`() async throws {
        let scratch = try Scratch()
        let registry = try await RegistryProcess(scratch)
        let source = "oci://\(registry.host)/acme/spec"
        let origin = try FrontendOrigin(parsing: source, relativeTo: "/")
        let places = FrontendPlaces(root: FilePath(scratch.path))
        let (key, publicKey) = try SignatureTests.keyPair()
        try await withService(scratch, "author") { service in
            for version in ["1.4.2", "1.5.0"] {
                let directory = try scratch.package("package-\(version)", package(version, says: version))
                let packed = try await service.pack(directory, signedBy: key)
                try await service.publish(packed, to: origin)
                // Once more is fine.
                try await service.publish(packed, to: origin)
            }
            let other = try await service.pack(scratch.package("other", package("1.5.0", says: "something else")))
            let error = try await failure(FrontendStoreError.self) { try await service.publish(other, to: origin) }
            #expect(error.code == .conflict && error.message.contains("give it another version"))
        }
        let wanted = try project("\"acme/spec\" = { version = \"~1.4\", source = \"\(source)\" }")
        var strict = places
        strict.rules = try OriginRules(
            toml: Array(
                "version = 1\n[trust.\"\(registry.host)/*\"]\nkeys = [\"\(publicKey)\"]\nrequired = true\n".utf8
            ),
            file: "config.toml"
        )
        let checked = strict
        let lock = try await withService(scratch, "locker") { service in
            try await service.lock(wanted, old: nil, in: checked, LockRequest(offer: everything)).lock
        }
        let entry = try #require(lock.frontends.first)
        #expect(entry.value.version.description == "1.4.2")
        let tree = try #require(entry.value.tree(for: .host))
        let locked = LockedFrontend(name: entry.key, entry: entry.value, tree: tree, grant: .nothing)
        let notices = Notices()
        let fetched = try await withService(scratch, "user") { service in
            try await service.obtain(locked, in: checked) { notices.add($0) }
        }
        #expect(fetched.tree == tree)
        #expect(notices.all.count == 1)
        #expect(notices.all.first?.hasPrefix("fetched frontend acme/spec 1.4.2 (") == true)
        #expect(notices.all.first?.hasSuffix(" bytes) from \(registry.host)/acme/spec") == true)
        // The registry's bytes change: nothing of them is used.
        var changedCount = 0
        for file in try FileManager.default.subpathsOfDirectory(atPath: scratch.path + "/registry-\(registry.port)")
        where file.hasSuffix("/data") {
            let whole = scratch.path + "/registry-\(registry.port)/" + file
            if isZstd(whole) {
                var bytes = try Data(contentsOf: URL(filePath: whole))
                bytes[bytes.count - 1] ^= 1
                try bytes.write(to: URL(filePath: whole))
                changedCount += 1
            }
        }
        #expect(changedCount == 2)
        let error = try await failure(ProjectError.self) {
            _ = try await withService(scratch, "victim") { try await $0.obtain(locked, in: places) }
        }
        #expect(error.code == .wrongContent && error.description.hasSuffix("Nothing was run."))
        #expect(scratch.names(in: "victim/frontends/sha256").isEmpty)
    }

    @Test func `a reference that no project lists comes to a release by its tag or digest`() async throws {
        let scratch = try Scratch()
        let registry = try await RegistryProcess(scratch)
        let origin = try FrontendOrigin(parsing: "oci://\(registry.host)/acme/spec", relativeTo: "/")
        let places = FrontendPlaces(root: FilePath(scratch.path))
        try await withService(scratch) { service in
            let packed = try await service.pack(scratch.package("package", package()))
            try await service.publish(packed, to: origin)
            for suffix in ["", ":1", ":1.4", "@\(packed.release.digest)"] {
                let reference = try SyntaxReference(parsing: "\(registry.host)/acme/spec\(suffix)")
                let locked = try await service.resolve(unlisted: reference, in: places)
                #expect(locked.release == packed.release.digest && locked.grant == .nothing)
            }
            let missing = try SyntaxReference(parsing: "\(registry.host)/acme/spec:2")
            await #expect(throws: FrontendStoreError.self) {
                try await service.resolve(unlisted: missing, in: places)
            }
        }
    }

    private func isZstd(_ path: String) -> Bool {
        guard let data = FileManager.default.contents(atPath: path) else { return false }
        return data.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
    }
}

/// Lines that were told, from any task.
private final class Notices: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}
