// SPDX-License-Identifier: Apache-2.0

import Foundation
import OCI
import Testing

@Suite struct ManifestTests {
    private let descriptor = Descriptor(
        mediaType: MediaType.config,
        digest: Digest.of("{}"),
        size: 2,
        annotations: ["b": "1", "a": "2"],
        platform: Platform(os: "linux", architecture: "arm", variant: "v7")
    )

    @Test func `writes manifests in Go's order`() throws {
        let manifest = Manifest(config: descriptor, layers: [])
        let text = String(decoding: manifest.encoded, as: UTF8.self)
        #expect(
            text
                == #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":"#
                + #"{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\#(Digest.of("{}"))","size":2,"#
                + #""annotations":{"a":"2","b":"1"},"platform":{"architecture":"arm","os":"linux","variant":"v7"}},"#
                + #""layers":[]}"#
        )
        #expect(try JSONDecoder().decode(Manifest.self, from: Data(manifest.encoded)) == manifest)
    }

    @Test func `writes an index that reads back`() throws {
        let index = Index(manifests: [descriptor], annotations: ["x": "<"])
        #expect(try JSONDecoder().decode(Index.self, from: Data(index.encoded)) == index)
        #expect(String(decoding: index.encoded, as: UTF8.self).contains(#""x":"\u003c""#))
    }

    @Test func `knows layers and their compression`() {
        #expect(MediaType.layerCompression(MediaType.layerGzip) == .gzip)
        #expect(MediaType.layerCompression(MediaType.dockerLayerGzip) == .gzip)
        #expect(MediaType.layerCompression(MediaType.layerZstd) == .zstd)
        #expect(MediaType.layerCompression(MediaType.dockerLayer) == .uncompressed)
        #expect(MediaType.layerCompression(MediaType.config) == nil)
    }

    @Test func `refuses digests that are none`() {
        let hex = String(repeating: "a", count: 64)
        #expect(Digest("sha256:\(hex)")?.hex == hex)
        for text in [
            "", "sha256:", "sha512:\(hex)", "sha256:\(hex.uppercased())", "sha256:\(hex)a",
            "sha256:g\(hex.dropFirst())",
        ] {
            #expect(Digest(text) == nil)
        }
        #expect(
            Digest.of("").hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        )
    }
}
