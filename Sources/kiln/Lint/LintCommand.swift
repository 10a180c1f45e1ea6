// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import FrontendProtocol
internal import OCI
internal import Synchronization
internal import SystemPackage

struct LintCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Looks for what is weak or wrong in build files.",
        discussion: """
            Each file is read by its own frontend, as "kiln build --check" does. The exit status is 0 when nothing was \
            found, 1 when something was, 75 when a network or registry failed.
            """
    )

    @OptionGroup var input: BuildFileOptions

    @Option(help: "How findings are written: text, json or sarif.")
    var format = LintFormat.text

    @Flag(help: "Fix what can be fixed without a decision, in the files themselves.")
    var fix = false

    @Option(help: "The stage to look at; all of them otherwise.")
    var target: String?

    @OptionGroup var given: BuildInputOptions

    @Option(
        name: .customLong("platform"),
        help: ArgumentHelp("The platform to build for.", valueName: "os/arch[/variant]")
    )
    var platform: String?

    func run() async throws {
        let lint = FileLint(
            input: input,
            target: target,
            buildArguments: given.arguments,
            namedContexts: try given.contexts(),
            platforms: try platform.map { [try Platform(parsing: $0)] } ?? [],
            fixes: fix
        )
        let results = Mutex<[LintedFile]>([])
        let failure = try await input.forEachFile { engine, file in
            let result = try await lint.run(file, engine)
            results.withLock { $0.append(result) }
        }
        let files = results.withLock { $0 }
        for file in files {
            for diagnostic in file.fixed { writeError("kiln: fixed \(diagnostic.place(in: file.path))\n") }
        }
        writeOutput(format.text(of: files, isComplete: failure == 0))
        let status = max(failure, files.allSatisfy(\.findings.isClean) ? 0 : 1)
        if status != 0 { throw ExitStatus(code: status) }
    }
}

/// A file that was linted.
struct LintedFile: Sendable {
    /// As the user gave it.
    var path: String
    /// What the findings are about.
    var source: [UInt8]
    /// Those that are left.
    var findings: LintFindings
    /// What was fixed, as it was found.
    var fixed: [Diagnostic] = []
}

/// Has files linted by their frontends, and fixes them.
private struct FileLint: Sendable {
    let input: BuildFileOptions
    let target: String?
    let buildArguments: [String: String]
    let namedContexts: [String: String]
    let platforms: [Platform]
    let fixes: Bool

    /// How often a file is linted again because some fixes had to wait for others.
    private static let roundCountMax = 8

    func run(_ path: String, _ engine: Engine) async throws -> LintedFile {
        var file = try await lint(path, engine)
        guard fixes else { return file }
        var fixed: [Diagnostic] = []
        for _ in 0..<Self.roundCountMax {
            let text = FixedText(file.source, diagnostics: file.ownDiagnostics)
            if text.fixed.isEmpty || text.bytes == file.source { break }
            guard try readFile(path, what: "the build file") == file.source else {
                throw UsageError("cannot fix \(path): somebody else changed it meanwhile; try again")
            }
            try replaceFile(path, text.bytes)
            fixed += text.fixed
            file = try await lint(path, engine)
        }
        file.fixed = fixed
        return file
    }

    private func lint(_ path: String, _ engine: Engine) async throws -> LintedFile {
        let source = try readFile(path, what: "the build file")
        var request = try input.request(for: path)
        request.target = target
        request.buildArguments = buildArguments
        request.namedContexts = namedContexts
        request.platforms = platforms
        guard case .lint(let findings) = try await engine.describe(request, .lint) else {
            return LintedFile(path: path, source: source, findings: LintFindings(diagnostics: []))
        }
        return LintedFile(path: path, source: source, findings: findings)
    }
}

extension LintedFile {
    /// Whether a name that a frontend gave stands for this file.
    private func isOwn(_ name: String?) -> Bool { name == nil || name == FilePath(path).lastComponent?.string }

    /// What was found in this file, not in one that it includes.
    var ownDiagnostics: [Diagnostic] { findings.diagnostics.filter { isOwn($0.fileName) } }

    /// The findings with the file's name as the user gave it.
    var namedFindings: LintFindings {
        var named = findings
        for index in named.diagnostics.indices where isOwn(named.diagnostics[index].fileName) {
            named.diagnostics[index].fileName = path
        }
        if isOwn(named.error?.fileName) { named.error?.fileName = path }
        return named
    }
}

extension Diagnostic {
    /// What a fix was made for: `Dockerfile:3: FromAsCasing: write AS`.
    fileprivate func place(in path: String) -> String {
        let line = ranges.first.map { ":\($0.startLine)" } ?? ""
        return "\(path)\(line): \(code.map { "\($0): " } ?? "")\(fixes.first?.title ?? message)"
    }
}
