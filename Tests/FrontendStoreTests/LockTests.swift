// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import OCI
import ProjectFiles
import RegistryTestSupport
import SystemPackage
import Testing

@testable import FrontendStore

@Suite struct LockTests {
    /// A layout with some releases of `acme/spec`.
    private struct Fixture {
        let scratch: Scratch
        let layout: FilePath

        init(_ packages: [[String: TestFile]]) async throws {
            let scratch = try Scratch()
            self.scratch = scratch
            let layout = FilePath(scratch.path).appending("releases")
            self.layout = layout
            try await withService(scratch) { service in
                for (index, files) in packages.enumerated() {
                    let packed = try await service.pack(scratch.package("package-\(index)", files))
                    try await service.publish(packed, to: .layout(layout))
                }
            }
        }

        var places: FrontendPlaces { FrontendPlaces(root: FilePath(scratch.path)) }

        func project(_ constraint: String, _ rest: String = "") throws -> ProjectFile {
            try FrontendStoreTests.project(
                "\"acme/spec\" = { version = \"\(constraint)\", source = \"layout:releases\" }",
                rest
            )
        }

        func lock(
            _ project: ProjectFile,
            old: LockFile? = nil,
            _ change: (inout LockRequest) throws -> Void = { _ in }
        ) async throws -> (lock: LockFile, changes: [LockChange]) {
            var request = LockRequest(offer: everything)
            try change(&request)
            let wanted = request
            return try await withService(scratch) { service in
                try await service.lock(project, old: old, in: places, wanted)
            }
        }
    }

    private let spec: FrontendName

    init() throws { spec = try FrontendName(parsing: "acme/spec") }

    @Test func `the newest version that fits is locked, pre-releases only when they are named`() async throws {
        let fixture = try await Fixture(
            ["1.4.2", "1.4.10", "1.5.0", "2.0.0-rc.1", "1.4.11+build.7"].map { package($0) }
        )
        for (constraint, version) in [
            ("~1.4", "1.4.11+build.7"), ("^1", "1.5.0"), ("*", "1.5.0"), ("=1.4.2", "1.4.2"),
            ("^2.0.0-rc", "2.0.0-rc.1"),
        ] {
            let (lock, changes) = try await fixture.lock(fixture.project(constraint))
            #expect(lock.frontends[spec]?.version.description == version, "\(constraint)")
            #expect(lock.frontends[spec]?.constraint == constraint)
            #expect(changes.count == 1 && changes[0].old == nil)
        }
        let error = try await failure(FrontendStoreError.self) { _ = try await fixture.lock(fixture.project("^3")) }
        #expect(error.code == .notFound)
        #expect(error.message.contains("cannot find a version for ^3 of acme/spec"))
        #expect(error.message.contains("1.4.2") && error.message.contains("2.0.0-rc.1"))
    }

