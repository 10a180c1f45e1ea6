// SPDX-License-Identifier: Apache-2.0

import DockerfileSyntax
import FoundationEssentials
import LLB
import OCI
import Testing

/// P-FORM-01: a formatted Dockerfile builds the same.
@Suite struct FormatTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/dockerfiles").path

    /// The targets of a fixture that its `expect.json` builds, and the arguments that it gives.
    private static func options(_ fixture: String) throws -> [String: String] {
        let file = "\(folder)/\(fixture)/expect.json"
        guard let data = try? Data(contentsOf: URL(filePath: file)) else { return [:] }
        let given = try JSONValue(parsing: Array(data))["options"]
        var options: [String: String] = [:]
        options["target"] = given?["target"]?.text
        for member in given?["build-args"]?.members ?? [] { options["build-arg:\(member.name)"] = member.value.text }
        return options
    }

    /// The head's digest, and the config without its history, which quotes the file.
    private func outcome(_ text: String, _ options: [String: String]) async throws -> [String] {
        let converted = try await convert(text, options: options)
        var image = converted.image
        image.history = []
        return [converted.graph.result?.vertex.hex ?? "scratch", String(decoding: image.encoded, as: UTF8.self)]
    }

    @Test func `every fixture has the same head before and after`() async throws {
        var count = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder).sorted() {
            let file = "\(Self.folder)/\(name)/Dockerfile"
            guard let data = try? Data(contentsOf: URL(filePath: file)) else { continue }
            let text = String(decoding: data, as: UTF8.self)
            let options = try Self.options(name)
            guard let before = try? await outcome(text, options) else {
                // A file that only the conversion refuses is refused afterwards too.
                if let formatted = try? Formatter.format(Array(data)) {
                    let after = String(decoding: formatted, as: UTF8.self)
                    #expect((try? await outcome(after, options)) == nil, "\(name)")
                }
                continue
            }
            count += 1
            let formatted = String(decoding: try Formatter.format(Array(data)), as: UTF8.self)
            #expect(try await outcome(formatted, options) == before, "\(name)")
        }
        #expect(count > 80)
    }

    /// With every file of a corpus, as `make corpus` has them; they belong to their authors.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["KILN_CORPUS"] != nil, "needs KILN_CORPUS"))
    func `every file of a corpus has the same head before and after`() async throws {
        let folder = try #require(ProcessInfo.processInfo.environment["KILN_CORPUS"]) + "/files"
        var count = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
            let source = Array(try Data(contentsOf: URL(filePath: "\(folder)/\(name)")))
            guard let before = try? await outcome(String(decoding: source, as: UTF8.self), [:]) else { continue }
            count += 1
            let formatted = try Formatter.format(source)
            #expect(try Formatter.format(formatted) == formatted, "\(name)")
            #expect(try await outcome(String(decoding: formatted, as: UTF8.self), [:]) == before, "\(name)")
        }
        #expect(count > 1_000)
    }
}
