// SPDX-License-Identifier: Apache-2.0

/// A node understood: the beginning of a stage, or an instruction within one.
package enum Statement: Sendable, Hashable {
    case stage(Stage)
    case instruction(Instruction)

    /// Interprets a node and reports what a linter sees in it alone.
    ///
    /// - Throws: What is wrong with the instruction, with its place.
    package init(
        _ node: Node,
        extensions: Extensions = Extensions(),
        linter: inout Linter
    ) throws(DockerfileError) {
        do {
            switch node.name {
            case "FROM":
                linter.checkFromCasing(node)
                let stage = try Stage(node)
                if !stage.name.isEmpty {
                    linter.checkDescription("FROM", names: [stage.name], of: node)
                }
                self = .stage(stage)
            case "MAINTAINER":
                linter.report(
                    .maintainerDeprecated,
                    "Maintainer instruction is deprecated in favor of using label",
                    lines: node.lines,
                    comments: node.comments
                )
                self = .instruction(try Instruction(node, extensions: extensions))
            default:
                let instruction = try Instruction(node, extensions: extensions)
                if case .arg(let arg) = instruction.body {
                    linter.checkDescription("ARG", names: arg.declarations.map(\.name), of: node)
                }
                self = .instruction(instruction)
            }
        } catch {
            throw error.located(range: node.range, lines: node.lines)
        }
    }
}

extension Stage {
    /// Reads FROM.
    init(_ node: Node) throws(DockerfileError) {
        let words = node.arguments
        let name: String
        switch words.count {
        case 1:
            name = ""
        case 3 where words[1].text.lowercased() == "as":
            name = words[2].text.lowercased()
            guard Self.isValidName(name) else {
                throw DockerfileError(
                    .badStageName,
                    "invalid name for build stage \"\(excerpt(words[2].text))\": it must begin with a letter and hold "
                        + "only letters, digits, -, _ and .",
                    range: words[2].range
                )
            }
        default:
            throw DockerfileError(
                .badArguments,
                "FROM requires either one or three arguments: an image, or image AS name"
            )
        }
        let flags = try FlagSet(node, allowed: ["platform": .string])
        self.init(
            name: name,
            keyword: node.keyword.text,
            base: words[0],
            platform: flags.string("platform"),
            instructions: [],
            description: describedText(of: name, in: node.comments),
            text: trimmingWhiteSpace(node.original),
            lines: node.lines,
            range: node.range,
            comments: node.comments
        )
    }

    private static func isValidName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first >= UInt8(ascii: "a"), first <= UInt8(ascii: "z")
        else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
    }
}

/// The text behind `name ` in the first comment line that begins so; empty without one.
func describedText(of name: String, in comments: [String]) -> String {
    guard !name.isEmpty else { return "" }
    let prefix = Array((name + " ").utf8)
    for comment in comments where comment.utf8.starts(with: prefix) {
        return String(comment.unicodeScalars.dropFirst(name.unicodeScalars.count + 1))
    }
    return ""
}

extension Dockerfile {
    /// Interprets the nodes of a file, in order.
    ///
    /// - Throws: What is wrong first, with file and place, and further instructions that cannot be read.
    package init(
        _ tree: SyntaxTree,
        extensions: Extensions = Extensions(),
        linter: inout Linter
    ) throws(DockerfileError) {
        var globals: [Instruction] = []
        var stages: [Stage] = []
        for line in tree.emptyContinuationLines {
            linter.report(.noEmptyContinuation, "Empty continuation line", lines: line...line)
        }
        do throws(DockerfileError) {
            for (index, node) in tree.nodes.enumerated() {
                let statement: Statement
                do {
                    statement = try Statement(node, extensions: extensions, linter: &linter)
                } catch {
                    var error = error
                    error.further = Self.errors(in: tree.nodes[(index + 1)...], extensions)
                    throw error
                }
                switch statement {
                case .stage(let stage):
                    stages.append(stage)
                case .instruction(let instruction):
                    if stages.isEmpty {
                        guard case .arg = instruction.body else {
                            throw DockerfileError(
                                .noCurrentStage,
                                "\(node.name) stands before the first FROM: only ARG may; begin a stage with FROM",
                                range: node.keyword.range,
                                lines: node.lines
                            )
                        }
                        globals.append(instruction)
                    } else {
                        stages[stages.count - 1].instructions.append(instruction)
                    }
                }
            }
            guard !stages.isEmpty else {
                throw DockerfileError(
                    .noInstructions,
                    "cannot build from this file: it has no stage; begin one with FROM"
                )
            }
        } catch {
            throw error.located(range: nil, lines: nil, file: tree.file)
        }
        linter.checkStageNames(stages)
        linter.checkKeywordCasing(stages)
        self.init(file: tree.file, escape: tree.escape, globalArguments: globals, stages: stages)
    }

    /// Finds out whether a file can be meant, as far as it can be told from this file alone: what it includes may bring stages.
    static func check(_ document: SourceDocument) throws(DockerfileError) {
        let tree = document.tree
        let extensions = try Extensions(directiveOf: document.source)
        let own = extensions.includesFiles ? tree.nodes.filter { !IncludeInstruction.matches($0) } : tree.nodes
        guard own.count < tree.nodes.count else {
            var linter = Linter()
            _ = try Dockerfile(tree, extensions: extensions, linter: &linter)
            return
        }
        if let error = errors(in: own[...], extensions).first {
            throw error.located(range: nil, lines: nil, file: tree.file)
        }
    }

    /// What is wrong with instructions one by one, so that their author hears of all at once.
    private static func errors(in nodes: ArraySlice<Node>, _ extensions: Extensions) -> [DockerfileError] {
        var errors: [DockerfileError] = []
        // A linter of its own: findings behind the first error are not for the user.
        var linter = Linter()
        for node in nodes {
            do throws(DockerfileError) {
                _ = try Statement(node, extensions: extensions, linter: &linter)
            } catch {
                errors.append(error)
                if errors.count == Limit.reportedErrorCount - 1 { break }
            }
        }
        return errors
    }

    private init(
        file: String,
        escape: Unicode.Scalar,
        globalArguments: [Instruction],
        stages: [Stage]
    ) {
        self.file = file
        self.escape = escape
        self.globalArguments = globalArguments
        self.stages = stages
    }
}
