// SPDX-License-Identifier: Apache-2.0

package import Digests

/// One output of a vertex.
package struct Edge: Hashable, Sendable {
    package let vertex: Digest
    package let output: Int

    package init(vertex: Digest, output: Int) {
        self.vertex = vertex
        self.output = output
    }
}

/// Vertices that a progress display shows as one.
package struct ProgressGroup: Hashable, Sendable {
    package let id: String
    package let name: String
    /// Whether the group only exists with the vertices that name it (BuildKit's `weak`).
    package let isWeak: Bool

    package init(id: String, name: String, isWeak: Bool = false) {
        self.id = id
        self.name = name
        self.isWeak = isWeak
    }
}

/// An operation in a solve.
package struct Vertex: Sendable {
    /// Digest of the operation's definition; two vertices with the same digest are the same.
    package let digest: Digest
    package let operation: any VertexOperation
    package let inputs: [Edge]
    /// Run it even when a result is known, and keep the new result.
    package let ignoresCache: Bool
    /// Whether the vertex, and all that depend on it, may not be shared with another job that runs at the same time:
    /// a local directory of one client is not that of another, though both are named `context`.
    package let isPrivate: Bool
    /// What progress displays show.
    package let name: String
    package let progressGroup: ProgressGroup?

    package init(
        digest: Digest,
        operation: any VertexOperation,
        inputs: [Edge] = [],
        ignoresCache: Bool = false,
        isPrivate: Bool = false,
        name: String? = nil,
        progressGroup: ProgressGroup? = nil
    ) {
        self.digest = digest
        self.operation = operation
        self.inputs = inputs
        self.ignoresCache = ignoresCache
        self.isPrivate = isPrivate
        self.name = name ?? operation.name
        self.progressGroup = progressGroup
    }
}

/// A checked graph of vertices, inputs before the vertices that use them.
package struct VertexGraph: Sendable {
    /// All vertices; each stands behind all of its inputs.
    package let vertices: [Vertex]
    private let positions: [Digest: Int]

    /// Checks and orders vertices that come in any order.
    ///
    /// A digest that comes twice counts once.
    ///
    /// - Throws: `invalidGraph` when an input names a vertex that is not there or an output below 0, or when the
    ///   vertices form a circle.
    package init(_ given: [Vertex]) throws(SolverError) {
        var unique: [Vertex] = []
        unique.reserveCapacity(given.count)
        var indices: [Digest: Int] = [:]
        indices.reserveCapacity(given.count)
        for vertex in given where indices[vertex.digest] == nil {
            indices[vertex.digest] = unique.count
            unique.append(vertex)
        }
        let order = try Self.order(unique, indices)
        vertices = order.map { unique[$0] }
        for (position, index) in order.enumerated() { indices[unique[index].digest] = position }
        positions = indices
    }

    /// The vertex with a digest.
    package subscript(digest: Digest) -> Vertex? { positions[digest].map { vertices[$0] } }

    func position(of digest: Digest) -> Int? { positions[digest] }

    /// Positions of the vertices that an edge is made from, itself included, inputs first.
    func reachable(from root: Int) -> [Int] {
        // Every input stands before its vertex, so one walk backwards meets all.
        var marked = [Bool](repeating: false, count: root + 1)
        marked[root] = true
        for position in stride(from: root, through: 0, by: -1) where marked[position] {
            for input in vertices[position].inputs {
                if let index = positions[input.vertex] { marked[index] = true }
            }
        }
        return marked.indices.filter { marked[$0] }
    }

    /// Kahn's algorithm: no recursion, so a chain may be as long as memory allows.
    private static func order(
        _ vertices: [Vertex],
        _ indices: [Digest: Int]
    ) throws(SolverError) -> [Int] {
        var waiting = [Int](repeating: 0, count: vertices.count)
        var dependants = [[Int]](repeating: [], count: vertices.count)
        for (index, vertex) in vertices.enumerated() {
            waiting[index] = vertex.inputs.count
            for (position, input) in vertex.inputs.enumerated() {
                guard let source = indices[input.vertex], input.output >= 0 else {
                    throw SolverError(
                        .invalidGraph,
                        "cannot use input \(position) of \(vertex.digest): "
                            + "there is no output \(input.output) of \(input.vertex) in the graph"
                    )
                }
                dependants[source].append(index)
            }
        }
        var order = vertices.indices.filter { waiting[$0] == 0 }
        order.reserveCapacity(vertices.count)
        var next = 0
        while next < order.count {
            for dependant in dependants[order[next]] {
                waiting[dependant] -= 1
                if waiting[dependant] == 0 { order.append(dependant) }
            }
            next += 1
        }
        guard order.count == vertices.count else {
            let stuck = vertices.indices.first { waiting[$0] > 0 } ?? 0
            throw SolverError(
                .invalidGraph,
                "cannot order the graph: \(vertices[stuck].digest) depends on itself"
            )
        }
        return order
    }
}
