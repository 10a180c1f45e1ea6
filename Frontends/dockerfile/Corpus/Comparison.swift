// SPDX-License-Identifier: Apache-2.0

internal import DockerfileConversion
internal import DockerfileSyntax
internal import LLB
internal import LLBMessages
internal import OCI

/// What became of one target of one file, or of the file as a whole, beside what BuildKit made of it.
struct Comparison: Sendable {
    /// What is compared.
    enum Part: String, CaseIterable, Sendable {
        /// Whether the target is accepted or refused.
        case outcome
        /// The digest of the operation that makes the result.
        case head
        /// The bytes of the image config.
        case config
        /// Findings of the linter during a build: rule, text, address, detail and lines.
        case warnings
        /// Which kind of error a refused target is.
        case errors
        /// Names, capabilities, groups and lines of every operation.
        case metadata
        /// The operation that loads the file.
        case load
        /// The answers to subrequests.
        case targets, lint, outline
    }

    enum Verdict: Hashable, Sendable {
        case equal
        /// What differs first.
        case different(String)
    }

    let file: String
    let target: String
    /// Parts that are missing here are missing in BuildKit's answer.
    var verdicts: [Part: Verdict] = [:]

    mutating func compare(_ part: Part, _ wanted: String?, _ made: String) {
        guard let wanted else { return }
        verdicts[part] =
            wanted == made ? .equal : .different(Comparison.firstDifference(part, wanted, made))
    }

    private static func firstDifference(_ part: Part, _ wanted: String, _ made: String) -> String {
        let (wanted, made) = (Array(wanted.utf8), Array(made.utf8))
        let common = zip(wanted, made).prefix { $0 == $1 }.count
        func excerpt(_ bytes: [UInt8]) -> String {
            String(
                decoding: bytes[
                    min(bytes.count, max(0, common - 60))..<min(bytes.count, common + 200)
                ],
                as: UTF8.self
            )
        }
        return
            "\(part.rawValue) at byte \(common)\n    expected …\(excerpt(wanted))\n    made     …\(excerpt(made))"
    }
}

/// One file of the corpus with BuildKit's answers.
struct CorpusFile {
    let name: String
    let source: [UInt8]
    let golden: JSONValue

    /// Compares the file as a whole, then every target.
    func comparisons() async throws -> [Comparison] {
        var comparisons = [try await compareFile()]
        for target in golden["targets"]?.elements ?? [] {
            comparisons.append(await compare(target))
        }
        return comparisons
    }

    private func options(target: String) throws -> DockerfileOptions {
        var raw = ["filename": "Dockerfile", "cmdline": "golden"]
        if !target.isEmpty { raw["target"] = target }
        return try DockerfileOptions(
            raw,
            workerPlatforms: [Platform(os: "linux", architecture: "amd64")],
            session: "golden-session"
        )
    }

    private func input(target: String) throws -> ConversionInput {
        ConversionInput(
            source: SourceFile(filename: "Dockerfile", language: "Dockerfile", data: source),
            options: try options(target: target)
        )
    }

    /// Names of the targets; the default one's is empty.
    var targets: [String] { (golden["targets"]?.elements ?? []).map { $0["target"]?.text ?? "" } }

    /// Converts one target, and says whether it is accepted.
    func convert(target: String) async -> Bool {
        do {
            let conversion = DockerfileConversion(try input(target: target), context: FixedAnswers())
            let result = try await conversion.run()
            _ = try result.definition()
            return !result.image.encoded.isEmpty
        } catch {
            return false
        }
    }

