// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import OCI

extension StageReader {
    static let fileActions = ["copy", "content", "download", "clone", "directory", "symlink", "remove"]
    static let allActions = ["run"] + fileActions + ["packages", "env", "workdir"]

    /// Reads an element of `files` or `steps`; nothing when `when` says that it is left out.
    func step(_ node: YAMLNode, _ actions: [String], _ what: String) -> [Step] {
        guard case .mapping(let entries) = node.content else {
            reader.report(
                "\(what) holds \(node.kindName), expected a mapping that begins with \(actions.prefix(3).joined(separator: ", ")), …",
                at: node.place
            )
            return []
        }
        // `env` and `workdir` are settings of a command as well.
        let found = actions.filter { action in entries.contains { $0.key == action } }
        let chosen = found.contains("run") ? "run" : found.first
        guard let action = chosen else {
            let word = entries.first?.key ?? ""
            reader.report(
                "this step does nothing" + reader.suggestion(for: word, among: actions),
                at: entries.first?.keyPlace ?? node.place,
                notes: ["a step has one of " + actions.joined(separator: ", ")]
            )
            return []
        }
        let own = SpecKeys.steps[action] ?? []
        for other in found where other != action && !own.contains(other) {
            guard let place = entries.first(where: { $0.key == other })?.keyPlace else { continue }
            reader.report("a step cannot both \(action) and \(other); make it two", at: place)
        }
        let others = found.filter { !own.contains($0) && $0 != action }
        guard let fields = reader.fields(node, "a \(action) step", [action] + own + ["name", "when"] + others) else {
            return []
        }
        guard fields[action] != nil || action == "content" else {
            reader.report("\(action) has no value", at: fields.keyPlace(action) ?? node.place)
            return []
        }
        let isWanted = fields["when"].map(holds) ?? true
        var steps = self.steps(action, fields)
        if let name = fields["name"].flatMap({ reader.text($0, "name") }) {
            for index in steps.indices { steps[index].name = name }
        }
        for index in steps.indices { steps[index].place = node.place }
        return isWanted ? steps : []
    }

    private func steps(_ action: String, _ fields: SpecReader.Fields) -> [Step] {
        func one(_ name: String, _ action: Step.Action?) -> [Step] {
            action.map { [Step(place: fields.place, name: name, action: $0)] } ?? []
        }
        guard action != "content" else { return content(fields) }
        guard let node = fields[action] else { return [] }
        switch action {
        case "run": return run(node, fields)
        case "copy": return copy(node, fields)
        case "download": return download(node, fields)
        case "clone": return clone(node, fields)
        case "directory":
            guard let path = reader.path(node, "directory") else { return [] }
            return one("directory \(path)", .makeDirectory(path, attributes(fields, isDirectory: true)))
        case "symlink":
            guard let path = reader.path(node, "symlink") else { return [] }
            guard let target = fields["target"].flatMap({ reader.path($0, "target") }) else {
                if fields["target"] == nil { reader.report("symlink has no target:", at: fields.place) }
                return []
            }
            return one("symlink \(path) to \(target)", .makeSymlink(path: path, target: target))
        case "remove":
            let paths = reader.elements(node, "remove").compactMap { reader.path($0, "remove") }
            return one("remove " + paths.joined(separator: " "), paths.isEmpty ? nil : .remove(paths))
        case "packages": return installs(node)
        case "env": return environment(node, "env", isForBuildOnly: false)
        default:
            guard let path = reader.path(node, "workdir") else { return [] }
            return one("workdir \(path)", .workingDirectory(path))
        }
    }

    // MARK: Files

    private func destination(_ fields: SpecReader.Fields, _ what: String) -> String? {
        guard let node = fields["to"] else {
            reader.report("\(what) has no to:", at: fields.place)
            return nil
        }
        return reader.path(node, "to")
    }

    private func copy(_ node: YAMLNode, _ fields: SpecReader.Fields) -> [Step] {
        var copy = Copy(sources: [], destination: "")
        if let from = fields["from"] {
            guard let name = treeName(from, "from", allowsContext: true) else { return [] }
            copy.from = name
        }
        copy.sources = reader.elements(node, "copy").compactMap { reader.path($0, "copy") }
        guard let to = destination(fields, "copy"), !copy.sources.isEmpty else { return [] }
        copy.destination = to
        copy.attributes = attributes(fields)
        if let excludes = fields["exclude"] { copy.excludes = reader.texts(excludes, "exclude") }
        if let parents = fields["parents"] { copy.keepsParents = reader.boolean(parents, "parents") ?? false }
        if copy.sources.count > 1, !to.hasSuffix("/"), !copy.keepsParents {
            reader.report(
                "several sources need a directory to go to: end to: with /",
                at: fields["to"]?.place ?? fields.place
            )
        }
        if copy.from == .context {
            for source in copy.sources where source.split(separator: "/").contains("..") {
                reader.report("copy cannot leave the context: \(shortened(source))", at: node.place)
            }
        }
        let origin: String =
            switch copy.from {
            case .context: ""
            case .stage(let name), .external(let name): "from \(name) "
            }
        let name = "copy \(origin)\(copy.sources.joined(separator: " ")) to \(to)"
        return [Step(place: fields.place, name: name, action: .copy(copy))]
    }

