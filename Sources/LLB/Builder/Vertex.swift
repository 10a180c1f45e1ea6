// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages
internal import OCI
internal import Synchronization

/// An operation of a graph that is being built.
///
/// It never changes; states share it.
public final class Vertex: Sendable {
    private struct Content {
        var operation: BuiltOperation
        var inputs: [Output]
    }

    let constraints: Constraints
    /// What it stands for, if it is only a place.
    fileprivate let place: DeferredOutput?
    /// Emptied by ``takeNeeded()`` alone, when nobody can see it any more.
    private let content: Mutex<Content>

    init(_ operation: BuiltOperation, _ constraints: Constraints) {
        content = Mutex(Content(operation: operation, inputs: operation.inputs))
        if case .deferred(let deferred) = operation { place = deferred } else { place = nil }
        self.constraints = constraints
    }

    deinit {
        // Releasing a chain of ten thousand steps one inside the other would exhaust the stack.
        var waiting = takeNeeded()
        while var vertex = waiting.popLast() {
            if isKnownUniquelyReferenced(&vertex) { waiting += vertex.takeNeeded() }
        }
    }

    var operation: BuiltOperation { content.withLock { $0.operation } }

    /// The outputs it needs, in the order BuildKit visits them: it decides the order of a definition's operations.
    var inputs: [Output] { content.withLock { $0.inputs } }

    /// Lets go of everything the operation holds and gives the vertices that were among it.
    private func takeNeeded() -> [Vertex] {
        content.withLock { content in
            let needed = content.inputs.map(\.vertex)
            content = Content(operation: .merge([]), inputs: [])
            return needed
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
indirect enum BuiltOperation: Sendable {
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

    /// See ``Vertex/inputs``.
    fileprivate var inputs: [Output] {
        switch self {
        case .source, .deferred: return []
        case .exec(let exec): return exec.mounts.compactMap(\.source).uniqued
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

struct BuiltExec: Sendable {
    let meta: Pb_Meta
    let network: Pb_NetMode
    let security: Pb_SecurityMode
    /// By destination; those with equal destinations in the order they were added.
    let mounts: [BuiltMount]
    let secrets: [RunSecret]
    let sshSockets: [RunSSHSocket]
    let devices: [Pb_CDIDevice]
}

/// A mount without the state it comes from, of which nothing but the output matters.
struct BuiltMount: Sendable {
    /// The position it was added at, 0 being the root.
    let slot: Int
    let target: String
    let source: Output?
    let selector: String
    let kind: Mount.Kind
    let isReadOnly: Bool
    let contentCache: Pb_MountContentCache
    /// Whether what is written there becomes an output.
    let isOutput: Bool

    private init(_ mount: Mount, slot: Int) {
        self.slot = slot
        target = mount.target
        source = mount.source?.output
        selector = mount.selector
        kind = mount.kind
        isReadOnly = mount.isReadOnly
        contentCache = mount.contentCache
        isOutput = mount.kind == .bind && !mount.isReadOnly && !mount.discardsOutput
    }

    /// Mounts as ``BuiltExec`` has them, the root being the first that is given.
    static func sorted(_ mounts: [Mount]) -> [BuiltMount] {
        mounts.enumerated().map { BuiltMount($0.element, slot: $0.offset) }
            .sorted { left, right in
                let (first, second) = (left.target.utf8, right.target.utf8)
                if first.elementsEqual(second) { return left.slot < right.slot }
                return first.lexicographicallyPrecedes(second)
            }
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
        while let place = current.vertex.place {
            guard seen.insert(ObjectIdentifier(place)).inserted, let next = place.resolved
            else { return nil }
            current = next
        }
        return current
    }
}

extension Array where Element: Hashable {
    /// The elements without repetitions, in order.
    fileprivate var uniqued: [Element] {
        if count < 2 { return self }
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
