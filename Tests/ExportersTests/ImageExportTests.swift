// SPDX-License-Identifier: Apache-2.0

import ContentStore
import Foundation
import Glibc
import LinuxSystem
import OCI
import Registry
import RegistryTestSupport
import Snapshots
import SystemPackage
import Testing

@testable import Exporters

/// Whether the tools that judge our images are there.
private let hasTools = ["/usr/bin/skopeo", "/usr/bin/umoci"].allSatisfy {
    FileManager.default.isExecutableFile(atPath: $0)
}

private let config = Array(
    #"""
    {"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/run"],"Env":["A=<b>"]},
     "history":[{"created_by":"COPY one"},{"created_by":"ENV","empty_layer":true},{"created_by":"COPY two"}]}
    """#.utf8
)

/// Two layers: the second changes a file, deletes another and adds a link.
private func sample(_ fixture: Fixture, extra: String = "") -> PlatformResult {
    var first = MadeUpLayer()
    first.add(file: "bin/run", "#!/bin/sh\n" + extra, mode: 0o755)
    first.add(file: "etc/gone", "x")
    first.add(file: String(repeating: "long/", count: 30) + "näme", "deep")
    var second = MadeUpLayer()
    second.add(file: "bin/run", "#!/bin/sh\nexit 0\n", mode: 0o755)
    second.add("etc/gone", .whiteout)
    second.add("link", .symbolicLink(target: "bin/run"), mode: 0o777)
    return PlatformResult(
        platform: fixture.platform,
        tree: fixture.tree(first, second),
        config: config
    )
}

@Suite struct `An exported image` {
    @Test(
        .enabled(if: hasTools, "needs skopeo and umoci"),
        arguments: ["gzip", "zstd", "uncompressed"]
    )
    func `is an OCI archive that other tools read and unpack`(compression: String) async throws {
        let fixture = try Fixture()
        let response = try await fixture.exporter.export(
            fixture.request(
                "oci",
                ["name": "app:1", "compression": compression],
                [sample(fixture)]
            )
        )
        let raw = try fixture.run(
            "/usr/bin/skopeo",
            "inspect",
            "--raw",
            "oci-archive:\(fixture.output):1"
        )
        let digest = try #require(response.values["containerimage.digest"])
        #expect(Digest.of(raw).description == digest)
        let shown = try fixture.run(
            "/usr/bin/skopeo",
            "inspect",
            "--config",
            "oci-archive:\(fixture.output):1"
        )
        #expect(shown.contains(#""Env":["A=<b>"]"#) || shown.contains("A=\\u003cb\\u003e"))

        // umoci cannot read zstd: skopeo turns it into what it can.
        let layout = FilePath(fixture.scratch.path).appending("layout")
        _ = try fixture.run(
            "/usr/bin/skopeo",
            "copy",
            "--dest-compress-format",
            "gzip",
            "-f",
            "oci",
            "oci-archive:\(fixture.output):1",
            "oci:\(layout):1"
        )
        let bundle = FilePath(fixture.scratch.path).appending("bundle")
        _ = try fixture.run("/usr/bin/umoci", "unpack", "--image", "\(layout):1", "\(bundle)")
        let root = try Directory(host: bundle.appending("rootfs"))
        #expect(
            try root.open("bin/run").readToEnd(byteLimit: 99) == Array("#!/bin/sh\nexit 0\n".utf8)
        )
        #expect(try root.readLink(name: "link") == "bin/run")
        #expect(try root.directory("etc").entries().isEmpty)
        let deep = String(repeating: "long/", count: 30) + "näme"
        #expect(try root.open(deep).readToEnd(byteLimit: 99) == Array("deep".utf8))
    }

    @Test(.enabled(if: hasTools, "needs skopeo and umoci"))
    func `is a Docker archive that other tools read`() async throws {
        let fixture = try Fixture()
        _ = try await fixture.exporter.export(
            fixture.request("docker", ["name": "app:1,example.com/b/c:2"], [sample(fixture)])
        )
        let shown = try fixture.run(
            "/usr/bin/skopeo",
            "inspect",
            "docker-archive:\(fixture.output)"
        )
        #expect(shown.contains("linux"))
        for name in ["app:1", "example.com/b/c:2"] {
            _ = try fixture.run(
                "/usr/bin/skopeo",
                "copy",
                "docker-archive:\(fixture.output):\(name)",
                "dir:\(fixture.scratch.path)/\(name.replacing("/", with: "-"))"
            )
        }
    }

    @Test func `is a layout directory that keeps the images it held`() async throws {
        let fixture = try Fixture()
        for (name, extra) in [("a:1", ""), ("b:2", "b"), ("a:1", "new")] {
            _ = try await fixture.exporter.export(
                fixture.request(
                    "oci",
                    ["name": name, "tar": "false"],
                    [sample(fixture, extra: extra)]
                )
            )
        }
        let root = try Directory(host: fixture.output)
        let index = try JSONDecoder().decode(
            Index.self,
            from: Data(root.open("index.json").readToEnd(byteLimit: 1 << 20))
        )
        #expect(
            index.manifests.map { $0.annotations?["io.containerd.image.name"] }
                == ["docker.io/library/b:2", "docker.io/library/a:1"]
        )
        for manifest in index.manifests {
            let file = try root.open("blobs/sha256/\(manifest.digest.hex)")
            #expect(Digest.of(try file.readToEnd(byteLimit: 1 << 20)) == manifest.digest)
        }
        #expect(try Set(root.entries().map(\.name)) == ["blobs", "index.json", "oci-layout"])
        if hasTools { _ = try fixture.run("/usr/bin/skopeo", "inspect", "oci:\(fixture.output):2") }
    }

    @Test func `has equal bytes for equal input`() async throws {
        var archives: [[UInt8]] = []
        for _ in 0..<2 {
            let fixture = try Fixture()
            _ = try await fixture.exporter.export(
                fixture.request(
                    "oci",
                    ["name": "a", "source-date-epoch": "100"],
                    [sample(fixture)]
                )
            )
            archives.append(
                try LinuxSystem.Descriptor.open(host: fixture.output).readToEnd(byteLimit: 1 << 22)
            )
        }
        #expect(archives[0] == archives[1])
    }

    @Test func `of several platforms is an index`() async throws {
        let fixture = try Fixture()
        var arm = sample(fixture, extra: "arm")
        arm.platform = Platform(os: "linux", architecture: "arm64", variant: "v8")
        let response = try await fixture.exporter.export(
            fixture.request(
                "oci",
                ["annotation-index.where": "index", "annotation[linux/amd64].where": "manifest"],
                [sample(fixture), arm],
                isMultiPlatform: true
            )
        )
        let root = try #require(response.root)
        #expect(root.mediaType == MediaType.index)
        #expect(response.values["containerimage.config.digest"] == nil)
        let bytes = try fixture.content.read(root.digest, byteLimit: 1 << 20)
        let index = try JSONDecoder().decode(Index.self, from: Data(bytes))
        #expect(index.annotations == ["where": "index"])
        #expect(index.manifests.map(\.platform?.architecture) == ["amd64", "arm64"])
        let annotations = try index.manifests.map {
            try JSONDecoder().decode(
                Manifest.self,
                from: Data(fixture.content.read($0.digest, byteLimit: 1 << 20))
            ).annotations
        }
        #expect(annotations == [["where": "manifest"], nil])
    }

    @Test func `has Docker's types when asked for`() async throws {
        let fixture = try Fixture()
        let response = try await fixture.exporter.export(
            fixture.request("image", ["oci-mediatypes": "false"], [sample(fixture)])
        )
        let root = try #require(response.root)
        let bytes = try fixture.content.read(root.digest, byteLimit: 1 << 20)
        let manifest = try JSONDecoder().decode(Manifest.self, from: Data(bytes))
        #expect(manifest.mediaType == MediaType.dockerManifest)
        #expect(manifest.config.mediaType == MediaType.dockerConfig)
        #expect(
            manifest.layers.map(\.mediaType) == [
                MediaType.dockerLayerGzip, MediaType.dockerLayerGzip,
            ]
        )
    }

    @Test func `is kept under its names, and all its blobs are told`() async throws {
        let fixture = try Fixture()
        let response = try await fixture.exporter.export(
            fixture.request(
                "image",
                ["name": "a,b:2", "name-canonical": "true"],
                [sample(fixture)]
            )
        )
        let digest = try #require(response.values["containerimage.digest"])
        #expect(response.values["image.name"] == "docker.io/library/a:latest,docker.io/library/b:2")
        let images = try ImageStore(state: fixture.state).list()
        #expect(
            images.map(\.name) == [
                "docker.io/library/a:latest", "docker.io/library/a:latest@\(digest)",
                "docker.io/library/b:2", "docker.io/library/b:2@\(digest)",
            ]
        )
        #expect(
            images.allSatisfy { $0.root.digest.description == digest && $0.blobs == response.blobs }
        )
        #expect(response.blobs.count == 4)
        #expect(response.blobs.allSatisfy { fixture.content.contains($0) })
        let descriptor = try #require(
            response.values["containerimage.descriptor"].flatMap { Data(base64Encoded: $0) }
        )
        let read = try JSONDecoder().decode(OCI.Descriptor.self, from: descriptor)
        #expect(read.digest.description == digest && read.platform?.architecture == "amd64")
        try ImageStore(state: fixture.state).remove("docker.io/library/b:2")
        #expect(try ImageStore(state: fixture.state).image("docker.io/library/b:2") == nil)
    }

    @Test func `with rewritten times has none after SOURCE_DATE_EPOCH`() async throws {
        let fixture = try Fixture()
        let attributes = ["source-date-epoch": "100", "rewrite-timestamp": "true"]
        _ = try await fixture.exporter.export(fixture.request("oci", attributes, [sample(fixture)]))
        let layout = FilePath(fixture.scratch.path).appending("unpacked")
        _ = try Directory(host: layout, createMode: 0o755)
        _ = try fixture.run("/bin/tar", "-C", "\(layout)", "-xf", "\(fixture.output)")
        let blobs = try Directory(host: layout.appending("blobs/sha256"))
        var layerCount = 0
        for blob in try blobs.entries() {
            let path = layout.appending("blobs/sha256/\(blob.name)")
            guard
                try blobs.open(blob.name).readToEnd(byteLimit: 1 << 20).starts(with: [0x1f, 0x8b])
            else { continue }
            layerCount += 1
            let listing = try fixture.run("/bin/tar", "--utc", "--full-time", "-tvzf", "\(path)")
            let lines = listing.split(separator: "\n").filter { !$0.contains(".wh.") }
            #expect(lines.allSatisfy { $0.contains("1970-01-01 00:01:40") }, "\(listing)")
        }
        #expect(layerCount == 2)
    }

    @Test(.enabled(if: RegistryProcess.isInstalled, "needs docker-registry"))
    func `is pushed to a registry under all its names`() async throws {
        let fixture = try Fixture()
        let registry = try await RegistryProcess(fixture.scratch)
        let names = ["\(registry.host)/a:1", "\(registry.host)/b/c"]
        let response = try await fixture.exporter.export(
            fixture.request(
                "image",
                ["name": names.joined(separator: ","), "push": "true"],
                [sample(fixture)]
            )
        )
        guard hasTools else { return }
        for name in names {
            let raw = try fixture.run(
                "/usr/bin/skopeo",
                "inspect",
                "--raw",
                "--tls-verify=false",
                "docker://\(name)"
            )
            #expect(Digest.of(raw).description == response.values["containerimage.digest"])
        }
    }
}

@Suite struct `An export that fails` {
    @Test func `leaves no file and keeps the one that was there`() async throws {
        let fixture = try Fixture()
        try fixture.scratch.write("out", "old")
        var broken = MadeUpLayer()
        broken.add("f", .regular, text: "12345")
        let result = PlatformResult(
            platform: fixture.platform,
            tree: fixture.tree(BrokenLayer(inner: broken))
        )
        await #expect(throws: (any Error).self) {
            try await fixture.exporter.export(fixture.request("tar", [:], [result]))
        }
        #expect(
            try LinuxSystem.Descriptor.open(host: fixture.output).readToEnd(byteLimit: 9)
                == Array("old".utf8)
        )
        #expect(
            try Directory(host: FilePath(fixture.scratch.path)).entries().map(\.name).sorted() == [
                "out", "state",
            ]
        )
    }

    @Test func `names a directory that is missing or a path that is one`() async throws {
        let fixture = try Fixture()
        _ = try Directory(host: fixture.output, createMode: 0o755)
        for (path, reason) in [
            (fixture.output, "is a directory"),
            (fixture.output.appending("no/file"), "no such file or directory"),
        ] {
            let error = await exportError {
                try await fixture.exporter.export(
                    fixture.request("oci", [:], [sample(fixture)], to: path)
                )
            }
            #expect(error?.message == "cannot write \(path): \(reason)")
            #expect(error?.fault == .environment)
        }
    }

    @Test func `tells a full disk`() async throws {
        let fixture = try Fixture()
        let error = await exportError {
            try await fixture.exporter.export(
                fixture.request("oci", [:], [sample(fixture)], to: "/dev/full")
            )
        }
        #expect(error?.code == .noSpace)
        #expect(error?.message == "cannot write /dev/full: no space left on device")
    }

    @Test func `refuses a blob that is damaged in the store`() async throws {
        let fixture = try Fixture()
        let first = try await fixture.exporter.export(
            fixture.request("oci", [:], [sample(fixture)])
        )
        let layer = try #require(first.blobs.last)
        let path = fixture.state.path.appending("blobs/sha256/\(layer.hex)")
        unsafe chmod(path.string, 0o600)
        let file = try LinuxSystem.Descriptor.open(host: path, flags: O_WRONLY)
        try file.write([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        let result = sample(fixture)
        await #expect(throws: ContentStoreError.self) {
            let content = fixture.content
            let image = try await ImageWriter(
                exporter: fixture.exporter,
                request: fixture.request("oci", [:], [result]),
                options: ImageOptions(fixture.request("oci", [:], [result])),
                progress: { _ in }
            ).write()
            let layout = Layout(image, names: [], isDocker: false)
            // The layer's blob is made anew with equal bytes, which the store believes it has.
            let sink = try LinuxSystem.Descriptor.memory("out")
            try LayoutArchive(content: content, cancellation: CancellationFlag()).write(
                layout,
                to: sink
            )
        }
    }
}

/// A layer whose files are shorter than they say.
private struct BrokenLayer: LayerContent {
    let inner: MadeUpLayer
    func entry(_ path: String) throws -> LayerEntry? {
        guard var entry = try inner.entry(path) else { return nil }
        if entry.isRegular { entry.size += 1 }
        return entry
    }
    func children(_ path: String) throws -> [String] { try inner.children(path) }
    func open(_ path: String) throws -> LinuxSystem.Descriptor { try inner.open(path) }
}

@Suite struct `The tar exporter` {
    @Test func `writes the merged tree`() async throws {
        let fixture = try Fixture()
        _ = try await fixture.exporter.export(fixture.request("tar", [:], [sample(fixture)]))
        let listing = try fixture.run("/bin/tar", "-tf", "\(fixture.output)").split(separator: "\n")
            .map(String.init)
        #expect(listing.prefix(4) == ["bin/", "bin/run", "etc/", "link"])
        #expect(!listing.contains { $0.contains(".wh.") || $0.contains("gone") })
        #expect(
            try fixture.run("/bin/tar", "-xOf", "\(fixture.output)", "bin/run")
                == "#!/bin/sh\nexit 0\n"
        )
    }

    @Test func `writes to a stream`() async throws {
        let fixture = try Fixture()
        let file = try LinuxSystem.Descriptor.open(
            host: fixture.output,
            flags: O_RDWR | O_CREAT,
            mode: 0o600
        )
        var request = fixture.request("tar", [:], [sample(fixture)])
        request.destination = .stream(file)
        _ = try await fixture.exporter.export(request)
        #expect(try fixture.run("/bin/tar", "-tf", "\(fixture.output)").contains("bin/run"))
    }
}