    private func content(_ fields: SpecReader.Fields) -> [Step] {
        guard let to = destination(fields, "content") else { return [] }
        guard !to.hasSuffix("/") else {
            reader.report(
                "to: is a directory; content needs the name of a file",
                at: fields["to"]?.place ?? fields.place
            )
            return []
        }
        var text: String? = ""
        if let node = fields["content"] {
            let isExpanded = fields["expand"].flatMap { reader.boolean($0, "expand") } ?? false
            text = isExpanded ? reader.text(node, "content") : reader.rawText(node, "content")
        }
        guard let text else { return [] }
        let action = Step.Action.write(text: text, to: to, attributes(fields))
        return [Step(place: fields.place, name: "write \(to)", action: action)]
    }

    private func download(_ node: YAMLNode, _ fields: SpecReader.Fields) -> [Step] {
        guard let url = reader.text(node, "download"), let to = destination(fields, "download") else { return [] }
        guard url.hasPrefix("https://") || url.hasPrefix("http://"), url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
        else {
            reader.report(
                "download is \"\(shortened(url))\", expected an address that begins with https://",
                at: node.place
            )
            return []
        }
        var download = Download(url: url, destination: to)
        download.attributes = attributes(fields)
        if let node = fields["checksum"], let checksum = reader.text(node, "checksum") {
            if isChecksum(checksum) {
                download.checksum = checksum
            } else {
                reader.report(
                    "checksum is \"\(shortened(checksum))\", expected sha256: and 64 hexadecimal digits",
                    at: node.place
                )
            }
        }
        if let node = fields["unpack"] { download.unpacks = reader.boolean(node, "unpack") ?? false }
        return [Step(place: fields.place, name: "download \(url) to \(to)", action: .download(download))]
    }

    private func clone(_ node: YAMLNode, _ fields: SpecReader.Fields) -> [Step] {
        guard let repository = reader.text(node, "clone"), let to = destination(fields, "clone") else { return [] }
        guard repositoryFault(repository) == nil else {
            reader.report(
                "cannot clone \"\(shortened(repository))\": \(repositoryFault(repository) ?? "")",
                at: node.place
            )
            return []
        }
        var clone = Clone(repository: repository, destination: to)
        clone.attributes = attributes(fields)
        if let excludes = fields["exclude"] { clone.excludes = reader.texts(excludes, "exclude") }
        return [Step(place: fields.place, name: "clone \(repository) to \(to)", action: .clone(clone))]
    }

    private func isChecksum(_ text: String) -> Bool {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let digitCounts = ["sha256": 64, "sha384": 96, "sha512": 128]
        guard parts.count == 2, let count = digitCounts[String(parts[0])] else { return false }
        return parts[1].utf8.count == count
            && parts[1].utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private func attributes(_ fields: SpecReader.Fields, isDirectory: Bool = false) -> FileAttributes {
        var attributes = FileAttributes()
        if let node = fields["owner"], let owner = reader.text(node, "owner") {
            if isOwner(owner) {
                attributes.owner = owner
            } else {
                reader.report("owner is \"\(shortened(owner))\", expected user or user:group", at: node.place)
            }
        }
        guard let node = fields["mode"], let text = reader.text(node, "mode") else { return attributes }
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x37).contains($0) }
        if isNumber, let bits = Int32(text, radix: 8), bits <= (isDirectory ? 0o777 : 0o7777) {
            attributes.mode = .bits(bits)
        } else if !isDirectory, Self.isSymbolicMode(text) {
            attributes.mode = .symbolic(text)
        } else {
            let other = isDirectory ? " up to 0777" : ", or a change such as u+rwX,go-w"
            reader.report("mode is \"\(shortened(text))\", expected octal digits such as 0755" + other, at: node.place)
        }
        return attributes
    }

    /// Clauses of who (`ugoa`), operators (`+-=`) and permissions (`rwxXstugo`), joined by commas.
    private static func isSymbolicMode(_ text: String) -> Bool {
        text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { clause in
            let rest = clause.drop { "ugoa".contains($0) }
            guard let first = rest.first, "+-=".contains(first) else { return false }
            return rest.allSatisfy { "+-=rwxXstugo".contains($0) }
        }
    }

    // MARK: Conditions

    /// Whether all variables of a `when` have one of the values it names.
    private func holds(_ node: YAMLNode) -> Bool {
        var result = true
        for entry in reader.entries(node, "when") {
            guard let value = reader.value(of: entry.key, at: entry.keyPlace) else { continue }
            let wanted = reader.texts(entry.value, "when \(entry.key)")
            if !wanted.contains(value) { result = false }
        }
        return result
    }
}
