// SPDX-License-Identifier: Apache-2.0

import Archives
import Foundation
import LinuxSystem
import OCI
import Testing

struct BadInputTests {
    @Test func `an unknown instruction is shown with file, line and the nearest word`() async throws {
        let project = try await Project("FROM busybox\nRUNN echo hi\n")
        let message = try await project.failure()
        #expect(message.contains("Dockerfile:2"))
        #expect(message.contains("RUNN echo hi"))
        #expect(message.contains("did you mean RUN"))
    }

    @Test(arguments: [
        ("", "Dockerfile"), ("FROM\n", "Dockerfile:1"), ("RUN x\n", "Dockerfile:1"),
        ("FROM busybox\nCOPY nothing /\n", "Dockerfile:2"),
        ("FROM busybox\nRUN <<EOT\nunfinished\n", "Dockerfile:2"),
        ("FROM busybox\nCOPY --form=x a b\n", "did you mean --from"),
        ("FROM busybox\nRUN exit 3\n", "exit code: 3"),
        // What only the engine refuses.
        ("FROM busybox\nUSER a\nRUN echo a\u{0}b\n", ">>> RUN echo a"),
    ]) func `a broken build file fails with its place`(
        _ text: String,
        _ expected: String
    ) async throws {
        let message = try await Project(text).failure()
        #expect(message.contains(expected), "\(message)")
    }

    @Test(.timeLimit(.minutes(1)))
    func `a build file of any size is read or refused with the limit named`() async throws {
        let line = "FROM busybox\nRUN " + String(repeating: "x", count: 1 << 20)
        #expect(try await Project(line).failure().contains("at most 65535 are allowed"))
        let huge = String(repeating: "#", count: 17 << 20)
        #expect(try await Project(huge).failure().contains("more than 16777216 bytes"))
        let steps = "FROM busybox\n" + String(repeating: "ENV a=b\n", count: 200_000)
        #expect(try await Project(steps).failure().contains("Dockerfile:"))
        let comments = String(repeating: "# a comment\n", count: 1_000_000) + "FROM scratch\nCOPY Dockerfile /\n"
        try await Project(comments).build()
    }

    @Test func `a build file or a context that does not exist is named`() async throws {
        let project = try await Project("FROM busybox\n")
        #expect(try await project.failure("-f", "/no/such/file").contains("/no/such/file"))
        let result = try await project.kiln.run(
            "build",
            "/no/such/context",
            state: project.workspace.state
        )
        #expect(result.status == 1)
        #expect(result.error.contains("/no/such/context"))
    }

    @Test func `a missing secret file is named`() async throws {
        let project = try await Project(
            "FROM busybox\nRUN --mount=type=secret,id=a,required=true cat /run/secrets/a\n"
        )
        let message = try await project.failure("--secret", "id=a,src=/no/such/secret")
        #expect(message.contains("/no/such/secret"))
    }

    /// A copy of the base image's layout whose largest blob, the layer with busybox, was changed.
    private static func damagedLayout(
        of base: String,
        _ workspace: Workspace,
        _ change: ([UInt8]) -> [UInt8]
    ) throws -> String {
        let layout = workspace.path("layout")
        try FileManager.default.copyItem(atPath: base, toPath: layout)
        let blobs = workspace.names(in: "layout/blobs/sha256")
        let sizes = try blobs.map { try workspace.bytes("layout/blobs/sha256/" + $0).count }
        let largest = try #require(zip(sizes, blobs).max { $0.0 < $1.0 }).1
        let file = "layout/blobs/sha256/" + largest
        try workspace.write(file, change(workspace.bytes(file)))
        return layout
    }

    @Test func `a truncated layer and a layer with other bytes are refused`() async throws {
        for isTruncated in [true, false] {
            let project = try await Project("FROM damaged\nRUN true\n")
            let layout = try Self.damagedLayout(of: project.kiln.base, project.workspace) { bytes in
                if isTruncated { return Array(bytes.prefix(bytes.count / 2)) }
                var bytes = bytes
                bytes[bytes.count / 2] ^= 1
                return bytes
            }
            let result = try await project.tryBuild(
                "--build-context",
                "damaged=oci-layout://\(layout)"
            ).result
            #expect(result.status == 1 || result.status == 75, "\(result.error)")
            #expect(result.error.contains("sha256:"))
            // From a sound copy it builds on the same state directory.
            try project.workspace.write("context/Dockerfile", "FROM busybox\nRUN true\n")
            try await project.build()
        }
    }

