// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import LLB
internal import OCI

extension StageReader {
    func run(_ node: YAMLNode, _ fields: SpecReader.Fields) -> [Step] {
        guard let command = command(node, "run") else { return [] }
        let runCommand: Run.Command
        let name: String
        switch command {
        case .script(let text):
            runCommand = .script(text)
            name = "run " + summary(of: text)
        case .arguments(let words):
            runCommand = .arguments(words)
            name = "run " + words.joined(separator: " ")
        }
        var run = Run(command: runCommand)
        if let node = fields["shell"] {
            run.shell = shell(node)
            if case .arguments = runCommand {
                reader.report("a command that is a list has no shell", at: fields.keyPlace("shell") ?? node.place)
            }
        }
        if let node = fields["workdir"] { run.workingDirectory = reader.path(node, "workdir") }
        if let node = fields["user"], let user = reader.text(node, "user") {
            if isOwner(user) {
                run.user = user
            } else {
                reader.report("user is \"\(shortened(user))\", expected a user or user:group", at: node.place)
            }
        }
        if let node = fields["env"] { run.environment = assignments(node, "env") }
        if let node = fields["inputs"] { run.inputs = reader.elements(node, "inputs").compactMap(input) }
        if let node = fields["caches"] { run.caches = reader.elements(node, "caches").compactMap(cache) }
        if let node = fields["secrets"] { run.secrets = reader.elements(node, "secrets").compactMap(secret) }
        if let node = fields["ssh"] { run.sockets = sockets(node) }
        if let node = fields["tmpfs"] {
            run.temporaryDirectories = reader.elements(node, "tmpfs").compactMap { reader.absolutePath($0, "tmpfs") }
        }
        if let node = fields["network"] { run.network = reader.word(node, "network", Run.Network.self) ?? .default }
        if let node = fields["always"] { run.isAlwaysRun = reader.boolean(node, "always") ?? false }
        checkMounts(run)
        checkVariables(of: runCommand, run.environment, fields)
        return [Step(place: fields.place, name: name, action: .run(run))]
    }

    /// The first line of a script, with dots when more follow.
    private func summary(of text: String) -> String {
        let lines = text.split(separator: "\n").map { $0.drop { $0 == " " || $0 == "\t" } }.filter { !$0.isEmpty }
        let first = lines.first.map(String.init) ?? ""
        return first + (lines.count > 1 ? " …" : "")
    }

    private func input(_ node: YAMLNode) -> Run.Input? {
        guard case .mapping = node.content else {
            return reader.path(node, "inputs").flatMap { checked(Run.Input(path: $0, place: node.place)) }
        }
        guard let fields = reader.fields(node, "an input", ["path", "from", "to", "exclude", "writable"]) else {
            return nil
        }
        guard let pathNode = fields["path"] else {
            reader.report("an input has no path:", at: node.place)
            return nil
        }
        guard let path = reader.path(pathNode, "path") else { return nil }
        var input = Run.Input(path: path, place: node.place)
        if let from = fields["from"] {
            guard let name = treeName(from, "from", allowsContext: true) else { return nil }
            input.from = name
        }
        if let to = fields["to"] { input.target = reader.path(to, "to") }
        if let excludes = fields["exclude"] { input.excludes = reader.texts(excludes, "exclude") }
        if let writable = fields["writable"] { input.isWritable = reader.boolean(writable, "writable") ?? false }
        return checked(input)
    }

    private func checked(_ input: Run.Input) -> Run.Input? {
        guard !input.path.utf8.contains(where: { "*?[".utf8.contains($0) }) else {
            reader.report(
                "an input is one file or directory: \"\(shortened(input.path))\" has a wildcard",
                at: input.place,
                notes: ["name the directory, with exclude: for what is not needed"]
            )
            return nil
        }
        guard !input.path.split(separator: "/").contains("..") else {
            reader.report("an input cannot leave its tree: \(shortened(input.path))", at: input.place)
            return nil
        }
        return input
    }

