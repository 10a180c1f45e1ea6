// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB

extension DockerfileConversion {
    /// Replaces the variables in the names of what an instruction copies or mounts from, where the file may use them.
    ///
    /// Stages are linked before any of them runs, so `variables` are ARGs alone: those of the stage up to the instruction,
    /// then those before the first FROM. What ENV or a base image sets is not known yet.
    func expandingOrigins(
        of instruction: Instruction,
        _ variables: EnvironmentList,
        _ outline: inout OutlineCapture
    ) throws -> Instruction {
        var instruction = instruction
        switch instruction.body {
        case .copy(var copy) where copy.from.utf8.contains(UInt8(ascii: "$")):
            let written = copy.from
            copy.from = try origin(written, "--from", instruction, variables, &outline)
            instruction.body = .copy(copy)
            // Steps are named after their text, and what the stage itself does not know would be blank there.
            instruction.text = instruction.text.replacing("--from=" + written, with: "--from=" + copy.from)
        case .run(var run) where run.mountOrigins.contains(where: { $0.utf8.contains(UInt8(ascii: "$")) }):
            for index in run.mountOrigins.indices where run.mountOrigins[index].utf8.contains(UInt8(ascii: "$")) {
                run.mountOrigins[index] = try origin(
                    run.mountOrigins[index],
                    "from of --mount",
                    instruction,
                    variables,
                    &outline
                )
            }
            run.hasExpandedOrigins = true
            instruction.body = .run(run)
        default: break
        }
        return instruction
    }

    private func origin(
        _ text: String,
        _ place: String,
        _ instruction: Instruction,
        _ variables: EnvironmentList,
        _ outline: inout OutlineCapture
    ) throws -> String {
        do {
            let expansion = try expander.expand(text, variables)
            outline.used.formUnion(expansion.matched)
            guard expansion.text.isEmpty else { return expansion.text }
            let missing = expansion.unmatched.sorted()
            throw ConversionError(
                .badSource,
                missing.isEmpty
                    ? "\(place) is empty: \(text)"
                    : "\(place) is empty: no ARG before it sets \(missing.joined(separator: ", ")); ENV has no say here",
                suggestion: missing.lazy.compactMap { nearestWord(to: $0, among: variables.names) }.first,
                lines: instruction.lines
            )
        } catch let error as DockerfileError {
            throw error.located(range: nil, lines: instruction.lines)
        }
    }
}
