// SPDX-License-Identifier: Apache-2.0

extension Instruction {
    /// The keywords a Dockerfile knows.
    package static let keywords = [
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
        "MAINTAINER",
        "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    ]

    /// Interprets any node but FROM.
    ///
    /// - Throws: What is wrong with the instruction, with its place.
    package init(_ node: Node, extensions: Extensions = Extensions()) throws(DockerfileError) {
        do {
            self.init(
                keyword: node.keyword.text,
                body: try Body(node, extensions),
                text: trimmingWhiteSpace(node.original),
                lines: node.lines,
                range: node.range,
                comments: node.comments,
                argumentRanges: node.argumentWords.map(\.range)
            )
        } catch {
            throw error.located(range: node.range, lines: node.lines)
        }
    }
}

extension Instruction.Body {
    init(_ node: Node, _ extensions: Extensions) throws(DockerfileError) {
        switch node.name {
        case "ADD": self = .add(try AddInstruction(node))
        case "ARG": self = .arg(try ArgInstruction(node))
        case "CMD": self = .cmd(try Self.commandLine(node))
        case "COPY": self = .copy(try CopyInstruction(node))
        case "ENTRYPOINT": self = .entrypoint(try Self.commandLine(node))
        case "ENV":
            _ = try FlagSet(node)
            self = .env(EnvInstruction(pairs: try Self.pairs(node)))
        case "EXPOSE":
            try Self.requireArguments(node)
            _ = try FlagSet(node)
            self = .expose(
                node.arguments.map(\.text).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            )
        case "HEALTHCHECK": self = .healthcheck(try Healthcheck(node))
        case "LABEL":
            _ = try FlagSet(node)
            self = .label(LabelInstruction(pairs: try Self.pairs(node)))
        case "MAINTAINER": self = .maintainer(try Self.singleArgument(node))
        case "ONBUILD": self = .onbuild(try OnbuildInstruction(node))
        case "RUN": self = .run(try RunInstruction(node, extensions))
        case "SHELL":
            _ = try FlagSet(node)
            try Self.requireArguments(node)
            guard node.isJSON else {
                throw DockerfileError(
                    .badArguments,
                    "SHELL requires its arguments in JSON form, for example SHELL [\"/bin/sh\", \"-c\"]"
                )
            }
            self = .shell(node.arguments.map(\.text))
        case "STOPSIGNAL": self = .stopsignal(try Self.singleArgument(node, checksFlags: false))
        case "USER": self = .user(try Self.singleArgument(node))
        case "VOLUME":
            try Self.requireArguments(node)
            _ = try FlagSet(node)
            var volumes: [String] = []
            for word in node.arguments {
                let volume = trimmingWhiteSpace(word.text)
                guard !volume.isEmpty else {
                    throw DockerfileError(
                        .badArguments,
                        "VOLUME cannot be an empty string",
                        range: word.range
                    )
                }
                volumes.append(volume)
            }
            self = .volume(volumes)
        case "WORKDIR": self = .workdir(try Self.singleArgument(node))
        case "FROM":
            throw DockerfileError(.badArguments, "FROM cannot stand here: it begins a stage")
        default:
            throw DockerfileError(
                .unknownInstruction,
                "unknown instruction \(excerpt(node.keyword.text))",
                suggestion: nearestWord(
                    to: node.keyword.text,
                    among: Instruction.keywords,
                    caseSensitive: false
                ),
                range: node.keyword.range
            )
        }
    }

    static func requireArguments(_ node: Node) throws(DockerfileError) {
        guard !node.argumentWords.isEmpty else {
            throw DockerfileError(.badArguments, "\(node.name) requires at least one argument")
        }
    }

    private static func singleArgument(
        _ node: Node,
        checksFlags: Bool = true
    ) throws(DockerfileError) -> String {
        guard node.arguments.count == 1 else {
            throw DockerfileError(.badArguments, "\(node.name) requires exactly one argument")
        }
        if checksFlags { _ = try FlagSet(node) }
        return node.arguments[0].text
    }

    private static func pairs(_ node: Node) throws(DockerfileError) -> [KeyValue] {
        try requireArguments(node)
        var pairs: [KeyValue] = []
        for index in stride(from: 0, to: node.arguments.count - 2, by: 3) {
            let key = node.arguments[index]
            guard !key.text.isEmpty else {
                throw blankName(node, range: node.arguments[index + 2].range)
            }
            pairs.append(
                KeyValue(
                    key: key.text,
                    value: node.arguments[index + 1].text,
                    isLegacy: node.arguments[index + 2].text.isEmpty
                )
            )
        }
        return pairs
    }

    static func blankName(_ node: Node, range: SourceRange) -> DockerfileError {
        DockerfileError(.badArguments, "\(node.name) names cannot be blank", range: range)
    }

    private static func commandLine(_ node: Node) throws(DockerfileError) -> CommandLine {
        _ = try FlagSet(node)
        return CommandLine(node)
    }
}

extension CommandLine {
    init(_ node: Node) {
        self.init(
            arguments: node.arguments.map(\.text),
            usesShell: !node.isJSON,
            heredocs: node.heredocs
        )
    }
}

extension ArgInstruction {
    init(_ node: Node) throws(DockerfileError) {
        try Instruction.Body.requireArguments(node)
        var declarations: [Declaration] = []
        for word in node.arguments {
            let parts = cut(word.text, at: "=")
            let name = parts?.before ?? word.text
            guard !name.isEmpty else { throw Instruction.Body.blankName(node, range: word.range) }
            declarations.append(
                Declaration(
                    name: name,
                    defaultValue: parts?.after,
                    description: describedText(of: name, in: node.comments)
                )
            )
        }
        self.init(declarations: declarations)
    }
}

extension OnbuildInstruction {
    init(_ node: Node) throws(DockerfileError) {
        try Instruction.Body.requireArguments(node)
        _ = try FlagSet(node)
        guard let trigger = node.trigger.first else {
            throw DockerfileError(.badArguments, "ONBUILD requires at least one argument")
        }
        switch trigger.name {
        case "ONBUILD":
            throw DockerfileError(
                .badTrigger,
                "ONBUILD cannot hold another ONBUILD",
                range: trigger.range
            )
        case "MAINTAINER", "FROM":
            throw DockerfileError(
                .badTrigger,
                "ONBUILD cannot hold \(trigger.name): it is no step of a build",
                range: trigger.range
            )
        default:
            break
        }
        // Only the keyword goes: flags of ONBUILD itself are refused above, and inner white space
        // stays.
        var rest = node.original.unicodeScalars[...]
        rest = rest.drop { $0.value < 0x80 && $0.isWhiteSpace }
        rest = rest.dropFirst("ONBUILD".unicodeScalars.count)
        rest = rest.drop { $0.value < 0x80 && $0.isWhiteSpace }
        var expression = String(rest)
        for heredoc in node.heredocs {
            expression += "\n" + heredoc.text + heredoc.name
        }
        self.init(expression: expression)
    }
}
