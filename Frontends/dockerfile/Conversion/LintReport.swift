// SPDX-License-Identifier: Apache-2.0

package import DockerfileSyntax
internal import LLB
package import OCI

/// What the linter found in a Dockerfile, and why it cannot be built if it cannot.
package struct LintReport: Sendable {
    package let warnings: [LintWarning]
    /// Why the Dockerfile cannot be built; `nil` when it can.
    package let failure: Failure?
    /// Where the lines of findings are counted.
    package let files: SourceFiles

    /// An error of the Dockerfile.
    package struct Failure: Sendable {
        package var message: String
        package var lines: ClosedRange<Int>?
    }

    /// Converts a Dockerfile for its findings alone; without a target, all stages.
    ///
    /// - Throws: Only what is no fault of the file: cancellation, or an engine that cannot answer.
    package init(_ input: ConversionInput, context: any ConversionContext) async throws {
        var input = input
        input.convertsAllStages = input.options.target.isEmpty
        let conversion = DockerfileConversion(input, context: context)
        do {
            _ = try await conversion.run()
            failure = nil
        } catch let error as DockerfileError {
            failure = Failure(message: error.explanation, lines: error.lines)
        } catch let error as ConversionError {
            if error.cause is CancellationError { throw error }
            failure = Failure(message: error.message, lines: error.lines)
        }
        warnings = conversion.warnings
        files = conversion.files
    }

    /// Whether nothing was found: the exit status of a check is 0 then, otherwise 1.
    package var isClean: Bool { warnings.isEmpty && failure == nil }

    /// The answer to the subrequest `frontend.lint`.
    package var json: JSONValue {
        var members = [
            JSONMember("warnings", warnings.isEmpty ? .null : .array(warnings.map { $0.json(files) })),
            JSONMember("sources", .array(files.entries.map { sourceJSON($0.file) })),
        ]
        if let failure {
            let location = failure.lines.map { locationJSON($0, files) } ?? .object([])
            members.append(
                JSONMember(
                    "buildError",
                    .object([
                        JSONMember("message", .string(failure.message)),
                        JSONMember("location", location),
                    ])
                )
            )
        }
        return .object(members)
    }

    private func sourceJSON(_ source: SourceFile) -> JSONValue {
        .object([
            JSONMember("filename", .string(source.filename)),
            JSONMember("data", .string(base64Encoded(source.data))),
            JSONMember("language", .string(source.language)),
        ])
    }

    /// The same for people, each finding with the lines it is about.
    package var text: String {
        var text = ""
        for warning in warnings.sorted(by: { $0.lines.lowerBound < $1.lines.lowerBound }) {
            text += "\nWARNING: \(warning.rule.name)"
            if !warning.rule.url.isEmpty { text += " - " + warning.rule.url }
            text += "\n\(warning.message)\n" + excerpt(warning.lines)
        }
        return text
    }

    /// Lines of the file with a few around them.
    private func excerpt(_ lines: ClosedRange<Int>) -> String {
        let (index, fault) = files.locate(lines)
        let source = files.entries[index].file
        let lines = source.data.split(
            separator: UInt8(ascii: "\n"),
            omittingEmptySubsequences: false
        )
        guard (1...lines.count).contains(fault.lowerBound) else { return "" }
        var first = fault.lowerBound
        var last = min(fault.upperBound, lines.count)
        let padding = fault.count == 1 ? 4 : 2
        var count = 0
        while count < padding {
            if first > 1 {
                first -= 1
                count += 1
            }
            if last != lines.count {
                last += 1
                count += 1
            }
            count += 1
        }
        let rule = "--------------------\n"
        var text = "\(source.filename):\(fault.lowerBound)\n" + rule
        for number in first...last {
            let label = String(repeating: " ", count: max(0, 3 - "\(number)".count)) + "\(number)"
            let mark = fault.contains(number) ? ">>>" : "   "
            text += " \(label) | \(mark) \(String(decoding: lines[number - 1], as: UTF8.self))\n"
        }
        return text + rule
    }
}

extension LintWarning {
    fileprivate func json(_ files: SourceFiles) -> JSONValue {
        var members = [
            JSONMember("ruleName", .string(rule.name)),
            JSONMember("description", .string(rule.summary)),
        ]
        if !rule.url.isEmpty { members.append(JSONMember("url", .string(rule.url))) }
        members.append(JSONMember("detail", .string(message)))
        members.append(JSONMember("location", locationJSON(lines, files)))
        return .object(members)
    }
}