    /// Writes an OCI layout of one image with one layer of the given entries.
    private static func layout(
        _ workspace: Workspace,
        _ entries: [TarEntry],
        content: [UInt8]
    ) throws -> String {
        var layer: [UInt8] = []
        for entry in entries {
            layer += Self.header(entry, size: entry.kind == .regular ? content.count : 0)
            if entry.kind == .regular {
                layer += content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
            }
        }
        layer += [UInt8](repeating: 0, count: 1024)
        func blob(_ bytes: [UInt8], _ type: String) throws -> String {
            let digest = Digest.of(bytes)
            try workspace.write("layout/blobs/sha256/\(digest.hex)", bytes)
            return #"{"mediaType":"\#(type)","digest":"\#(digest)","size":\#(bytes.count)}"#
        }
        let prefix = "application/vnd.oci.image."
        let layerText = try blob(layer, prefix + "layer.v1.tar")
        let config =
            #"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["\#(Digest.of(layer))"]}}"#
        let configText = try blob(Array(config.utf8), prefix + "config.v1+json")
        let manifest =
            #"{"schemaVersion":2,"mediaType":"\#(prefix)manifest.v1+json","config":\#(configText),"layers":[\#(layerText)]}"#
        let manifestText = try blob(Array(manifest.utf8), prefix + "manifest.v1+json")
        try workspace.write(
            "layout/index.json",
            #"{"schemaVersion":2,"manifests":[\#(manifestText)]}"#
        )
        try workspace.write("layout/oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#)
        return workspace.path("layout")
    }

    /// A ustar header, with whatever path and link it is told.
    private static func header(_ entry: TarEntry, size: Int) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        func octal(_ value: Int, _ width: Int) -> String {
            let digits = String(value, radix: 8)
            return String(repeating: "0", count: width - digits.count) + digits
        }
        put(entry.path, at: 0)
        put(octal(Int(entry.mode), 7), at: 100)
        put(octal(0, 7), at: 108)
        put(octal(0, 7), at: 116)
        put(octal(size, 11), at: 124)
        put(octal(0, 11), at: 136)
        put("        ", at: 148)
        switch entry.kind {
        case .symbolicLink(let target):
            put("2", at: 156)
            put(target, at: 157)
        case .hardLink(let target):
            put("1", at: 156)
            put(target, at: 157)
        case .directory: put("5", at: 156)
        default: put("0", at: 156)
        }
        put("ustar\u{0}00", at: 257)
        put(octal(block.reduce(0) { $0 + Int($1) }, 6) + "\u{0} ", at: 148)
        return block
    }

    /// Ways a layer may try to put a marker file beside the state directory.
    private static let escapes: [(name: String, entries: @Sendable (String) -> [TarEntry])] = [
        ("parents", { _ in [TarEntry(path: "../../../../marker", kind: .regular, mode: 0o644)] }),
        ("absolute path", { [TarEntry(path: $0 + "/marker", kind: .regular, mode: 0o644)] }),
        (
            "symlink to outside",
            {
                [
                    TarEntry(path: "out", kind: .symbolicLink(target: $0), mode: 0o777),
                    TarEntry(path: "out/marker", kind: .regular, mode: 0o644),
                ]
            }
        ),
        (
            "symlink upwards",
            { _ in
                [
                    TarEntry(path: "up", kind: .symbolicLink(target: "../../../.."), mode: 0o777),
                    TarEntry(path: "up/marker", kind: .regular, mode: 0o644),
                ]
            }
        ),
        (
            "hard link to outside",
            {
                [
                    TarEntry(path: "stolen", kind: .hardLink(target: $0 + "/victim"), mode: 0o644),
                    TarEntry(path: "stolen", kind: .regular, mode: 0o644),
                ]
            }
        ),
    ]

    @Test(arguments: escapes.indices) func `no layer writes outside the state directory`(
        _ index: Int
    ) async throws {
        let project = try await Project("FROM hostile\nCOPY Dockerfile /x\n")
        let workspace = project.workspace
        try workspace.write("victim", "untouched")
        let layout = try Self.layout(
            workspace,
            Self.escapes[index].entries(workspace.path),
            content: Array("marker".utf8)
        )
        let (result, report) = try await project.tryBuild(
            "--build-context",
            "hostile=oci-layout://\(layout)",
            "-o",
            "type=local,dest=\(workspace.path("tree"))"
        )
        // Refused with words, or kept within the tree; never outside.
        #expect(
            result.status == 0 || result.status == 1 || result.status == 75,
            "\(report.message)"
        )
        #expect(try workspace.read("victim") == "untouched")
        #expect(!workspace.exists("marker"))
        for name in ["state", "state/snapshots", "state/tmp", "state/blobs"] {
            #expect(!workspace.exists(name + "/marker"))
        }
    }

    @Test func `an unknown option and an unknown output type are refused with the nearest word`()
        async throws
    {
        let project = try await Project("FROM busybox\n")
        #expect(try await project.failure("-o", "type=ocy,dest=x").contains("did you mean oci"))
    }

    @Test func `a full disk ends the build with words, and nothing earlier is lost`() async throws {
        let project = try await Project("FROM busybox\nRUN echo small >/small\n")
        let workspace = project.workspace
        try FileManager.default.createDirectory(
            atPath: workspace.state,
            withIntermediateDirectories: true
        )
        let mounted = try await Command(
            "/usr/bin/mount",
            ["-t", "tmpfs", "-o", "size=24m,mode=700", "kiln-test", workspace.state]
        ).result()
        if mounted.status != 0 {
            print("a full disk is skipped: no tmpfs can be mounted here")
            return
        }
        do {
            try await project.build()
            try workspace.write(
                "context/Dockerfile",
                "FROM busybox\nRUN echo small >/small\nRUN dd if=/dev/zero of=/big bs=1M count=60\n"
            )
            let (result, report) = try await project.tryBuild()
            #expect(result.status == 1 || result.status == 75, "\(report.message)")
            #expect(
                report.steps.values.contains { $0.log.contains("No space left") }
                    || report.message.contains("No space left")
                    || report.message.contains("no space left"),
                "\(report.message)"
            )
            try workspace.write("context/Dockerfile", "FROM busybox\nRUN echo small >/small\n")
            let again = try await project.build()
            #expect(try again.step("RUN echo small").isCached)
        } catch {
            _ = try? await Command("/usr/bin/umount", [workspace.state]).result()
            throw error
        }
        try await runTool("/usr/bin/umount", workspace.state)
    }
}
