// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LLB

extension FrontendBuildRequest {
    /// The request as it is sent.
    ///
    /// - Parameter refs: Takes the inputs in, in the order of their names.
    func wire(refs: RefTable<Ref>) throws -> Wire.Build {
        var inputs: [String: Wire.Input] = [:]
        let ordered = self.inputs.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for (name, input) in ordered {
            let definition = try input.definition?.serialized()
            inputs[name] = Wire.Input(
                ref: try input.ref.map { try refs.add($0, isLent: true) },
                definition: definition.map { .protobuf($0) }
            )
        }
        return Wire.Build(
            fileName: fileName,
            fileContent: fileContent,
            options: options,
            inputs: inputs,
            workerPlatforms: workerPlatforms,
            commandLine: commandLine,
            deadlineMilliseconds: deadline.map {
                let parts = $0.components
                return parts.seconds &* 1000 &+ parts.attoseconds / 1_000_000_000_000_000
            }
        )
    }
}

extension RefTable {
    /// Takes the refs of a result out of the table: they are the caller's from now on.
    ///
    /// - Parameter frontend: Who made the result.
    func take(
        _ answer: Wire.Build.Answer,
        of frontend: Wire.Program
    ) throws(SessionFailure) -> FrontendResult<Ref> {
        var platforms: [FrontendResult<Ref>.PlatformResult] = []
        for result in answer.results {
            if platforms.contains(where: { $0.id == result.id }) {
                throw SessionFailure(
                    .malformedResult,
                    "gave a wrong answer: result of \"build\" has \"\(printable(result.id.utf8))\" twice"
                )
            }
            let ref: Ref?
            do throws(ProtocolFailure) {
                ref = try find(result.ref)
            } catch {
                throw SessionFailure(
                    .malformedResult,
                    "gave a wrong answer: in the result of \"build\", \(error.message)"
                )
            }
            platforms.append(
                .init(
                    id: result.id,
                    platform: result.platform,
                    ref: ref,
                    config: result.config,
                    metadata: result.metadata
                )
            )
        }
        forget(Set(answer.results.compactMap(\.ref)))
        return FrontendResult(
            frontend: frontend,
            platforms: platforms,
            isIndex: answer.isIndex,
            metadata: answer.metadata
        )
    }
}
