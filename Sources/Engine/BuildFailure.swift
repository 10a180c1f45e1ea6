// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import FrontendProtocol
package import LinuxSystem
internal import LLB
internal import LLBMessages
internal import OCI
internal import Solver

/// A step that failed, with the place in the build file it comes from.
struct BuildFailure: Error, CustomStringConvertible, FaultClassified, ProtocolKindClassified {
    /// What people call the step.
    let step: String?
    /// Why it failed, in the operation's own words.
    let reason: String
    let fault: Fault
    let protocolKind: ProtocolFailure.Kind?
    /// The lines of the build file, the culprits marked; `nil` when the step comes from none.
    let excerpt: String?

    var description: String {
        let what = step.map { "\($0): " } ?? ""
        return (excerpt.map { "\($0)\n" } ?? "") + what + reason
    }

    /// Explains a solver's error with what the definition knows of its vertex.
    init(_ error: SolverError, definition: LLB.Definition, name: String?) {
        let cause = error.cause
        reason = error.operationMessage
        fault = (cause as? any FaultClassified)?.fault ?? error.fault
        protocolKind = (error.rootCause as? any ProtocolKindClassified)?.protocolKind
        step = name
        excerpt = error.vertex.flatMap { SourceExcerpt(definition, vertex: $0)?.text }
    }

    /// Says where in a build file an operation comes from that no graph may hold.
    init(_ error: LLBError, definition: LLB.Definition) {
        reason = error.message
        fault = .input
        protocolKind = .badDefinition
        step = error.operation.flatMap { definition.metadata[$0]?.customName }
        excerpt = error.operation.flatMap { SourceExcerpt(definition, vertex: $0)?.text }
    }
}

extension LLB.Definition {
    /// In canonical form, with its graph.
    ///
    /// - Throws: A failure that shows the lines of the build file at fault, where they are known.
    func checked() throws -> (definition: LLB.Definition, graph: LLB.Graph) {
        do {
            let definition = try canonical()
            return (definition, try definition.graph())
        } catch let error as LLBError {
            throw BuildFailure(error, definition: self)
        }
    }
}

extension SolverError: FaultClassified {
    package var fault: Fault {
        if let cause = cause as? any FaultClassified { return cause.fault }
        return switch code {
        case .invalidGraph, .operationFailed, .cancelled: .input
        case .cacheFailed: .environment
        case .contractBroken: .defect
        }
    }

    /// What the operation itself said, without the solver's words around it.
    var operationMessage: String {
        guard code == .operationFailed, let cause else { return message }
        if let inner = cause as? SolverError { return inner.operationMessage }
        return "\(cause)"
    }

    /// What the operation itself threw, where it threw something.
    var rootCause: (any Error)? { (cause as? SolverError)?.rootCause ?? cause }
}

/// Lines of a build file around the ones a vertex comes from.
struct SourceExcerpt {
    /// Lines shown before and after.
    private static let contextLineCount = 3
    /// Lines shown at most.
    private static let lineCountMax = 30

    let text: String

    init?(_ definition: LLB.Definition, vertex: Digest) {
        guard let location = definition.locations(of: vertex).first,
            let infos = definition.source?.infos,
            let index = Int(exactly: location.sourceIndex), infos.indices.contains(index),
            let first = location.ranges.map(\.start.line).min(),
            let last = location.ranges.map(\.end.line).max(), first > 0, last >= first
        else { return nil }
        guard !infos[index].data.isEmpty else {
            text = "\(infos[index].filename):\(first)"
            return
        }
        let lines = String(decoding: infos[index].data, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        let begin = max(1, Int(first) - Self.contextLineCount)
        let end = min(lines.count, Int(last) + Self.contextLineCount, begin + Self.lineCountMax)
        guard begin <= end else { return nil }
        var text = "\(infos[index].filename):\(first)\n--------------------\n"
        let width = String(end).count
        for number in begin...end {
            let isMarked = location.ranges.contains {
                Int($0.start.line) <= number && number <= Int($0.end.line)
            }
            let label = String(number)
            let padding = String(repeating: " ", count: width - label.count + 1)
            text += "\(padding)\(label) | \(isMarked ? ">>> " : "    ")\(lines[number - 1])\n"
        }
        self.text = text + "--------------------"
    }
}

extension WarningEvent {
    init(_ diagnostic: Diagnostic) {
        var location: String?
        if let file = diagnostic.fileName {
            location = file + (diagnostic.ranges.first.map(Self.place) ?? "")
        }
        let code = diagnostic.code.map { "\($0): " } ?? ""
        self.init(
            short: diagnostic.message.hasPrefix(code) ? diagnostic.message : code + diagnostic.message,
            detail: diagnostic.detail,
            url: diagnostic.url,
            location: location
        )
    }

    /// `:7:5`, or `:7` where the column is not known.
    private static func place(_ range: TextRange) -> String {
        ":\(range.startLine)" + (range.startColumn > 0 ? ":\(range.startColumn)" : "")
    }
}
