// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import LLBMessages
internal import OCI

extension OperationReader {
    /// Members of each kind of source, besides those of all operations.
    static let sourceMembers: [String: [String]] = [
        "image": ["resolve", "checksum", "layerLimit", "recordType"],
        "layout": ["store", "session", "layerLimit"],
        "local": ["include", "exclude", "follow", "hint", "differ", "session", "unique"],
        "git": [
            "ref", "subdir", "keepGitDir", "checksum", "skipSubmodules", "mtime", "fetchByCommit", "authToken",
            "authHeader", "knownHosts", "sshSocket",
        ],
        "http": ["checksum", "filename", "mode", "uid", "gid", "authHeader"],
        "source": [],
    ]

    mutating func readSource(_ kind: String) {
        node.allow(
            [kind, "attrs"] + Self.sourceMembers[kind, default: []] + Self.commonMembers,
            in: kind == "source" ? "a source" : "a source of the kind \(kind)"
        )
        guard let given = node[kind], let text = given.string(), let source = source(kind, text, given) else { return }
        message.source = source
        for (name, value) in node["attrs"]?.pairs() ?? [] { message.source.attrs[name] = value }
    }

    private func source(_ kind: String, _ text: String, _ given: Node) -> Pb_SourceOp? {
        switch kind {
        case "image": return image(text, given)
        case "layout": return layout(text)
        case "local": return local(text)
        case "git": return git(text)
        case "http": return http(text, given)
        default:
            var source = Pb_SourceOp()
            source.identifier = text
            if !text.contains("://") { given.report("a source needs a scheme, such as docker-image://") }
            return source
        }
    }

    /// The message of a state that is nothing but a source.
    private func message(of state: State, without names: [String] = []) -> Pb_SourceOp? {
        guard let operation = try? state.definition().graph(capabilities: nil).vertices.first?.operation,
            case .source(var source) = operation.op
        else {
            node.report("names no source")
            return nil
        }
        for name in names { source.attrs[name] = nil }
        return source
    }

    private func image(_ name: String, _ given: Node) -> Pb_SourceOp? {
        let mode: State.ImageResolveMode =
            node["resolve"]?.choice(["default": .default, "pull": .pull, "local": .local]) ?? .default
        do throws(OCIError) {
            let state = try State.image(
                name,
                resolveMode: mode,
                recordType: node["recordType"]?.string(),
                layerLimit: node["layerLimit"]?.integer(Int.self),
                checksum: node["checksum"].flatMap(digest)
            )
            return message(of: state)
        } catch {
            given.report(error.message)
            return nil
        }
    }

    private func digest(_ node: Node) -> Digest? {
        guard let text = node.string("a digest") else { return nil }
        guard let digest = Digest(text) else {
            node.report("\"\(text.prefix(80))\" is no digest: expected sha256: and 64 hexadecimal digits")
            return nil
        }
        return digest
    }

    private func layout(_ name: String) -> Pb_SourceOp? {
        message(
            of: State.ociLayout(
                name,
                session: node["session"]?.string(),
                store: node["store"]?.string(),
                layerLimit: node["layerLimit"]?.integer(Int.self)
            )
        )
    }

    private func local(_ name: String) -> Pb_SourceOp? {
        var options = State.LocalOptions(session: node["session"]?.string())
        options.includePatterns = node["include"]?.strings() ?? []
        options.excludePatterns = node["exclude"]?.strings() ?? []
        options.followPaths = node["follow"]?.strings() ?? []
        options.sharedKeyHint = node["hint"]?.string()
        options.differ = node["differ"]?.string()
        var source = message(of: State.local(name, options: options), without: [SourceAttribute.localUnique])
        if let unique = node["unique"]?.string() { source?.attrs[SourceAttribute.localUnique] = unique }
        return source
    }

    private func git(_ url: String) -> Pb_SourceOp? {
        var options = State.GitOptions(
            reference: node["ref"]?.string() ?? "",
            subdirectory: node["subdir"]?.string() ?? ""
        )
        options.keepsGitDirectory = node["keepGitDir"]?.bool() ?? false
        options.checksum = node["checksum"]?.string() ?? ""
        options.skipsSubmodules = node["skipSubmodules"]?.bool() ?? false
        options.modificationTime = node["mtime"]?.choice(["checkout": "checkout", "commit": "commit"]) ?? ""
        options.fetchesByCommit = node["fetchByCommit"]?.bool() ?? false
        options.authTokenSecret = node["authToken"]?.string() ?? options.authTokenSecret
        options.authHeaderSecret = node["authHeader"]?.string() ?? options.authHeaderSecret
        options.knownSSHHosts = node["knownHosts"]?.string() ?? ""
        options.sshSocket = node["sshSocket"]?.string() ?? ""
        return message(of: State.git(url, options: options))
    }

    private func http(_ url: String, _ given: Node) -> Pb_SourceOp? {
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            given.report("\"\(url.prefix(80))\" is no URL of the scheme http or https")
            return nil
        }
        var options = State.HTTPOptions(
            filename: node["filename"]?.string(),
            checksum: node["checksum"]?.string()
        )
        options.permissions = node["mode"].flatMap(Self.mode).map(Int.init) ?? 0
        options.userID = Int(node["uid"]?.integer(UInt32.self) ?? 0)
        options.groupID = Int(node["gid"]?.integer(UInt32.self) ?? 0)
        options.authHeaderSecret = node["authHeader"]?.string()
        return message(of: State.http(url, options: options))
    }

    /// Permissions as people write them: octal digits in a string.
    static func mode(_ node: Node) -> Int32? {
        if case .number(let digits) = node.value.content {
            node.report(
                "permissions are octal digits in a string, such as \"0644\"; found the number \(digits.prefix(20))"
            )
            return nil
        }
        guard let text = node.string("permissions such as \"0644\"") else { return nil }
        guard (1...6).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x37).contains($0) }),
            let mode = Int32(text, radix: 8)
        else {
            node.report("expected permissions such as \"0644\", found \"\(text.prefix(40))\"")
            return nil
        }
        return mode
    }
}
