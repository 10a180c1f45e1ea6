// SPDX-License-Identifier: Apache-2.0

internal import DockerfileConversion
internal import DockerfileSyntax
internal import LLB
internal import OCI

/// What became of one target of one file, beside what BuildKit made of it.
struct Comparison: Sendable {
    enum Verdict: Hashable, Sendable {
        case equal
        case different(String)
        /// Neither has it: BuildKit refuses the target.
        case absent

        var isEqual: Bool { self == .equal }
    }

    let file: String
    let target: String
    var head = Verdict.absent
    var config = Verdict.absent
    var warnings = Verdict.absent
    /// Whether both accept the target, or both refuse it.
    var outcome = Verdict.equal

    /// Converts one target and compares.
    ///
    /// - Parameters:
    ///   - golden: An element of `targets`.
    ///   - operations: The `ops` of the file.
    static func run(
        file: String,
        source: [UInt8],
        golden: JSONValue,
        operations: JSONValue
    ) async -> Comparison {
        let target = golden["target"]?.text ?? ""
        var comparison = Comparison(file: file, target: target)
        let refusal = golden["error"]?.text
        do {
            var raw = ["filename": "Dockerfile", "cmdline": "golden"]
            if !target.isEmpty { raw["target"] = target }
            let options = try DockerfileOptions(
                raw,
                workerPlatforms: [Platform(os: "linux", architecture: "amd64")],
                session: "golden-session"
            )
            let sourceFile = SourceFile(filename: "Dockerfile", language: "Dockerfile", data: source)
            let conversion = DockerfileConversion(
                ConversionInput(source: sourceFile, options: options),
                context: FixedAnswers()
            )
            let result = try await conversion.run()
            let definition = try result.definition()
            if let refusal {
                comparison.outcome = .different("BuildKit refuses it: \(refusal)")
                return comparison
            }
            comparison.compareHead(try definition.head(), definition, golden, operations)
            comparison.compareConfig(result.image, golden)
            comparison.compareWarnings(conversion.warnings, golden)
        } catch {
            if refusal == nil {
                comparison.outcome = .different("refused: \(error)")
                comparison.head = .different("refused")
                comparison.config = .different("refused")
            }
        }
        return comparison
    }

    private mutating func compareHead(
        _ head: Edge?,
        _ definition: Definition,
        _ golden: JSONValue,
        _ operations: JSONValue
    ) {
        let wanted = golden["head"]?.text
        guard head?.vertex.description != wanted else {
            self.head = .equal
            return
        }
        let own = Set(definition.operations.map(\.digest.description))
        let theirs = (golden["def"]?.elements ?? []).compactMap(\.text)
        var text = "head \(head?.vertex.description ?? "scratch"), expected \(wanted ?? "scratch")"
        if let missing = theirs.first(where: { !own.contains($0) }) {
            text += "\n    expected \(operations[missing]?["op"]?.encodedText ?? missing)"
        }
        let json = try? definition.json()
        if let extra = definition.operations.first(where: { !theirs.contains($0.digest.description) }) {
            text += "\n    made     \(json?["def"]?[extra.digest.description]?.encodedText ?? "")"
        }
        self.head = .different(text)
    }

    private mutating func compareConfig(_ image: ImageConfig, _ golden: JSONValue) {
        let bytes = image.encoded
        guard Digest.of(bytes).hex != golden["imageSHA256"]?.text else {
            config = .equal
            return
        }
        let wanted = golden["image"]?.encoded ?? []
        let common = zip(bytes, wanted).prefix { $0 == $1 }.count
        func excerpt(_ bytes: [UInt8]) -> String {
            String(decoding: bytes[max(0, common - 40)..<min(bytes.count, common + 160)], as: UTF8.self)
        }
        config = .different("config at byte \(common)\n    expected …\(excerpt(wanted))\n    made     …\(excerpt(bytes))")
    }

    private mutating func compareWarnings(_ warnings: [LintWarning], _ golden: JSONValue) {
        let wanted = (golden["warnings"]?.elements ?? []).compactMap { $0["msg"]?.text }.sorted()
        let made = warnings.map { "\($0.rule.name): \($0.message) (line \($0.lines.lowerBound))" }.sorted()
        guard wanted != made else {
            self.warnings = .equal
            return
        }
        let missing = wanted.filter { !made.contains($0) }.map { "\n    expected \($0)" }
        let extra = made.filter { !wanted.contains($0) }.map { "\n    made     \($0)" }
        self.warnings = .different("warnings" + (missing + extra).joined())
    }
}