    private func compareFile() async throws -> Comparison {
        var comparison = Comparison(file: name, target: "")
        let load = try options(target: "").fileState.definition(
            MarshalOptions(capabilities: Capability.all)
        )
        comparison.compare(
            .load,
            golden["loadDockerfile"]?.text,
            try load.head()?.vertex.description ?? ""
        )
        if let wanted = golden["stages"], golden["stagesError"] == nil {
            let made = (try? TargetList(parsing: source, file: "Dockerfile"))?.json["targets"]
            comparison.compare(.targets, wanted.canonicalText, made?.canonicalText ?? "refused")
        }
        if let wanted = golden["lint"] {
            let report = try await LintReport(try input(target: ""), context: FixedAnswers())
            comparison.compare(.lint, wanted.lintText, report.json.lintText)
        }
        if let wanted = golden["outline"] {
            let conversion = DockerfileConversion(try input(target: ""), context: FixedAnswers())
            let made = try? await conversion.run().outline.json
            comparison.compare(.outline, wanted.outlineText, made?.outlineText ?? "refused")
        }
        return comparison
    }

    private func compare(_ wanted: JSONValue) async -> Comparison {
        let target = wanted["target"]?.text ?? ""
        var comparison = Comparison(file: name, target: target)
        let refusal = wanted["error"]?.text
        do {
            let conversion = DockerfileConversion(
                try input(target: target),
                context: FixedAnswers()
            )
            let result = try await conversion.run()
            let definition = try result.definition()
            if let refusal {
                comparison.verdicts[.outcome] = .different(
                    "accepted; BuildKit refuses it: \(refusal)"
                )
                return comparison
            }
            comparison.verdicts[.outcome] = .equal
            comparison.verdicts[.head] = try compareHead(definition, wanted)
            comparison.verdicts[.config] = compareConfig(result.image, wanted)
            comparison.verdicts[.warnings] = compareWarnings(conversion.warnings, wanted)
            comparison.verdicts[.metadata] = try compareMetadata(definition, wanted)
        } catch {
            comparison.verdicts[.outcome] =
                refusal == nil ? .different("refused: \(error)") : .equal
            if let refusal {
                comparison.verdicts[.errors] = compareError(error, refusal, wanted)
                return comparison
            }
            for part in [Comparison.Part.head, .config] {
                comparison.verdicts[part] = .different("refused")
            }
        }
        return comparison
    }

    private func compareHead(
        _ definition: Definition,
        _ wanted: JSONValue
    ) throws -> Comparison.Verdict {
        let head = try definition.head()?.vertex.description
        guard head != wanted["head"]?.text else { return .equal }
        let own = Set(definition.operations.map(\.digest.description))
        let theirs = (wanted["def"]?.elements ?? []).compactMap(\.text)
        var text = "head \(head ?? "scratch"), expected \(wanted["head"]?.text ?? "scratch")"
        if let missing = theirs.first(where: { !own.contains($0) }) {
            text += "\n    expected \(golden["ops"]?[missing]?["op"]?.encodedText ?? missing)"
        }
        let json = try definition.json()
        if let extra = definition.operations.first(where: {
            !theirs.contains($0.digest.description)
        }) {
            text += "\n    made     \(json["def"]?[extra.digest.description]?.encodedText ?? "")"
        }
        return .different(text)
    }

    private func compareConfig(_ image: ImageConfig, _ wanted: JSONValue) -> Comparison.Verdict {
        let bytes = image.encoded
        guard Digest.of(bytes).hex != wanted["imageSHA256"]?.text else { return .equal }
        var comparison = Comparison(file: name, target: "")
        comparison.compare(
            .config,
            wanted["image"]?.encodedText ?? "",
            String(decoding: bytes, as: UTF8.self)
        )
        guard let verdict = comparison.verdicts[.config], verdict != .equal else {
            return .different("config in its bytes")
        }
        return verdict
    }

