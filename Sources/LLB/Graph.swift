// SPDX-License-Identifier: Apache-2.0

public import LLBMessages
public import OCI

/// One output of one operation.
public struct Edge: Hashable, Sendable, CustomStringConvertible {
    /// The digest of the operation.
    public let vertex: Digest
    /// Which output of the operation, from 0.
    public let index: Int

    /// An output by its operation and number.
    public init(vertex: Digest, index: Int) {
        self.vertex = vertex
        self.index = index
    }

    /// `digest[index]`.
    public var description: String { "\(vertex)[\(index)]" }

    init(_ input: Pb_Input, user: Digest) throws(LLBError) {
        guard let vertex = Digest(input.digest) else {
            throw LLBError(
                .malformed,
                "cannot read operation \(user): its input \"\(input.digest)\" is no digest",
                operation: user
            )
        }
        guard let index = Int(exactly: input.index), index >= 0 else {
            throw LLBError(
                .malformed,
                "cannot read operation \(user): output index \(input.index) of input \(vertex) is negative",
                operation: user
            )
        }
        self.init(vertex: vertex, index: index)
    }
}

/// One operation of an accepted graph: everything an engine needs to run it.
public struct VertexInfo: Sendable {
    /// SHA-256 of the operation's bytes as received.
    public let digest: Digest
    /// The operation as received.
    ///
    /// Its `op` is never nil.
    public let operation: Pb_Op
    /// The operation's inputs, in its order; each points at a vertex of the same graph and an output that vertex has.
    public let inputs: [Edge]
    /// How many outputs the operation has.
    public let outputCount: Int
    /// What was said beside the operation.
    public let metadata: Pb_OpMetadata
    /// What a person should read: the custom name of the metadata, or one made from the operation.
    public let name: String
    /// Operations on the longest path from here to a source, this one included.
    public let depth: Int

    /// Where it runs, normalized; the platform of this host when the operation names none.
    public var platform: Platform {
        operation.hasPlatform ? Platform(operation.platform).normalized : Platform.host.normalized
    }

    /// Whether an earlier result may not be used.
    public var ignoresCache: Bool { metadata.ignoreCache }
}

/// A definition that was checked: complete, in order, within its limits, with operations that mean something.
public struct Graph: Sendable {
    /// The vertices the result needs, each after its inputs.
    public let vertices: [VertexInfo]
    /// The edge that is the result; `nil` for scratch, and then there are no vertices.
    public let result: Edge?

    private let positions: [Digest: Int]

    init(vertices: [VertexInfo], result: Edge?) {
        self.vertices = vertices
        self.result = result
        positions = Dictionary(uniqueKeysWithValues: zip(vertices.map(\.digest), vertices.indices))
    }

    /// The vertex of a digest; `nil` when the graph has none.
    public subscript(_ digest: Digest) -> VertexInfo? { positions[digest].map { vertices[$0] } }
}

extension Platform {
    /// Takes the platform of a message; empty members are left out.
    public init(_ message: Pb_Platform) {
        func some(_ text: String) -> String? { text.isEmpty ? nil : text }
        self.init(
            os: message.os,
            architecture: message.architecture,
            variant: some(message.variant),
            osVersion: some(message.osversion),
            osFeatures: message.osfeatures.isEmpty ? nil : message.osfeatures
        )
    }

    /// The platform as a message.
    public var message: Pb_Platform {
        var message = Pb_Platform()
        message.os = os
        message.architecture = architecture
        message.variant = variant ?? ""
        message.osversion = osVersion ?? ""
        message.osfeatures = osFeatures ?? []
        return message
    }
}
