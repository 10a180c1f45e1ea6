// SPDX-License-Identifier: Apache-2.0

import Foundation
import FrontendKit
import LLB
import OCI
import Testing
import YAMLSpec

/// The worked examples of docs/yaml.md, which stand in Tests/Fixtures/yaml.
///
/// Those whose base images need no network are also built for real, by the integration tests.
struct ExampleTests {
    static let repository = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let folder = repository.appending(path: "Tests/Fixtures/yaml")
    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.first?.isNumber == true }.sorted()

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.folder.appending(path: path), encoding: .utf8)
    }

    private func document(_ name: String) async throws -> SpecDocument {
        try await SpecLoader.load(SourceText(name: "image.yaml", bytes: Array(text(name + "/image.yaml").utf8))) {
            path in
            try? Array(text("\(name)/\(path)").utf8)
        }
    }

    @Test func `there are ten`() { #expect(Self.names.count == 10) }

    /// Every target of every example, as text: operations and image config.
    ///
    /// `UPDATE_GOLDEN=1` writes the files anew; read the difference.
    @Test(arguments: names)
    func `every target converts to the graph on record`(name: String) async throws {
        let document = try await document(name)
        var golden = ""
        for target in try document.targets() {
            let arguments = name == "10-go-cross" ? ["version": "v1.2.3"] : [:]
            let spec = try Spec(
                document,
                Spec.Request(target: target, arguments: arguments, targetPlatform: arm64, buildPlatform: amd64)
            )
            let options = ConversionOptions(targetPlatform: arm64, buildPlatform: amd64)
            let tree = try await SpecConversion(spec, options, world: World()).convert(target.declaration.name)
            let definition = try tree.state.definition(MarshalOptions(platform: arm64))
            golden += "target \(target.name)\n" + (try Self.described(definition))
            let config = try JSONValue(parsing: tree.config?.encoded ?? [])
            golden += "config \(config["config"]?.encodedText ?? "")\n\n"
        }
        let file = Self.folder.appending(path: name + "/expected.llb.txt")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try golden.write(to: file, atomically: true, encoding: .utf8)
        }
        let recorded = try String(contentsOf: file, encoding: .utf8)
        #expect(golden == recorded, "UPDATE_GOLDEN=1 writes \(file.path) anew")
    }

    /// One line an operation, inputs by number, long digests cut to what tells them apart.
    private static func described(_ definition: Definition) throws -> String {
        let json = try definition.json()
        var numbers: [String: Int] = [:]
        var text = ""
        for operation in definition.operations {
            let digest = operation.digest.description
            numbers[digest] = numbers.count
            var line = json["def"]?[digest]?.encodedText ?? ""
            for (known, number) in numbers {
                line = line.replacingOccurrences(of: "\"digest\":\"\(known)\"", with: "\"op\":\(number)")
            }
            let name =
                definition.metadata[operation.digest].map { _ in
                    json["metadata"]?[digest]?["description"]?["llb.customname"]?.text ?? ""
                } ?? ""
            text += "\(numbers.count - 1) \(name.isEmpty ? "" : name + "\n  ")\(line)\n"
        }
        return text
    }

    /// Bytes left out, put in and replaced at random: any answer will do, but an answer there is.
    @Test(arguments: names)
    func `a damaged example is converted or refused`(name: String) async throws {
        let original = Array(try text(name + "/image.yaml").utf8)
        let words = [
            "{", "}", "[", "]", ": ", "- ", "\n", "\n  ", "\"", "'", "${", "}", "*x", "&x ", "<<: ", "!", "|", "~", "é",
            "99999999999999999999", "-1", "/", "..",
        ]
        var generator = SplitMix(state: name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
        for _ in 0..<150 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let start = Int.random(in: 0..<bytes.count, using: &generator)
                let end = min(bytes.count, start + Int.random(in: 0...6, using: &generator))
                bytes.replaceSubrange(start..<end, with: Array((words.randomElement(using: &generator) ?? "").utf8))
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let files = [
                "platform/base.yaml": text, "platform/variables.yaml": "variables: {company: a, prefix: /b}\n",
            ]
            let message = await complaint(text, arguments: ["version": "v1.2.3"], files: files)
            #expect(message.utf8.count < 200_000)
        }
    }

    @Test(arguments: names)
    func `the documentation shows the example as it is`(name: String) throws {
        let documentation = try String(contentsOf: Self.repository.appending(path: "docs/yaml.md"), encoding: .utf8)
        #expect(
            documentation.contains("```yaml\n" + (try text(name + "/image.yaml")) + "```"),
            "\(name) is missing or differs"
        )
    }
}

/// The JSON Schema that editors complete and check by.
struct SchemaTests {
    private static let schema = Result {
        let file = ExampleTests.repository.appending(path: "Frontends/yaml/schema/image-spec.v1.schema.json")
        return try JSONValue(parsing: [UInt8](try Data(contentsOf: file)))
    }

    private func keys(_ path: String...) throws -> Set<String> {
        var value = try Self.schema.get()
        for name in path { value = try #require(value[name], "\(name)") }
        return Set(value.members.map(\.name))
    }

    @Test func `the schema knows the keys that the reader knows`() throws {
        #expect(try keys("properties") == Set(SpecKeys.spec))
        #expect(try keys("$defs", "variable", "properties") == Set(SpecKeys.variable))
        #expect(try keys("$defs", "stage", "properties") == Set(SpecKeys.stage))
        #expect(try keys("$defs", "image", "properties") == Set(SpecKeys.image))
        for (action, others) in SpecKeys.steps {
            #expect(try keys("$defs", "step-" + action, "properties") == Set([action, "name", "when"] + others))
        }
    }
}

/// A generator with a seed, so that a failure comes again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