    private func compareWarnings(
        _ warnings: [LintWarning],
        _ wanted: JSONValue
    ) -> Comparison.Verdict {
        let wanted = (wanted["warnings"]?.elements ?? []).map { warning in
            // One range a line; they never have gaps.
            let ranges = (warning["ranges"]?.elements ?? []).compactMap { $0.text?.split(separator: "-") }
            let place = "\(ranges.first?.first ?? "")-\(ranges.last?.last ?? "")"
            let detail = warning["detail"]?.elements?.compactMap(\.text).joined() ?? ""
            return [warning["msg"]?.text ?? "", warning["url"]?.text ?? "", detail, place].joined(separator: " | ")
        }
        .sorted()
        let made = warnings.map { warning in
            let rule = warning.rule
            let place = "\(warning.lines.lowerBound):0-\(warning.lines.upperBound):0"
            let message = "\(rule.name): \(warning.message) (line \(warning.lines.lowerBound))"
            return [message, rule.url, rule.summary, place].joined(separator: " | ")
        }
        .sorted()
        guard wanted != made else { return .equal }
        let missing = wanted.filter { !made.contains($0) }.map { "\n    expected \($0)" }
        let extra = made.filter { !wanted.contains($0) }.map { "\n    made     \($0)" }
        return .different("warnings" + (missing + extra).joined())
    }

    private func compareError(_ error: any Error, _ refusal: String, _ wanted: JSONValue) -> Comparison.Verdict {
        // Its place is not compared: BuildKit tells the line before one that is too long, and of several wrong stages any.
        let ranges = (wanted["errorRanges"]?.elements ?? []).compactMap(\.text)
        if let kind = ErrorClass(of: refusal), kind == ErrorClass(of: "\(error)") { return .equal }
        return .different("error\n    expected \(ranges.joined(separator: ", ")): \(refusal)\n    made     \(error)")
    }

    private func compareMetadata(
        _ definition: Definition,
        _ wanted: JSONValue
    ) throws -> Comparison.Verdict {
        let made = try definition.json()
        for operation in definition.operations.dropLast() {
            let digest = operation.digest.description
            let entry = wanted["opMetaOverrides"]?[digest] ?? golden["ops"]?[digest] ?? .null
            let ranges = definition.locations(of: operation.digest).flatMap(\.ranges).map { range in
                "\(range.start.line):\(range.start.character)-\(range.end.line):\(range.end.character)"
            }
            let own = JSONValue.object([
                JSONMember("meta", made["metadata"]?[digest] ?? .null),
                JSONMember("loc", .strings(ranges)),
            ])
            let theirs = JSONValue.object([
                JSONMember("meta", entry["meta"] ?? .null),
                JSONMember("loc", entry["loc"] ?? .array([])),
            ])
            var comparison = Comparison(file: name, target: "")
            comparison.compare(.metadata, theirs.canonicalText, own.canonicalText)
            if let verdict = comparison.verdicts[.metadata], verdict != .equal { return verdict }
        }
        return .equal
    }
}

extension JSONValue {
    /// The text with members sorted, without `null`, sources and what is random.
    var canonicalText: String { canonical.encodedText }

    private var canonical: JSONValue {
        switch self {
        case .array(let elements): return .array(elements.map(\.canonical))
        case .object(let members):
            var kept = members.filter { $0.value != .null && $0.name != "sources" }
            for index in kept.indices {
                kept[index].value =
                    kept[index].name == "progressGroup"
                    ? kept[index].value.withoutIdentifier.canonical : kept[index].value.canonical
            }
            return .object(kept.sorted { $0.name < $1.name })
        default: return self
        }
    }

    private var withoutIdentifier: JSONValue { .object(members.filter { $0.name != "id" }) }

    /// An outline with its lists in one order.
    var outlineText: String {
        let lists = members.filter { $0.name != "sources" }.map { member in
            let elements =
                member.value.elements?.map(\.canonicalText).sorted() ?? [member.value.encodedText]
            return member.name + ": " + elements.joined(separator: ", ")
        }
        return lists.sorted().joined(separator: "\n")
    }

    /// A linter's answer: its findings in one order, and of an error only that there is one.
    var lintText: String {
        let findings = (self["warnings"]?.elements ?? []).map(\.canonicalText).sorted()
        return findings.joined(separator: "\n") + (self["buildError"] == nil ? "" : "\nerror")
    }
}
