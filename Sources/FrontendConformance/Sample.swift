// SPDX-License-Identifier: Apache-2.0

package import OCI

/// A build file to test with, and what surrounds it.
package struct Sample: Sendable, Hashable {
    /// The build file's name.
    package var name: String
    package var content: [UInt8]
    package var options: [String: String] = [:]
    package var workerPlatforms = [Platform(os: "linux", architecture: "amd64")]
    /// Contents of local sources, by source and path: `context/app/main.py`.
    package var files: [String: [UInt8]] = [:]
    /// Configs of images, by ``fullName(ofImage:)``.
    package var imageConfigs: [String: [UInt8]] = [:]
    /// Whether the frontend must refuse it.
    package var mustFail = false
    /// What the build must come to; `nil` when that was never written down.
    package var expected: [UInt8]?
    /// Whether it is a file that nobody can read, made up for a test.
    package var isUnknown = false

    package init(name: String, content: [UInt8]) {
        self.name = name
        self.content = content
    }

    /// A build file of a length that is no text of any language.
    static func unknown(byteCount: Int?) -> Sample {
        let line = Array("\u{1}\u{2} no frontend can read this }{][ \u{3}\n".utf8)
        let length = byteCount ?? line.count
        var content: [UInt8] = []
        content.reserveCapacity(length)
        while content.count < length { content += line.prefix(length - content.count) }
        var sample = Sample(name: "Buildfile", content: content)
        sample.isUnknown = true
        return sample
    }
}
