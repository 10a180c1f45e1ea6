// SPDX-License-Identifier: Apache-2.0

import Foundation
import FrontendConformance
import SystemPackage
import Testing

/// Build files to test a frontend with, and what stands beside them.
struct SampleFolderTests {
    /// Samples of a folder with the given files.
    private func samples(_ files: [String: String]) throws -> [Sample] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kiln-samples-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try Data(text.utf8).write(to: folder.appending(path: name)) }
        return try SampleFolder(FilePath(folder.path)).samples()
    }

    @Test func `names of images mean what they mean in a build file`() throws {
        let settings = "[images]\n\"alpine\" = '{}'\n\"acme/app:1\" = '{}'\n\"ghcr.io/a/b:2\" = '{}'\n"
        let sample = try #require(try samples(["a": "FROM alpine\n", "a.test.toml": settings]).first)
        #expect(
            Set(sample.imageConfigs.keys)
                == ["docker.io/library/alpine:latest", "docker.io/acme/app:1", "ghcr.io/a/b:2"]
        )
    }

    @Test(arguments: [
        ("[images]\n\"No Image\" = '{}'\n", "images: cannot parse image reference"),
        ("[imagse]\n\"a\" = '{}'\n", "imagse"),
        ("platforms = [\"what/is/this/platform\"]\n", "platforms: "),
    ])
    func `settings that make no sense are refused with their file`(settings: String, expected: String) {
        let error = #expect(throws: (any Error).self) { try samples(["a": "x", "a.test.toml": settings]) }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(expected) && text.contains("a.test.toml"), "\(text)")
    }
}