    private func cache(_ node: YAMLNode) -> Run.Cache? {
        guard case .mapping = node.content else {
            return reader.path(node, "caches").map { Run.Cache(path: $0, place: node.place) }
        }
        guard let fields = reader.fields(node, "a cache", ["path", "id", "sharing"]) else { return nil }
        guard let path = fields["path"].flatMap({ reader.path($0, "path") }) else {
            if fields["path"] == nil { reader.report("a cache has no path:", at: node.place) }
            return nil
        }
        var cache = Run.Cache(path: path, place: node.place)
        if let id = fields["id"] { cache.id = reader.text(id, "id") }
        if let sharing = fields["sharing"] {
            cache.sharing = reader.word(sharing, "sharing", Run.Cache.Sharing.self) ?? .shared
        }
        return cache
    }

    private func secret(_ node: YAMLNode) -> Run.Secret? {
        func named(_ node: YAMLNode) -> String? {
            guard let id = reader.text(node, "a secret") else { return nil }
            guard !id.isEmpty, id.utf8.count <= 256, !id.utf8.contains(where: { $0 < 0x21 }) else {
                reader.report("\"\(shortened(id))\" cannot name a secret", at: node.place)
                return nil
            }
            return id
        }
        guard case .mapping = node.content else {
            return named(node).map { Run.Secret(id: $0, file: "/run/secrets/" + SlashPath.base($0), place: node.place) }
        }
        guard let fields = reader.fields(node, "a secret", ["id", "env", "file", "mode", "uid", "required"]) else {
            return nil
        }
        guard let id = fields["id"].flatMap(named) else {
            if fields["id"] == nil { reader.report("a secret has no id:", at: node.place) }
            return nil
        }
        var secret = Run.Secret(id: id, place: node.place)
        if let env = fields["env"] { secret.environmentName = reader.text(env, "env") }
        if let file = fields["file"] { secret.file = reader.absolutePath(file, "file") }
        if secret.environmentName == nil, secret.file == nil { secret.file = "/run/secrets/" + SlashPath.base(id) }
        if let mode = fields["mode"], let text = reader.text(mode, "mode") {
            if let bits = UInt32(text, radix: 8), bits <= 0o777 {
                secret.mode = bits
            } else {
                reader.report("mode is \"\(shortened(text))\", expected octal digits such as 0400", at: mode.place)
            }
        }
        if let uid = fields["uid"] {
            secret.userID = UInt32(reader.integer(uid, "uid", in: 0...Int64(UInt32.max) - 1) ?? 0)
        }
        if let required = fields["required"] { secret.isRequired = reader.boolean(required, "required") ?? true }
        return secret
    }

    /// `true` is the default agent; names are agents of the client.
    private func sockets(_ node: YAMLNode) -> [String] {
        let names = reader.texts(node, "ssh")
        if names == ["false"] { return [] }
        return names.map { $0 == "true" ? "default" : $0 }
    }

    private func checkMounts(_ run: Run) {
        for input in run.inputs where input.target == "/" {
            reader.report("an input cannot stand in place of the whole tree", at: input.place)
        }
        for cache in run.caches where SlashPath.clean(cache.path) == "/" {
            reader.report("a cache cannot stand in place of the whole tree", at: cache.place)
        }
    }

    /// Finds `${name}` of a declared variable in a script, which the shell would take for its own.
    private func checkVariables(
        of command: Run.Command,
        _ environment: [(name: String, value: String)],
        _ fields: SpecReader.Fields
    ) {
        guard case .script(let text) = command, let template = try? Template(text) else { return }
        for name in Set(template.names).sorted()
        where variables.contains(name) && !environment.contains(where: { $0.name == name }) {
            reader.noteScriptVariable(name, at: fields.keyPlace("run") ?? fields.place)
        }
    }
}
