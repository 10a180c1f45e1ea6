// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import LLB
internal import LLBText
internal import OCI

/// Prints a definition in another form.
struct LLBDumpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Prints LLB, an operation a line, as `buildctl debug dump-llb` does, or in another form."
    )

    enum Form: String, EnumerableFlag {
        case lines, friendly, json, protobuf

        static func help(for value: Form) -> ArgumentHelp? {
            switch value {
            case .lines: "An operation a line; the default."
            case .friendly: "Operations under names, in short forms."
            case .json: "The JSON that frontends hand over."
            case .protobuf: "The message pb.Definition, for --llb and buildctl."
            }
        }
    }

    @Flag var form = Form.lines

    @Flag(name: .customLong("lines-of-files"), help: "With --friendly: keep build files and the lines of operations.")
    var keepsLines = false

    @OptionGroup var input: LLBInput

    func run() async throws {
        let definition = try await input.definition()
        do {
            switch form {
            case .lines: writeOutput(try DumpLines.text(definition))
            case .friendly: writeOutput(try FriendlyWriter(definition).json(keepsLines: keepsLines).readable())
            case .json: writeOutput(try definition.json().encodedPretty() + "\n")
            case .protobuf: writeOutput(bytes: try definition.serialized())
            }
        } catch let error as LLBTextError {
            throw UsageError(error.text(file: input.name))
        } catch let error as LLBError {
            throw UsageError("\(input.name): \(error.message)")
        }
    }
}

/// Draws a definition.
struct LLBGraphCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "graph",
        abstract: "Draws LLB as a tree of text, the result at the top, or for Graphviz."
    )

    @Flag(help: "Print Graphviz's language: kiln llb graph --dot FILE | dot -Tsvg.")
    var dot = false

    @OptionGroup var input: LLBInput

    func run() async throws {
        let definition = try await input.definition()
        do {
            writeOutput(dot ? try GraphText.dot(definition) : try GraphText.tree(definition))
        } catch {
            throw UsageError(error.text(file: input.name))
        }
    }
}

/// Says what is wrong with a definition.
struct LLBCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks LLB and names everything that is wrong with it; ends with 1 when something is."
    )

    @Flag(name: [.short, .long], help: "Print nothing when all is well.")
    var quiet = false

    @OptionGroup var input: LLBInput

    func run() async throws {
        let definition = try await input.definition()
        let problems = definition.problems()
        guard problems.isEmpty else {
            // Operations are named as dump --friendly names them, where they can be read at all.
            let names = (try? FriendlyWriter(definition).names) ?? [:]
            throw UsageError(
                problems.map { problem in
                    let name = problem.operation.flatMap { names[$0] }.map { " (\($0))" } ?? ""
                    return "\(input.name): \(problem.message)\(name)"
                }
                .joined(separator: "\n")
            )
        }
        if !quiet {
            let count = max(0, definition.operations.count - 1)
            writeOutput("\(input.name): \(count) \(count == 1 ? "operation" : "operations"), nothing wrong\n")
        }
    }
}