    @Test func `a pin that fits stays when newer versions come, and moves when it is updated`() async throws {
        let fixture = try await Fixture([package("1.4.2")])
        let first = try await fixture.lock(fixture.project("^1")).lock
        try await withService(fixture.scratch) { service in
            let packed = try await service.pack(fixture.scratch.package("newer", package("1.5.0", says: "newer")))
            try await service.publish(packed, to: .layout(fixture.layout))
        }
        let (kept, changes) = try await fixture.lock(fixture.project("^1"), old: first)
        #expect(kept == first && changes.isEmpty)
        let (updated, moved) = try await fixture.lock(fixture.project("^1"), old: first) { $0.updating = nil }
        #expect(updated.frontends[spec]?.version.description == "1.5.0")
        #expect(moved.first?.old?.version.description == "1.4.2")
        let back = try await fixture.lock(fixture.project("^1"), old: updated) {
            $0.precise = [spec: try SemanticVersion(parsing: "1.4.2")]
        }.lock
        #expect(back == first)
        let error = try await failure(ProjectError.self) {
            _ = try await fixture.lock(fixture.project("~1.4"), old: first) {
                $0.precise = [spec: try SemanticVersion(parsing: "1.5.0")]
            }
        }
        #expect(error.code == .lockOutdated)
        #expect(
            error.description.hasPrefix("F205 kiln.toml:4: cannot pin acme/spec 1.5.0: kiln.toml says ~1.4."),
            "\(error)"
        )
    }

    @Test func `two majors of one package stand side by side under two names`() async throws {
        let fixture = try await Fixture([package("1.4.2"), package("2.1.0", says: "two")])
        let wanted = try project(
            """
            "acme/spec" = { version = "^1", source = "layout:releases" }
            "acme/spec-next" = { package = "acme/spec", version = "^2", source = "layout:releases" }
            """
        )
        let lock = try await fixture.lock(wanted).lock
        #expect(lock.frontends[spec]?.version.description == "1.4.2")
        let next = lock.frontends[try FrontendName(parsing: "acme/spec-next")]
        #expect(next?.version.description == "2.1.0" && next?.package == spec)
        #expect(try LockFile(json: lock.json) == lock)
    }

    @Test func `all platforms of a release are locked, and one that is not published is F208`() async throws {
        var files = package()
        files["frontend.toml"] = .text(manifestText(platforms: ["linux/amd64": "x86", "linux/arm64": "arm"]))
        files["x86/bin/spec"] = .text("x86", mode: 0o755)
        files["arm/bin/spec"] = .text("arm", mode: 0o755)
        let fixture = try await Fixture([files])
        let lock = try await fixture.lock(fixture.project("^1")).lock
        #expect(lock.frontends[spec]?.platforms.keys.sorted() == ["linux/amd64", "linux/arm64"])
        let riscv = try Platform(parsing: "linux/riscv64")
        let error = try await failure(ProjectError.self) {
            _ = try await fixture.lock(fixture.project("^1"), old: lock) { $0.platforms = [riscv] }
        }
        #expect(error.description.hasPrefix("F208 kiln.lock: acme/spec 1.4.2 is not published for linux/riscv64"))
        // An entry that was written for fewer platforms is completed, its version kept.
        var partial = lock
        partial.frontends[spec]?.platforms["linux/arm64"] = nil
        let completed = try await fixture.lock(fixture.project("^1", "platforms = [\"linux/arm64\"]"), old: partial)
            .lock
        #expect(completed.frontends[spec]?.platforms == lock.frontends[spec]?.platforms)
    }

    @Test func `a version this engine cannot run is F212 or F213 when it is locked`() async throws {
        var other = package("2.0.0")
        other["frontend.toml"] = .text(manifestText("acme/spec", "2.0.0", protocols: "3.0"))
        var demanding = package("3.0.0")
        demanding["frontend.toml"] = .text(manifestText("acme/spec", "3.0.0", requires: "\"x-acme.telepathy\""))
        let fixture = try await Fixture([package(), other, demanding])
        let version = try await failure(ProjectError.self) { _ = try await fixture.lock(fixture.project("^2")) }
        #expect(
            version.description.hasPrefix(
                "F212 frontend.toml: acme/spec 2.0.0 speaks protocol 3.x; this engine speaks 1.x."
            )
        )
        let capability = try await failure(ProjectError.self) { _ = try await fixture.lock(fixture.project("^3")) }
        #expect(
            capability.description
                == "F213 frontend.toml: acme/spec 3.0.0 needs capability \"x-acme.telepathy\", which this engine does not have"
        )
    }

    @Test func `an update that asks for more than before is F214 until it is granted`() async throws {
        var greedy = package("1.5.0")
        greedy["frontend.toml"] = .text(manifestText("acme/spec", "1.5.0", secrets: ["npm-token"]))
        let fixture = try await Fixture([package(), greedy])
        let first = try await fixture.lock(fixture.project("~1.4")).lock
        let error = try await failure(ProjectError.self) {
            _ = try await fixture.lock(fixture.project("^1"), old: first) { $0.updating = nil }
        }
        #expect(
            error.description == """
                F214 kiln.toml: acme/spec 1.5.0 asks for secret "npm-token"; 1.4.2 did not. \
                Stay on 1.4.2, or grant it by writing there:
                  [grant."acme/spec"]
                  secrets = ["npm-token"]
                """
        )
        let granted = try fixture.project("^1", "[grant.\"acme/spec\"]\nsecrets = [\"npm-token\"]")
        let lock = try await fixture.lock(granted, old: first) { $0.updating = nil }.lock
        #expect(lock.frontends[spec]?.version.description == "1.5.0")
        #expect(lock.frontends[spec]?.permissions.secrets == ["npm-token"])
    }

    @Test func `what the project does not list any more is unlocked, and pins of sources stay`() async throws {
        let fixture = try await Fixture([package()])
        var first = try await fixture.lock(fixture.project("^1")).lock
        let key = try #require(SourceKey(Reference(parsing: "alpine:3")))
        first.sources[key] = .image(Digest.of("alpine"), platforms: [:])
        let (lock, changes) = try await fixture.lock(project("dockerfile = \"^1\""), old: first)
        #expect(lock.frontends.isEmpty && lock.sources == first.sources)
        #expect(changes.map(\.name) == [spec] && changes[0].new == nil)
    }

    @Test func `a release under the tag of another version, or of another package, is refused`() async throws {
        let fixture = try await Fixture([package("1.4.2")])
        let index = "\(fixture.layout)/index.json"
        let text = try String(contentsOfFile: index, encoding: .utf8)
        try text.replacing("\"1.4.2\"", with: "\"1.9.0\"").write(toFile: index, atomically: true, encoding: .utf8)
        let version = try await failure(FrontendStoreError.self) { _ = try await fixture.lock(fixture.project("^1")) }
        #expect(version.message.contains("what is tagged 1.9.0 there is acme/spec 1.4.2"))
        let other = try project("\"acme/other\" = { version = \"^1\", source = \"layout:releases\" }")
        try text.replacing("\"vnd.kiln.frontend.name\":\"acme/spec\"", with: "\"x\":\"y\"")
            .write(toFile: index, atomically: true, encoding: .utf8)
        let name = try await failure(FrontendStoreError.self) { _ = try await fixture.lock(other) }
        #expect(name.message.contains("is acme/spec 1.4.2"))
    }

    @Test func `differences between kiln.toml and the lock are named without asking anybody`() async throws {
        let fixture = try await Fixture([package()])
        let lock = try await fixture.lock(fixture.project("^1")).lock
        func differences(_ text: String, _ platforms: [Platform] = []) throws -> [String] {
            let root = FilePath(fixture.scratch.path).appending("project-\(randomToken())")
            try ProjectDirectory.write(
                Array("version = 1\n[frontends]\n\(text)\n".utf8),
                to: root.appending("kiln.toml")
            )
            try ProjectDirectory.write(lock.json, to: root.appending("kiln.lock"))
            return try #require(try ProjectDirectory.find(from: root)).lockDifferences(platforms: platforms)
                .map(\.message)
        }
        let source = "source = \"layout:releases\""
        #expect(try differences("\"acme/spec\" = { version = \"^1\", \(source) }").isEmpty)
        #expect(
            try differences("\"acme/spec\" = { version = \"^2\", \(source) }") == [
                "acme/spec is locked at 1.4.2, kiln.toml says ^2"
            ]
        )
        #expect(
            try differences("\"acme/spec\" = { version = \"~1.4\", \(source) }") == [
                "acme/spec was locked for ^1, kiln.toml says ~1.4"
            ]
        )
        #expect(
            try differences("\"acme/other\" = { version = \"^1\", \(source) }") == [
                "acme/other is not locked", "acme/spec is locked and not listed",
            ]
        )
    }
}
