// SPDX-License-Identifier: Apache-2.0

extension CopySources {
    init(_ node: Node) throws(DockerfileError) {
        guard let last = node.arguments.last, node.arguments.count >= 2 else {
            throw DockerfileError(
                .badArguments,
                "\(node.name) requires at least two arguments, sources and a destination"
            )
        }
        if (try? Heredoc(word: last.text)) != nil {
            throw DockerfileError(
                .badHeredoc,
                "\(node.name) cannot have a heredoc as destination",
                range: last.range
            )
        }
        var contents: [String: [UInt8]] = [:]
        for heredoc in node.heredocs {
            contents[heredoc.name] =
                heredoc.stripsTabs ? heredoc.contentWithoutTabs : heredoc.content
        }
        self.init(paths: [], destination: last.text)
        for word in node.arguments.dropLast() {
            if let heredoc = try? Heredoc(word: word.text) {
                inlineFiles.append(
                    InlineFile(
                        name: heredoc.name,
                        content: contents[heredoc.name] ?? [],
                        isExpanded: heredoc.isExpanded
                    )
                )
            } else {
                paths.append(word.text)
            }
        }
    }
}

extension CopyInstruction {
    init(_ node: Node) throws(DockerfileError) {
        // The number of arguments is checked before the flags, as BuildKit does.
        let sources = try CopySources(node)
        let flags = try FlagSet(
            node,
            allowed: [
                "chown": .string, "from": .string, "chmod": .string, "link": .boolean,
                "exclude": .strings,
                "parents": .boolean,
            ]
        )
        self.init(sources: sources)
        from = flags.string("from")
        owner = flags.string("chown")
        mode = flags.string("chmod")
        link = flags.boolean("link") ?? false
        parents = flags.boolean("parents") ?? false
        excludes = flags.words("exclude").map(\.text)
    }
}

extension AddInstruction {
    init(_ node: Node) throws(DockerfileError) {
        let sources = try CopySources(node)
        let flags = try FlagSet(
            node,
            allowed: [
                "chown": .string, "chmod": .string, "link": .boolean, "keep-git-dir": .boolean,
                "checksum": .string,
                "unpack": .boolean, "exclude": .strings,
            ]
        )
        self.init(sources: sources)
        owner = flags.string("chown")
        mode = flags.string("chmod")
        link = flags.boolean("link") ?? false
        keepsGitDirectory = flags.boolean("keep-git-dir")
        checksum = flags.string("checksum")
        unpacks = flags.boolean("unpack")
        excludes = flags.words("exclude").map(\.text)
    }
}
