// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import LLBMessages

extension DockerfileConversion {
    /// Finds the time files and history are set to: a number, or `context`, a named context or a stage whose source
    /// knows when it last changed.
    func resolveEpoch(_ stages: [Stage]) async throws {
        let name = "SOURCE_DATE_EPOCH"
        guard
            let value = buildArguments[name]
                ?? globalArguments[name].flatMap({ $0.isEmpty ? nil : $0 })
        else {
            return
        }
        if value.isEmpty {
            epoch = nil
        } else if let seconds = Int64(value) {
            epoch = seconds
        } else {
            let (state, logName) = try await epochSource(value, stages)
            epoch = try await time(of: state, logName: logName)
        }
        // From here on everybody sees the number.
        if buildArguments[name] != nil { buildArguments[name] = epoch.map { "\($0)" } }
        if globalArguments[name] != nil { globalArguments[name] = epoch.map { "\($0)" } }
    }

    private func epochSource(_ value: String, _ stages: [Stage]) async throws -> (State, String) {
        if value == "context" {
            return (
                try await buildContext.main(followPaths: []),
                "[internal] resolve main build context metadata"
            )
        }
        if let named = try namedContext(value, platform: nil, paths: StageState.PathSet(), nil) {
            return (
                try await load(named).0,
                "[internal] resolve SOURCE_DATE_EPOCH named context \(value)"
            )
        }
        guard let stage = stages.first(where: { $0.name == value.lowercased() }) else {
            throw ConversionError(.badOption, "invalid SOURCE_DATE_EPOCH: \(value)")
        }
        return (
            try epochSource(of: stage),
            "[internal] resolve SOURCE_DATE_EPOCH source stage \(stage.name)"
        )
    }

    /// The download or repository of a stage that is nothing but one.
    private func epochSource(of stage: Stage) throws -> State {
        func refuse(_ reason: String) -> ConversionError {
            ConversionError(.badOption, "SOURCE_DATE_EPOCH stage \(reason)", lines: stage.lines)
        }
        var variables = globalArguments
        variables["SOURCE_DATE_EPOCH"] = nil
        guard try expander.text(stage.base.text, variables) == "scratch" else {
            throw refuse("must use FROM scratch")
        }
        var source: State?
        for instruction in stage.instructions {
            switch instruction.body {
            case .arg:
                variables = try evaluate([instruction], from: variables, overrides: buildArguments)
            case .add(let add):
                guard source == nil, add.sources.inlineFiles.isEmpty, add.sources.paths.count == 1
                else {
                    throw refuse("must contain exactly one remote ADD source")
                }
                let text = try expander.text(add.sources.paths[0], variables)
                let checksum = try expander.text(add.checksum, variables)
                if isHTTPSource(text) {
                    source = .http(
                        text,
                        options: State.HTTPOptions(filename: downloadName(text), checksum: checksum)
                    )
                } else if let git = try GitReference(source: text), !git.looksLikePath {
                    var options = git.options
                    if add.keepsGitDirectory == true { options.keepsGitDirectory = true }
                    if !checksum.isEmpty { options.checksum = checksum }
                    source = .git(git.remote, options: options)
                } else {
                    throw refuse("source must be a single HTTP(S) or Git ADD")
                }
            default: throw refuse("must hold no \(instruction.keyword.uppercased()) instruction")
            }
        }
        guard let source else { throw refuse("must contain exactly one remote ADD") }
        return source
    }

    private func time(of state: State, logName: String) async throws -> Int64? {
        let graph = try buildContext.definition(of: state).graph(capabilities: nil)
        let sources = graph.vertices.compactMap { vertex in
            if case .source(let source) = vertex.operation.op { source } else { nil }
        }
        guard sources.count == 1 else { return nil }
        return try await context.sourceTime(
            identifier: sources[0].identifier,
            attributes: sources[0].attrs,
            logName: logName
        )
    }
}
