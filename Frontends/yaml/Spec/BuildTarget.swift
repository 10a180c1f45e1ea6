// SPDX-License-Identifier: Apache-2.0

package import FrontendKit
internal import FrontendProtocol

/// Something that can be built: a stage, an image, or one cell of an image's matrix.
package struct BuildTarget: Sendable {
    /// What the option `target` says.
    package let name: String
    /// The stage or image.
    package let declaration: SpecDocument.Declaration
    /// Values the matrix gives to variables.
    package var cell: [String: String] = [:]
}

extension SpecDocument {
    /// Cells of one matrix.
    static let cellCountMax = 256
    /// Targets of one spec.
    static let targetCountMax = 1000

    /// All targets, in the order of the files.
    ///
    /// - Throws: ``SourceProblems`` when a matrix is wrong.
    package func targets() throws(SourceProblems) -> [BuildTarget] {
        let reader = SpecReader(scope: VariableScope(values: [:], declared: []))
        var targets: [BuildTarget] = []
        for declaration in declarations {
            targets += self.targets(of: declaration, reader)
            if targets.count > Self.targetCountMax {
                reader.report("a spec has at most \(Self.targetCountMax) targets", at: declaration.keyPlace)
                break
            }
        }
        var places: [String: Place] = [:]
        for target in targets {
            if let other = places[target.name] {
                reader.report(
                    "the target \"\(target.name)\" stands twice",
                    at: target.declaration.keyPlace,
                    notes: ["the other one is at \(other.line)"]
                )
            }
            places[target.name] = target.declaration.keyPlace
        }
        guard reader.problems.isEmpty else { throw SourceProblems(reader.problems) }
        return targets
    }

    /// The name of the target that is built when none is named; `nil` when there are several and none is the default.
    package func defaultTargetName() -> String? {
        if case .scalar(let text, _)? = defaultTarget?.content { return text }
        let images = declarations.filter(\.isImage)
        return images.count == 1 ? images[0].name : nil
    }

    /// Finds what to build.
    ///
    /// - Parameters:
    ///   - name: The option `target`; `nil` without one.
    ///   - arguments: Build arguments; those that a matrix names choose among its cells.
    /// - Throws: ``SourceProblems`` that list the choices.
    package func target(named name: String?, arguments: [String: String]) throws(SourceProblems) -> BuildTarget {
        let targets = try targets()
        let images = targets.filter(\.declaration.isImage)
        guard let wanted = name ?? defaultTargetName() else {
            let names = images.map(\.name)
            let message =
                names.isEmpty
                ? "the spec has no image to build"
                : "which image? There are \(names.joined(separator: ", "))"
            throw SourceProblems([
                SourceProblem(
                    message,
                    in: sources.first,
                    notes: names.isEmpty ? [] : ["choose with --target, or set default: in the spec"]
                )
            ])
        }
        if let exact = targets.first(where: { $0.name == wanted }) { return exact }
        let cells = targets.filter { $0.declaration.name == wanted }
        let matching = cells.filter { target in
            target.cell.allSatisfy { arguments[$0.key] == nil || arguments[$0.key] == $0.value }
        }
        if matching.count == 1 { return matching[0] }
        let place = name == nil ? defaultTarget?.place : nil
        guard cells.isEmpty else {
            let choices = (matching.isEmpty ? cells : matching).map(\.name)
            let variables = cells.first?.cell.keys.sorted().joined(separator: ", ") ?? ""
            throw SourceProblems([
                cells[0].declaration.keyPlace.problem(
                    "which \(wanted)? Its matrix has \(choices.joined(separator: ", "))",
                    notes: ["choose with --target, or with --build-arg for \(variables)"]
                )
            ])
        }
        let names = targets.map(\.name)
        let hint = nearestWord(to: wanted, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
        let message = "there is no target \"\(shortened(wanted))\"" + hint
        let notes = hint.isEmpty ? ["targets: " + names.joined(separator: ", ")] : []
        throw SourceProblems([
            place?.problem(message, notes: notes) ?? SourceProblem(message, in: sources.first, notes: notes)
        ])
    }

    private func targets(of declaration: Declaration, _ reader: SpecReader) -> [BuildTarget] {
        let plain = [BuildTarget(name: declaration.name, declaration: declaration)]
        guard declaration.isImage, case .mapping(let entries) = declaration.node.content,
            let matrix = entries.first(where: { $0.key == "matrix" })?.value, !matrix.isNull
        else { return plain }
        var cells: [[(name: String, value: String)]] = [[]]
        var exclusions: [[String: Set<String>]] = []
        for entry in reader.entries(matrix, "matrix") {
            if entry.key == "exclude" {
                exclusions = reader.list(entry.value, "exclude").map { exclusion($0, reader) }
                continue
            }
            guard variables.contains(where: { $0.name == entry.key }) else {
                reader.report(
                    "the matrix names \"\(shortened(entry.key))\", which is no variable of this spec"
                        + reader.suggestion(for: entry.key, among: variables.map(\.name)),
                    at: entry.keyPlace
                )
                continue
            }
            let values = reader.list(entry.value, "matrix \(entry.key)").compactMap {
                reader.rawText($0, "matrix \(entry.key)")
            }
            guard !values.isEmpty, cells.count * values.count <= Self.cellCountMax else {
                let reason = values.isEmpty ? "has no value for" : "has more than \(Self.cellCountMax) cells with"
                reader.report("the matrix \(reason) \(entry.key)", at: entry.keyPlace)
                continue
            }
            cells = cells.flatMap { cell in values.map { cell + [(entry.key, $0)] } }
        }
        guard cells.first?.isEmpty == false else { return plain }
        return cells.compactMap { cell in
            let values = Dictionary(cell.map { ($0.name, $0.value) }) { first, _ in first }
            let isExcluded = exclusions.contains { exclusion in
                !exclusion.isEmpty && exclusion.allSatisfy { $0.value.contains(values[$0.key] ?? "") }
            }
            guard !isExcluded else { return nil }
            let name = ([declaration.name] + cell.map { Self.word($0.value) }).joined(separator: "-")
            return BuildTarget(name: name, declaration: declaration, cell: values)
        }
    }

    private func exclusion(_ node: YAMLNode, _ reader: SpecReader) -> [String: Set<String>] {
        var result: [String: Set<String>] = [:]
        for entry in reader.entries(node, "exclude") {
            result[entry.key] = Set(
                reader.elements(entry.value, "exclude").compactMap { reader.rawText($0, "exclude") }
            )
        }
        return result
    }

    /// A value as a part of a target's name.
    private static func word(_ value: String) -> String {
        let bytes = value.lowercased().utf8.map { byte -> UInt8 in
            let isPlain = (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || "._".utf8.contains(byte)
            return isPlain ? byte : UInt8(ascii: "-")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
