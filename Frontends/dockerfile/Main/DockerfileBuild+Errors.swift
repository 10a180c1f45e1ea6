// SPDX-License-Identifier: Apache-2.0

internal import DockerfileConversion
internal import DockerfileSyntax
internal import FrontendKit
internal import FrontendProtocol
internal import LLB
internal import OCI

extension DockerfileBuild {
    /// Runs a part of the build; what it throws becomes words for the user, with the lines of the file they are about.
    func explainingErrors<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch {
            throw explained(error, in: SourceFiles(file))
        }
    }

    /// The same for a part that may find its errors in included files.
    func explaining<Value>(_ conversion: DockerfileConversion, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch {
            throw explained(error, in: conversion.files)
        }
    }

    /// The file some lines are in, and where there.
    func place(of lines: ClosedRange<Int>, in files: SourceFiles) -> (fileName: String, range: TextRange) {
        let place = files.locate(lines)
        return (name(of: place.index, in: files), TextRange(place.lines))
    }

    /// The Dockerfile as messages name it.
    private var file: SourceFile {
        SourceFile(filename: request.fileName, language: "Dockerfile", data: request.fileContent)
    }

    /// The Dockerfile has the name its user gave it; the option holds only its last part.
    private func name(of index: Int, in files: SourceFiles) -> String {
        index == 0 ? request.fileName : files.entries[index].file.filename
    }

    private func explained(_ error: any Error, in files: SourceFiles) -> any Error {
        switch error {
        case let error as DockerfileError:
            return SourceProblems(([error] + error.further).map { problem($0, in: files) })
        case let error as ConversionError:
            guard let lines = error.lines else { return BuildError(error.description, because: error.cause ?? error) }
            let located = DockerfileError(.badArguments, error.message, suggestion: error.suggestion, lines: lines)
            return BuildError(problem(located, in: files).rendered, because: error.cause ?? error)
        case let error as LLBError: return BuildError("cannot build the graph: \(error)")
        case let error as OCIError: return BuildError(error.message)
        default: return error
        }
    }

    private func problem(_ error: DockerfileError, in files: SourceFiles) -> SourceProblem {
        guard let lines = error.lines ?? error.range.map({ $0.start.line...max($0.start.line, $0.end.line) }) else {
            return SourceProblem(error.explanation, in: SourceText(name: request.fileName, bytes: request.fileContent))
        }
        let place = files.locate(lines)
        let source = SourceText(name: name(of: place.index, in: files), bytes: files.entries[place.index].file.data)
        var range = TextRange(place.lines)
        if let marked = error.range {
            let offset = lines.lowerBound - place.lines.lowerBound
            range = TextRange(
                startLine: marked.start.line - offset,
                startColumn: marked.start.column,
                endLine: marked.end.line - offset,
                endColumn: marked.end.column
            )
        } else {
            // All of its first line is underlined.
            (range.startColumn, range.endColumn) = (1, .max)
        }
        return SourceProblem(
            error.explanation,
            in: source,
            at: range,
            lines: place.lines,
            notes: files.includers(of: place.index).map { "included by " + $0 }
        )
    }
}
