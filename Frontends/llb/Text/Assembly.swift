// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import LLBMessages
internal import OCI

/// Operations under local names on their way to a definition.
struct Assembly: Sendable {
    /// An output of an operation by its name.
    struct Input: Hashable, Sendable {
        var name: String
        var index: Int64
    }

    /// One operation.
    struct Entry: Sendable {
        var name: String
        /// Where it stands, for what is wrong with it.
        var node: Node
        var inputs: [Input]
        /// The operation; its inputs are filled in from `inputs`.
        var message: Pb_Op
        var metadata: Pb_OpMetadata
    }

    private let reading: Reading
    private let limits: DefinitionLimits
    private(set) var entries: [Entry] = []
    private var positions: [String: Int] = [:]

    init(_ reading: Reading, limits: DefinitionLimits) {
        self.reading = reading
        self.limits = limits
    }

    var count: Int { entries.count }
    var isFull: Bool { reading.isFull || entries.count > limits.operationCount }

    /// Whether an operation of a name is there.
    func contains(_ name: String) -> Bool { positions[name] != nil }

    /// Where among the entries an operation stands.
    func position(of name: String) -> Int? { positions[name] }

    mutating func add(_ entry: Entry) {
        guard entries.count < limits.operationCount else {
            entry.node.report("more than \(limits.operationCount) operations")
            entries.append(entry)
            return
        }
        guard positions[entry.name] == nil else {
            entry.node.report("operation \"\(entry.name.prefix(80))\" stands here twice")
            return
        }
        positions[entry.name] = entries.count
        entries.append(entry)
    }

    /// The definition: inputs before users, otherwise in the order they were added, the one operation without a kind
    /// last.
    ///
    /// - Throws: What is wrong with names, inputs and their order.
    func definition() throws(LLBTextError) -> Definition {
        if entries.isEmpty { return .scratch }
        let terminals = entries.filter { $0.message.op == nil }
        if terminals.count != 1 {
            let place = terminals.last ?? entries[entries.count - 1]
            place.node.report(
                terminals.isEmpty
                    ? "no operation points at the result: one operation must have inputs and no kind"
                    : "\(terminals.count) operations have no kind; only the last one, which points at the result, may"
            )
        }
        let order = try self.order()
        return try encode(
            order.filter { entries[$0].message.op != nil } + order.filter { entries[$0].message.op == nil }
        )
    }

    /// Positions of operations, each after its inputs.
    ///
    /// Goes down without recursion: a definition may be deeper than a stack.
    func order(from roots: [String]? = nil) throws(LLBTextError) -> [Int] {
        enum Mark { case fresh, open, done }
        var marks = Array(repeating: Mark.fresh, count: entries.count)
        var order: [Int] = []
        order.reserveCapacity(entries.count)
        let starts = roots.map { $0.compactMap { positions[$0] } } ?? Array(entries.indices)
        for root in starts where marks[root] == .fresh {
            var stack: [(entry: Int, input: Int)] = [(root, 0)]
            marks[root] = .open
            while var top = stack.popLast() {
                let inputs = entries[top.entry].inputs
                var next: Int?
                while top.input < inputs.count, next == nil {
                    let input = inputs[top.input]
                    top.input += 1
                    guard let position = positions[input.name] else {
                        report(input, of: entries[top.entry], known: Set(positions.keys))
                        continue
                    }
                    switch marks[position] {
                    case .done: continue
                    case .fresh: next = position
                    case .open:
                        reportCircle(stack.map(\.entry) + [top.entry], to: position)
                        try reading.finish()
                    }
                }
                guard let next else {
                    marks[top.entry] = .done
                    order.append(top.entry)
                    continue
                }
                stack.append(top)
                guard stack.count < limits.depth else {
                    entries[next].node.report("more than \(limits.depth) operations upon each other")
                    try reading.finish()
                    return order
                }
                marks[next] = .open
                stack.append((next, 0))
            }
        }
        try reading.finish()
        return order
    }

    /// Reports inputs that are no operations; `names` are operations that are known but not here.
    func reportMissing(besides names: Set<String>) {
        for entry in entries where !isFull {
            for input in entry.inputs where positions[input.name] == nil && !names.contains(input.name) {
                report(input, of: entry, known: names.union(positions.keys))
            }
        }
    }

    private func report(_ input: Input, of entry: Entry, known: Set<String>) {
        entry.node.report(
            "needs \"\(input.name.prefix(80))\", which is not here" + suggestion(for: input.name, in: known.sorted())
        )
    }

    private func reportCircle(_ open: [Int], to position: Int) {
        let circle = open.drop { $0 != position } + [position]
        let names = circle.map { "\"\(entries[$0].name.prefix(80))\"" }
        let shown =
            names.count <= 12 ? names : Array(names.prefix(6)) + ["…"] + Array(names.suffix(5))
        entries[position].node.report(
            "operations need each other in a circle: " + shown.joined(separator: " needs ")
        )
    }

    /// Writes operations in an order, each after its inputs.
    ///
    /// `adjust` may change an operation before it is written; `encoded` is told its digest.
    func encode(
        _ order: [Int],
        adjusting adjust: (Int, inout Pb_Op) -> Void = { _, _ in },
        encoded: (Int, Digest) -> Void = { _, _ in }
    ) throws(LLBTextError) -> Definition {
        var definition = Definition()
        var digests: [String: Digest] = [:]
        var seen: Set<Digest> = []
        for position in order {
            let entry = entries[position]
            var message = entry.message
            adjust(position, &message)
            message.inputs = entry.inputs.map { input in
                var part = Pb_Input()
                part.digest = digests[input.name]?.description ?? ""
                part.index = input.index
                return part
            }
            let operation = try Self.encoded(message)
            digests[entry.name] = operation.digest
            encoded(position, operation.digest)
            if entry.metadata != Pb_OpMetadata() { definition.metadata[operation.digest] = entry.metadata }
            // Two names may mean one operation.
            if seen.insert(operation.digest).inserted { definition.operations.append(operation) }
        }
        return definition
    }

    /// An operation by its canonical bytes.
    static func encoded(_ message: Pb_Op) throws(LLBTextError) -> Definition.Operation {
        do throws(LLBError) {
            return Definition.Operation(try message.canonicalBytes())
        } catch {
            throw LLBTextError("\(error)")
        }
    }
}
