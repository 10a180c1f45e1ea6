// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
package import SystemPackage

/// The folder of a package's build files to test with; `Protocol/conformance/README.md` says what stands in it.
package struct SampleFolder: Sendable {
    private static let expectedSuffix = ".expected.json"
    private static let settingsSuffix = ".test.toml"
    private static let fileByteLimit = 64 << 20

    package let path: FilePath

    package init(_ path: FilePath) { self.path = path }

    /// All samples, by name; none where there is no folder.
    ///
    /// Blocks.
    ///
    /// - Throws: ``CaseTextError`` for settings that make no sense; `SystemCallError` for files that cannot be read.
    package func samples() throws -> [Sample] {
        let directory: Directory
        do throws(SystemCallError) {
            directory = try Directory(host: path)
        } catch {
            if error.isNotFound { return [] }
            throw error
        }
        let names = try directory.entries().map(\.name).sorted()
        return try names.compactMap { name in
            guard !name.hasSuffix(Self.expectedSuffix), !name.hasSuffix(Self.settingsSuffix), !name.hasPrefix("."),
                let content = try content(of: name)
            else { return nil }
            var sample = Sample(name: name, content: content)
            sample.expected =
                names.contains(name + Self.expectedSuffix) ? try self.content(of: name + Self.expectedSuffix) : nil
            if names.contains(name + Self.settingsSuffix), let text = try self.content(of: name + Self.settingsSuffix) {
                try sample.apply(CaseText(text, file: path.appending(name + Self.settingsSuffix).string))
            }
            return sample
        }
    }

    /// Writes down what a build came to.
    ///
    /// Blocks.
    ///
    /// - Parameter buildFile: The name of the build file.
    package func writeExpected(_ text: String, of buildFile: String) throws {
        let directory = try Directory(host: path)
        let temporary = ".expected.\(randomToken(count: 8))"
        let file = try directory.createFile(temporary, mode: 0o644)
        do {
            try file.write(text.utf8)
            try directory.rename(temporary, to: directory, buildFile + Self.expectedSuffix, replacing: true)
        } catch {
            try? directory.remove(name: temporary)
            throw error
        }
    }

    /// `nil` for what is no regular file.
    private func content(of name: String) throws -> [UInt8]? {
        let file = try Descriptor.open(host: path.appending(name))
        guard try file.status().isRegular else { return nil }
        return try file.readToEnd(byteLimit: Self.fileByteLimit)
    }
}

extension Sample {
    /// What the name of an image means in a build file, whole: `docker.io/library/alpine:3` for `alpine:3`.
    static func fullName(ofImage name: String) throws(OCIError) -> String {
        try Reference(parsing: name).withDefaultTag.description
    }

    /// Takes over what a `.test.toml` says.
    mutating func apply(_ text: CaseText) throws {
        try text.checkNames(["fails", "platforms", "options", "files", "images"])
        mustFail = try text.flag("fails") ?? false
        options = try text.strings(in: "options")
        files = try text.strings(in: "files").mapValues { Array($0.utf8) }
        for (name, config) in try text.strings(in: "images") {
            do {
                imageConfigs[try Self.fullName(ofImage: name)] = Array(config.utf8)
            } catch {
                throw text.error("images: \(error)")
            }
        }
        if let names = try text.list("platforms") {
            workerPlatforms = try names.map { name in
                do {
                    return try Platform(parsing: name)
                } catch {
                    throw text.error("platforms: \(error)")
                }
            }
        }
    }
}
