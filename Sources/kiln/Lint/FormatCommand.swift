// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import Synchronization

struct FormatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fmt",
        abstract: "Writes build files in their usual form.",
        discussion: """
            Each file is written by its own frontend, and builds the same afterwards. "-" is a Dockerfile on the \
            standard input, which is written to the standard output.
            """
    )

    @OptionGroup var input: BuildFileOptions

    @Flag(help: "Write nothing: list the files that have another form, and end with 1 if there is one.")
    var check = false

    @Flag(help: "Write nothing: show what would change.")
    var diff = false

    func run() async throws {
        let isDifferent = Atomic(false)
        let (input, check, diff) = (input, check, diff)
        let failure = try await input.forEachFile { engine, file in
            let source = try readFile(file, what: "the build file")
            let request = try input.request(for: file, bytes: file == "-" ? source : nil)
            guard case .formatted(let text) = try await engine.describe(request, .format) else { return }
            let name = file == "-" ? "<standard input>" : file
            if text != source {
                isDifferent.store(true, ordering: .relaxed)
                if check { writeOutput(name + "\n") }
                if diff { writeOutput(bytes: unifiedDiff(source, text, name: name)) }
            }
            if check || diff { return }
            if file == "-" {
                writeOutput(bytes: text)
            } else if text != source {
                guard try readFile(file, what: "the build file") == source else {
                    throw UsageError("cannot format \(file): somebody else changed it meanwhile; try again")
                }
                try replaceFile(file, text)
                writeError("kiln: formatted \(file)\n")
            }
        }
        let status = max(failure, check && isDifferent.load(ordering: .relaxed) ? 1 : 0)
        if status != 0 { throw ExitStatus(code: status) }
    }
}
