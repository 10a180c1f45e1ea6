// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages
internal import OCI
internal import Synchronization

/// An operation of a graph that is being built.
///
/// It never changes; states share it.
public final class Vertex: Sendable {
    let constraints: Constraints
    /// Emptied by ``takeNeeded()`` alone, when nobody can see it any more.
    private let content: Mutex<BuiltOperation>

    init(_ operation: BuiltOperation, _ constraints: Constraints) {
        content = Mutex(operation)
        self.constraints = constraints
    }

    deinit {
        // Releasing a chain of ten thousand steps one inside the other would exhaust the stack.
        var waiting = takeNeeded()
        while var vertex = waiting.popLast() {
            if isKnownUniquelyReferenced(&vertex) { waiting += vertex.takeNeeded() }
        }
    }

    var operation: BuiltOperation { content.withLock { $0 } }

    /// Lets go of everything the operation holds and gives the vertices that were among it.
    private func takeNeeded() -> [Vertex] {
        let needed = inputs.map(\.vertex)
        content.withLock { $0 = .merge([]) }
        return needed
    }

    /// The outputs it needs, in the order BuildKit visits them: it decides the order of a definition's operations.
    var inputs: [Output] {
        switch operation {
        case .source, .deferred: return []
        case .exec(let exec): return exec.sortedMounts.compactMap(\.mount.source).uniqued
        case .file(let file):
            let copies = file.steps.reversed().compactMap(\.source)
            return ((file.base.map { [$0] } ?? []) + copies).uniqued
        case .merge(let inputs): return inputs
        case .diff(let lower, let upper): return [lower, upper].compactMap { $0 }
        case .passthrough(_, let inputs, _): return inputs
        case .received(let received): return received.inputs
        }
    }
}

/// One output of a ``Vertex``.
public struct Output: Hashable, Sendable {
    let vertex: Vertex
    /// The mount of an exec by the position it was added at, 0 being the root; the output's number for anything else.
    let slot: Int

    /// Whether both are the same output of the same vertex.
    public static func == (left: Output, right: Output) -> Bool {
        left.vertex === right.vertex && left.slot == right.slot
    }

    /// Feeds the identity of the vertex and the output.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(vertex))
        hasher.combine(slot)
    }
}

/// What a vertex does.
enum BuiltOperation: Sendable {
    case source(identifier: String, attributes: [String: String])
    case exec(BuiltExec)
    case file(BuiltFile)
    case merge([Output])
    case diff(lower: Output?, upper: Output?)
    case passthrough(id: String, inputs: [Output], outputs: [Int])
    /// Stands for an output that is decided later.
    case deferred(DeferredOutput)
    /// An operation of a definition that was received, by its bytes.
    case received(ReceivedOperation)
}

struct BuiltExec: Sendable {
    var meta: Pb_Meta
    var network: Pb_NetMode
    var security: Pb_SecurityMode
    /// The root first, then in the order they were added.
    var mounts: [Mount]
    var secrets: [RunSecret]
    var sshSockets: [RunSSHSocket]
    var devices: [Pb_CDIDevice]

    /// Mounts by destination; those with equal destinations in the order they were added.
    var sortedMounts: [(slot: Int, mount: BuiltMount)] {
        mounts.enumerated()
            .map { (slot: $0.offset, mount: BuiltMount($0.element)) }
            .sorted { left, right in
                let (first, second) = (left.mount.target.utf8, right.mount.target.utf8)
                if first.elementsEqual(second) { return left.slot < right.slot }
                return first.lexicographicallyPrecedes(second)
            }
    }
}

struct BuiltMount: Sendable {
    let target: String
    let source: Output?
    let options: Mount

    init(_ mount: Mount) {
        target = mount.target
        source = mount.source?.output
        options = mount
    }

    /// Whether what is written there becomes an output.
    var isOutput: Bool {
        guard case .bind = options.kind else { return false }
        return !options.isReadOnly && !options.discardsOutput
    }
}

struct BuiltFile: Sendable {
    struct Step: Sendable {
        let action: Pb_FileAction.OneOf_Action
        let owner: FileOwner?
        /// Where a copy copies from; `nil` for scratch and for actions that are no copies.
        let source: Output?
    }

    let base: Output?
    let steps: [Step]
}

struct ReceivedOperation: Sendable {
    let operation: Definition.Operation
    let inputs: [Output]
}

/// A place in a graph that is filled in before the graph becomes a definition: a build context, say, whose file filter is
/// known only when every instruction has been seen.
public final class DeferredOutput: Sendable {
    private let output = Mutex<Output?>(nil)

    /// A place that is not filled yet.
    public init() {}

    /// A state that means whatever ``resolve(_:)`` was given last; scratch until then.
    public var state: State {
        State(output: Output(vertex: Vertex(.deferred(self), Constraints()), slot: 0))
    }

    /// Fills the place.
    public func resolve(_ state: State) { output.withLock { $0 = state.output } }

    var resolved: Output? { output.withLock { $0 } }
}

extension Output {
    /// The output that stands behind deferred ones; `nil` for scratch.
    ///
    /// A deferred output that means itself is scratch too.
    var settled: Output? {
        var current = self
        var seen: Set<ObjectIdentifier> = []
        while case .deferred(let deferred) = current.vertex.operation {
            guard seen.insert(ObjectIdentifier(deferred)).inserted, let next = deferred.resolved
            else { return nil }
            current = next
        }
        return current
    }
}

extension Array where Element: Hashable {
    /// The elements without repetitions, in order.
    fileprivate var uniqued: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
