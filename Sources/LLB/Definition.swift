// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
public import LLBMessages
public import OCI
internal import SwiftProtobuf

/// A build graph as it travels: serialized operations, what is said beside them, and where they come from in a build
/// file.
///
/// The bytes of an operation are kept as they came, because their SHA-256 is its name; nothing here writes them again. A
/// definition may be nonsense until ``graph(limits:capabilities:)`` has accepted it.
public struct Definition: Hashable, Sendable {
    /// One operation by its bytes.
    public struct Operation: Hashable, Sendable {
        /// SHA-256 of the bytes.
        public let digest: Digest
        /// The serialized `pb.Op`.
        public let bytes: [UInt8]

        /// Hashes the bytes.
        public init(_ bytes: [UInt8]) {
            self.bytes = bytes
            digest = Digest.of(bytes)
        }
    }

    /// Inputs before users, the terminal operation last; empty for scratch.
    public var operations: [Operation]
    /// By operation; not part of any digest.
    public var metadata: [Digest: Pb_OpMetadata]
    /// Build files and the lines each operation comes from.
    public var source: Pb_Source?

    /// Takes the parts as they are.
    public init(
        operations: [Operation] = [],
        metadata: [Digest: Pb_OpMetadata] = [:],
        source: Pb_Source? = nil
    ) {
        self.operations = operations
        self.metadata = metadata
        self.source = source
    }

    /// The definition of an empty file tree.
    public static let scratch = Definition()

    /// Whether this is the definition of an empty file tree.
    public var isScratch: Bool { operations.isEmpty }

    /// The edge the terminal operation points at; `nil` for scratch.
    ///
    /// - Throws: `unreadable` or `malformed` when the last operation is none or has no input.
    public func head() throws(LLBError) -> Edge? {
        guard let last = operations.last else { return nil }
        let message = try Pb_Op(operationBytes: last.bytes, digest: last.digest)
        guard message.op == nil, let input = message.inputs.first else {
            throw LLBError(
                .malformed,
                "cannot read definition: its last operation points at no result"
            )
        }
        return try Edge(input, user: last.digest)
    }

    /// Lines of the build file an operation comes from, by file.
    public func locations(of operation: Digest) -> [Pb_Location] {
        source?.locations[operation.description]?.locations ?? []
    }
}

extension Definition {
    /// Takes a `pb.Definition` message.
    ///
    /// Entries of its metadata whose key is no SHA-256 digest are dropped.
    public init(message: Pb_Definition) {
        operations = message.def.map { Operation(Array($0)) }
        metadata = [:]
        for (key, value) in message.metadata {
            if let digest = Digest(key) { metadata[digest] = value }
        }
        source = message.hasSource ? message.source : nil
    }

    /// Reads the bytes of a `pb.Definition` message.
    ///
    /// - Throws: `tooLarge` above `limits.byteCount`; `unreadable` for bytes that are no such message.
    public init(serialized bytes: [UInt8], limits: DefinitionLimits = .standard) throws(LLBError) {
        guard bytes.count <= limits.byteCount else {
            throw LLBError(
                .tooLarge,
                "cannot read definition: it has \(bytes.count) bytes, at most \(limits.byteCount) are allowed"
            )
        }
        do {
            self.init(message: try Pb_Definition(serializedBytes: bytes))
        } catch {
            throw LLBError(
                .unreadable,
                "cannot read definition: it is no protobuf message pb.Definition"
            )
        }
    }

    /// The `pb.Definition` message.
    public var message: Pb_Definition {
        var message = Pb_Definition()
        message.def = operations.map { .init($0.bytes) }
        for (digest, value) in metadata { message.metadata[digest.description] = value }
        if let source { message.source = source }
        return message
    }

    /// The bytes of the `pb.Definition` message; equal definitions give equal bytes.
    public func serialized() throws(LLBError) -> [UInt8] {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        do {
            return try message.serializedBytes(options: options)
        } catch {
            throw LLBError(.malformed, "cannot encode definition: \(error)")
        }
    }
}

/// How large a definition may be.
public struct DefinitionLimits: Hashable, Sendable {
    /// Bytes of the whole message.
    public var byteCount: Int
    /// Operations, the terminal one included.
    public var operationCount: Int
    /// Operations on the longest path.
    public var depth: Int

    /// Limits by their values.
    public init(byteCount: Int, operationCount: Int, depth: Int) {
        self.byteCount = byteCount
        self.operationCount = operationCount
        self.depth = depth
    }

    /// 64 MiB, 100 000 operations, 20 000 levels.
    public static let standard = DefinitionLimits(
        byteCount: 64 << 20,
        operationCount: 100_000,
        depth: 20_000
    )
}

extension Pb_Op {
    /// Reads the bytes of an operation; `digest` is for the error.
    package init(operationBytes bytes: [UInt8], digest: Digest) throws(LLBError) {
        do {
            self = try Pb_Op(serializedBytes: bytes)
        } catch {
            throw LLBError(
                .unreadable,
                "cannot read operation \(digest): it is no protobuf message pb.Op",
                operation: digest
            )
        }
    }
}
