// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import OCI
import ProjectFiles
import Testing

/// Texts that others than the resolver tell; those of the resolver are in `Protocol/vectors/resolve`.
struct ErrorTextTests {
    private let version = SemanticVersion(1, 4, 2)

    private func name() throws -> FrontendName { try FrontendName(parsing: "acme/spec") }

    private func tree(_ digit: Character) throws -> TreeDigest {
        try TreeDigest(parsing: "ft1:" + String(repeating: digit, count: 64))
    }

    @Test func `F209 names where was looked`() throws {
        let tree = try tree("4")
        let offline = ProjectError.unavailable(try name(), version, tree, places: ["vendor/frontends", "store"])
        #expect(
            offline.description
                == """
                F209 kiln.lock: acme/spec 1.4.2 (\(tree)) is not in vendor/ or the store and --offline is set. \
                Looked in: vendor/frontends, store
                """
        )
        #expect(offline.fault == .input)
        let online = ProjectError.unavailable(try name(), version, tree, places: [], reason: "no route")
        #expect(online.message.hasSuffix("the store, and it could not be fetched: no route. Looked in: nothing"))
        // Another day it may be there.
        #expect(online.fault == .environment)
    }

    @Test func `F211 names both digests and where the content came from`() throws {
        let error = ProjectError.wrongContent(
            try name(),
            version,
            from: "registry.corp",
            found: "ft1:e3",
            locked: "ft1:41"
        )
        #expect(
            error.message
                == "acme/spec 1.4.2: content from registry.corp has digest ft1:e3, lock says ft1:41. Nothing was run."
        )
        #expect(error.description.hasPrefix("F211 "))
    }

    @Test func `F212 names the newest release that would do, where it is known`() throws {
        let error = ProjectError.protocolVersion(
            try name(),
            version,
            spoken: [3],
            engine: [2, 1],
            newest: SemanticVersion(1, 3, 9)
        )
        #expect(
            error.message
                == "acme/spec 1.4.2 speaks protocol 3.x; this engine speaks 1.x, 2.x. Newest compatible release: 1.3.9"
        )
    }

    @Test func `F217 and F218 name the image and the command`() throws {
        let key = try #require(SourceKey(identifier: "docker-image://alpine:3.20"))
        #expect(
            ProjectError.sourceNotLocked(key).description
                == "F217 kiln.lock has no entry for alpine:3.20, and --locked is set. Run: kiln lock"
        )
        #expect(
            ProjectError.sourcePlatform(key, platform: "linux/arm64", has: ["linux/riscv64", "linux/amd64"]).message
                == """
                kiln.lock has no linux/arm64 entry for alpine:3.20 (has linux/amd64, linux/riscv64), and --locked is set. \
                Run: kiln lock --platform linux/arm64
                """
        )
        #expect(
            ProjectError.sourceChanged(key, found: "sha256:a", locked: "sha256:b").description
                == "F218 kiln.lock: alpine:3.20 is sha256:a, kiln.lock says sha256:b. Run: kiln update alpine:3.20"
        )
    }

    @Test func `texts from outside cannot write lines of their own or turn a message around`() {
        let error = #expect(throws: ProjectError.self) {
            try SemanticVersion(parsing: "1.2\n\u{1B}[31m\u{202E}x" + String(repeating: "y", count: 90))
        }
        #expect(error?.message.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E } == false)
    }

    @Test func `every code has its number once`() {
        let numbers = ProjectError.Code.allCases.map(\.rawValue).filter { $0.hasPrefix("F") }
        #expect(numbers == (201...218).map { "F\($0)" })
    }
}
