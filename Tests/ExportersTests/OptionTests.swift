// SPDX-License-Identifier: Apache-2.0

import Archives
import OCI
import Snapshots
import SystemPackage
import Testing

@testable import Exporters

private func result(_ platform: String = "linux/amd64") throws -> PlatformResult {
    PlatformResult(platform: try Platform(parsing: platform), tree: .scratch)
}

private func request(
    _ type: String,
    _ attributes: [String: String],
    _ results: [PlatformResult] = [],
    metadata: [String: String] = [:],
    isMultiPlatform: Bool = false
) -> ExportRequest {
    ExportRequest(
        type: type,
        attributes: attributes,
        destination: .path("/nowhere/at/all"),
        results: results,
        isMultiPlatform: isMultiPlatform,
        metadata: metadata.mapValues { Array($0.utf8) }
    )
}

private func failure(_ request: ExportRequest) -> ExportError? {
    do {
        try Exporter.validate(request)
        return nil
    } catch {
        return error as? ExportError
    }
}

@Suite struct `Options of an exporter` {
    @Test func `are read as BuildKit names them`() throws {
        let options = try ImageOptions(
            request(
                "image",
                [
                    "name": "app,localhost:5000/x:1", "compression": "zstd",
                    "compression-level": "9", "force-compression": "1",
                    "push": "", "registry.insecure": "true", "store": "false",
                    "source-date-epoch": "7", "dest": "x",
                    "rewrite-timestamp": "true",
                ]
            )
        )
        #expect(
            options.names.map(\.description) == [
                "docker.io/library/app:latest", "localhost:5000/x:1",
            ]
        )
        #expect(options.compression == .zstd(level: 9))
        #expect(
            options.forcesCompression && options.pushes && options.isInsecure
                && options.rewritesTimestamps
        )
        #expect(!options.stores && options.usesOCITypes)
        #expect(options.epoch == .some(.some(7)))
    }

    @Test func `take the image's name from the frontend`() throws {
        let options = try ImageOptions(
            request("image", ["name": "*"], metadata: ["image.name": "a:1"])
        )
        #expect(options.names.map(\.description) == ["docker.io/library/a:1"])
    }

    @Test func `tell an empty SOURCE_DATE_EPOCH from none`() throws {
        let metadata = ["source.date.epoch": "5", "source.date.epoch/linux/arm64": "6"]
        func epoch(_ attributes: [String: String], _ platform: String) throws -> Int64? {
            let request = request("oci", attributes, metadata: metadata)
            return try ImageOptions(request).epoch(request, try result(platform))
        }
        #expect(try epoch([:], "linux/amd64") == 5)
        #expect(try epoch([:], "linux/arm64") == 6)
        #expect(try epoch(["source-date-epoch": ""], "linux/arm64") == nil)
        #expect(try epoch(["source-date-epoch": "9"], "linux/arm64") == 9)
    }

    @Test(arguments: [
        ("image", ["nmae": "x"], "unknown attribute \"nmae\""),
        ("image", ["push": "maybe"], "push=\"maybe\"; expected true or false"),
        ("image", ["push": "true"], "the image has no name"),
        ("image", ["name": "UPPER"], "cannot name the image"),
        ("oci", ["compression": "lzma"], "expected uncompressed, gzip or zstd"),
        ("oci", ["compression-level": "10"], "expected 0 to 9 for gzip"),
        (
            "oci", ["compression": "zstd", "oci-mediatypes": "false"],
            "conflicts with oci-mediatypes=false"
        ),
        ("oci", ["annotation-indx.a": "b"], "\"indx\" is no place"),
        ("oci", ["source-date-epoch": "now"], "expected seconds since 1970"),
        ("local", ["mode": "delete"], "deleting what was there before is not supported"),
        ("tar", ["name": "x"], "unknown attribute \"name\""),
        ("zip", [:], "unknown type; use one of image, oci"),
    ])
    func `that are wrong are refused with a reason`(
        type: String,
        attributes: [String: String],
        reason: String
    ) {
        let error = failure(request(type, attributes))
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "no error")")
    }

    @Test func `that need a destination say so`() {
        for type in ["oci", "docker", "tar", "local"] {
            #expect(
                failure(ExportRequest(type: type, results: []))?.message.contains("add dest=PATH")
                    == true
            )
        }
        #expect(failure(ExportRequest(type: "image", results: [])) == nil)
    }

    @Test func `refuse an index as a Docker archive, and annotations of what is not built`() throws {
        let one = try result()
        #expect(failure(request("docker", [:], [one], isMultiPlatform: true))?.code == .conflict)
        #expect(
            failure(request("oci", ["annotation[linux/arm64].a": "b"], [one]))?.code == .conflict
        )
        #expect(failure(request("oci", ["annotation-index.a": "b"], [one]))?.code == .conflict)
        #expect(
            failure(request("oci", ["annotation-index.a": "b"], [one], isMultiPlatform: true))
                == nil
        )
    }
}

@Suite struct `Annotations of an image` {
    @Test func `go where their key says, the platform's own before those for all`() throws {
        var annotations = Annotations()
        for (key, value) in [
            ("annotation.a", "1"), ("annotation-manifest[linux/amd64].a", "2"),
            ("annotation-index.b", "3"),
            ("annotation-manifest-descriptor.c.d", "4"),
        ] {
            #expect(try annotations.take(key, value))
        }
        let amd64 = try Platform(parsing: "linux/amd64")
        #expect(annotations.on(.manifest, amd64) == ["a": "2"])
        #expect(annotations.on(.manifest, try Platform(parsing: "linux/arm64")) == ["a": "1"])
        #expect(annotations.on(.index) == ["b": "3"])
        #expect(annotations.on(.manifestDescriptor, amd64) == ["c.d": "4"])
        #expect(annotations.needsOCITypes)
    }

    @Test(arguments: [
        "annotation", "annotation.", "annotations.x", "annotation[linux", "name",
        "annotation-index",
    ])
    func `are not made of other keys`(key: String) throws {
        var annotations = Annotations()
        #expect(try !annotations.take(key, "x"))
    }
}
