// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import FrontendProtocol
internal import OCI

/// Reads stages and images.
struct StageReader {
    let reader: SpecReader
    /// Names of all stages and images.
    let names: Set<String>
    /// Names of the spec's variables.
    let variables: Set<String>

    /// Reads one; the steps of the sections come in the order `env`, `build-env`, `workdir`, `packages`, `users`, `files`,
    /// `steps`.
    func stage(_ declaration: SpecDocument.Declaration) -> Stage? {
        let what = (declaration.isImage ? "image " : "stage ") + declaration.name
        if !declaration.isImage, case .mapping(let entries) = declaration.node.content {
            for entry in entries where SpecKeys.image.contains(entry.key) && !SpecKeys.stage.contains(entry.key) {
                reader.report(
                    "only images have \"\(entry.key)\"",
                    at: entry.keyPlace,
                    notes: ["\(declaration.name) stands under stages:; what stands under images: can be run"]
                )
            }
        }
        // Settings of containers have been told of by now.
        guard let fields = reader.fields(declaration.node, what, SpecKeys.image) else { return nil }
        guard let baseNode = fields["base"] else {
            reader.report(
                "\(what) has no base",
                at: declaration.keyPlace,
                notes: ["base: is an image, a stage of this spec, or scratch"]
            )
            return nil
        }
        guard let base = treeName(baseNode, "base", allowsContext: false) else { return nil }
        var stage = Stage(
            name: declaration.name,
            isImage: declaration.isImage,
            place: declaration.keyPlace,
            base: base,
            basePlace: baseNode.place
        )
        if let node = fields["description"] { stage.summary = reader.text(node, "description") ?? "" }
        if let node = fields["platform"] { stage.platform = platform(node) ?? .target }
        if let node = fields["shell"] { stage.shell = shell(node) }
        readSteps(fields, &stage)
        if declaration.isImage { readImage(fields, &stage) }
        return stage
    }

    private func readSteps(_ fields: SpecReader.Fields, _ stage: inout Stage) {
        if let node = fields["env"] { stage.steps += environment(node, "env", isForBuildOnly: false) }
        if let node = fields["build-env"] { stage.steps += environment(node, "build-env", isForBuildOnly: true) }
        if let node = fields["workdir"], let path = reader.path(node, "workdir") {
            stage.steps.append(Step(place: node.place, name: "workdir \(path)", action: .workingDirectory(path)))
        }
        if let node = fields["packages"] { stage.steps += installs(node) }
        if let node = fields["users"] { stage.steps += users(node) }
        if let node = fields["files"] {
            for element in reader.list(node, "files") { stage.steps += step(element, Self.fileActions, "files") }
        }
        if let node = fields["steps"] {
            for element in reader.list(node, "steps") { stage.steps += step(element, Self.allActions, "steps") }
        }
    }

    private func readImage(_ fields: SpecReader.Fields, _ stage: inout Stage) {
        if let node = fields["platforms"] {
            stage.platforms = reader.elements(node, "platforms").compactMap { element in
                parsedPlatform(element, "platforms")
            }
        }
        stage.settings = settings(fields)
    }

    // MARK: Names and platforms

    /// A stage, an image of the spec, or an image from elsewhere.
    func treeName(_ node: YAMLNode, _ what: String, allowsContext: Bool) -> TreeName? {
        guard let text = reader.text(node, what) else { return nil }
        if names.contains(text) { return .stage(text) }
        if text == "context" {
            if allowsContext { return .context }
            reader.report("\(what) cannot be the context", at: node.place)
            return nil
        }
        if text == "scratch" { return .external(text) }
        do throws(OCIError) {
            _ = try Reference(parsing: text)
        } catch {
            reader.report(
                "\(what) is \"\(shortened(text))\", neither a stage of this spec nor the name of an image"
                    + reader.suggestion(for: text, among: names),
                at: node.place
            )
            return nil
        }
        return .external(text)
    }

    private func platform(_ node: YAMLNode) -> StagePlatform? {
        guard let text = reader.text(node, "platform") else { return nil }
        switch text {
        case "target": return .target
        case "build": return .build
        default: return parsedPlatform(node, "platform").map { .fixed($0) }
        }
    }

    private func parsedPlatform(_ node: YAMLNode, _ what: String) -> Platform? {
        guard let text = reader.text(node, what) else { return nil }
        do throws(OCIError) {
            return try Platform(parsing: text).normalized
        } catch {
            reader.report("\(what): \(error.message)", at: node.place)
            return nil
        }
    }

    func shell(_ node: YAMLNode) -> [String]? {
        let words = reader.list(node, "shell").compactMap { reader.text($0, "shell") }
        guard let first = words.first, !first.isEmpty else {
            reader.report("shell names no program", at: node.place)
            return nil
        }
        return words
    }

    // MARK: Environment

    func environment(_ node: YAMLNode, _ what: String, isForBuildOnly: Bool) -> [Step] {
        let values = assignments(node, what)
        guard !values.isEmpty else { return [] }
        let name = "\(what) " + values.map(\.name).joined(separator: ", ")
        return [Step(place: node.place, name: name, action: .environment(values, isForBuildOnly: isForBuildOnly))]
    }

    /// Names and values, in the order of the file.
    func assignments(_ node: YAMLNode, _ what: String) -> [(name: String, value: String)] {
        reader.entries(node, what).compactMap { entry in
            let name = entry.key
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "=")), !name.utf8.contains(where: { $0 < 0x21 })
            else {
                reader.report("\"\(shortened(name))\" cannot name an environment variable", at: entry.keyPlace)
                return nil
            }
            // A variable without a value is an empty one.
            if entry.value.isNull { return (name, "") }
            guard let value = reader.text(entry.value, "\(what) \(name)") else { return nil }
            guard !value.utf8.contains(0) else {
                reader.report("the value of \(name) holds a NUL byte", at: entry.value.place)
                return nil
            }
            return (name, value)
        }
    }

    // MARK: Commands

    /// A command: a list is a program with its arguments, a text is for the shell and is left as it is.
    func command(_ node: YAMLNode, _ what: String) -> ImageSettings.Command? {
        if case .sequence(let elements) = node.content {
            let words = elements.compactMap { reader.text($0, what) }
            guard words.count == elements.count else { return nil }
            guard !words.isEmpty else {
                reader.report("\(what) names no program", at: node.place)
                return nil
            }
            return .arguments(words)
        }
        guard let text = reader.rawText(node, what) else { return nil }
        guard text.utf8.contains(where: { $0 > 0x20 }) else {
            reader.report("\(what) is empty", at: node.place)
            return nil
        }
        return .script(text)
    }

    /// A time such as `30s`, `1m30s` or `500ms`, in nanoseconds.
    func duration(_ node: YAMLNode, _ what: String) -> Int64? {
        guard let text = reader.text(node, what) else { return nil }
        let units: [(String, Int64)] = [
            ("ms", 1_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ]
        var total: Int64 = 0
        var rest = Substring(text)
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            guard let number = Int64(digits), number <= 100_000_000,
                let unit = units.first(where: { rest.hasPrefix($0.0) })
            else {
                total = 0
                break
            }
            rest = rest.dropFirst(unit.0.count)
            let (product, overflowed) = number.multipliedReportingOverflow(by: unit.1)
            let (sum, isTooLarge) = total.addingReportingOverflow(product)
            guard !overflowed, !isTooLarge else {
                total = 0
                break
            }
            total = sum
        }
        guard total > 0 else {
            reader.report(
                "\(what) is \"\(shortened(text))\", expected a time such as 30s, 1m30s or 500ms",
                at: node.place
            )
            return nil
        }
        return total
    }
}
