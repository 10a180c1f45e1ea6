// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import LLBMessages
internal import OCI
package import ProjectFiles
internal import Synchronization

/// What is wrong with the pins of a build, gathered while its frontend says what it needs.
final class SourceAudit: Sendable {
    private struct State {
        /// The first of each source.
        var problems: [SourceKey: ProjectError] = [:]
        /// Where build files name it.
        var places: [SourceKey: (file: String, line: Int)] = [:]
    }

    private let state = Mutex(State())

    /// All of them, by place and name.
    var problems: [ProjectError] {
        state.withLock { state in
            state.problems.map { key, problem in
                guard let place = state.places[key] else { return problem }
                return ProjectError(problem.code, problem.message, file: place.file, line: place.line)
            }
        }
        .sorted { ($0.file ?? "", $0.line ?? 0, $0.message) < ($1.file ?? "", $1.line ?? 0, $1.message) }
    }

    func note(_ problem: ProjectError, of key: SourceKey) {
        state.withLock { state in
            if state.problems[key] == nil { state.problems[key] = problem }
        }
    }

    /// Notes where the source operations of a graph come from.
    ///
    /// One whose own place no frontend told stands where the first operation that reads it does.
    func notePlaces(of graph: LLB.Graph, _ definition: LLB.Definition) {
        for vertex in graph.vertices {
            guard case .source(let source) = vertex.operation.op, let key = SourceKey(naming: source.identifier) else {
                continue
            }
            let readers = graph.vertices.lazy.filter { reader in reader.inputs.contains { $0.vertex == vertex.digest } }
            guard
                let place = definition.place(of: vertex.digest)
                    ?? readers.compactMap({ definition.place(of: $0.digest) }).min(by: { $0.line < $1.line })
            else { continue }
            state.withLock { state in
                if let known = state.places[key], known.line <= place.line { return }
                state.places[key] = place
            }
        }
    }
}

extension LLB.Definition {
    /// The line of a build file that an operation comes from.
    fileprivate func place(of operation: Digest) -> (file: String, line: Int)? {
        guard let location = locations(of: operation).first, let line = location.ranges.map(\.start.line).min(),
            line > 0,
            let infos = source?.infos, let index = Int(exactly: location.sourceIndex), infos.indices.contains(index)
        else { return nil }
        return (infos[index].filename, Int(line))
    }
}

extension SourceKey {
    /// The key of what an identifier names, whether or not it names the content as well: a frontend that has asked what
    /// a tag means writes both.
    fileprivate init?(naming identifier: String) {
        guard identifier.hasPrefix(Self.imageScheme) else {
            self.init(identifier: identifier)
            return
        }
        guard var reference = try? Reference(parsing: String(identifier.dropFirst(Self.imageScheme.count))) else {
            return nil
        }
        reference.digest = nil
        self.init(reference)
    }
}

/// What a check of a lock against one build found.
package struct SourceCheck: Sendable {
    /// What the lock lacks or has otherwise, each with its place.
    package let problems: [ProjectError]
    /// Everything the build reads from outside, as far as it could tell.
    package let sources: Set<SourceKey>
    /// What kept the build from telling all that it needs; `nil` = nothing did.
    package let failure: (any Error)?
}
