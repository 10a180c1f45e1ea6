// SPDX-License-Identifier: Apache-2.0

package import Digests

/// What decides whether an earlier result may be used: a Merkle hash of an operation and all that flows into it.
///
/// A key stands for a whole vertex; which of its outputs is meant is said beside the key, see ``EdgeKey``.
package struct CacheKey: Hashable, Sendable {
    /// The hash itself.
    package let digest: Digest
    /// Whether the key means the same to another process.
    ///
    /// A key that has a session in it does not: it is compared within this process and never given to a
    /// ``CacheStore``.
    package let isPersistable: Bool

    package init(digest: Digest, isPersistable: Bool) {
        self.digest = digest
        self.isPersistable = isPersistable
    }
}

extension CacheKey: CustomStringConvertible {
    package var description: String { digest.description }
}

/// One output of a vertex, by the vertex's key.
package struct EdgeKey: Hashable, Sendable {
    package let key: CacheKey
    package let output: Int

    package init(key: CacheKey, output: Int) {
        self.key = key
        self.output = output
    }
}

/// The hash that keys are made with: 32 bytes, without collisions anybody can find.
///
/// Given from outside, so that the solver builds and is tested without a library of cryptography.
package struct KeyHash: Sendable {
    /// The hash of some bytes.
    package let digest: @Sendable (_ bytes: [UInt8]) -> Digest

    package init(_ digest: @escaping @Sendable (_ bytes: [UInt8]) -> Digest) { self.digest = digest }
}

/// How a key came about: the operation, and what stood for each input.
///
/// Stores keep derivations beside results, so that a miss can be explained and the graph of keys can be written in
/// another form (BuildKit's remote cache links keys by operation, input, output and selector).
package struct KeyDerivation: Hashable, Sendable {
    /// What stood for an input.
    package enum Origin: Hashable, Sendable {
        /// The primary key of the input's vertex, and its output.
        case key(EdgeKey)
        /// The digest of the part of the input's content that the operation reads. The same content from anywhere
        /// gives the same key.
        case content(Digest)
    }

    /// One input of the operation.
    package struct Input: Hashable, Sendable {
        package let origin: Origin
        /// The part of the input that the operation looks at, see ``InputRule/selector``.
        ///
        /// A content digest has looked at that part already, so it carries none.
        package let selector: Digest?

        package init(origin: Origin, selector: Digest?) {
            self.origin = origin
            self.selector = selector
        }
    }

    /// ``CacheMap/digest`` of the operation.
    package let operation: Digest
    package let inputs: [Input]
    /// Tells the forced runs of one operation apart; `nil` but for vertices that ignore the cache.
    ///
    /// What depends on a forced run must not hit results of an earlier run, so each gets a key of its own.
    package let generation: Digest?

    /// The key; computed once.
    package let key: CacheKey

    package init(
        operation: Digest,
        isPersistable: Bool,
        inputs: [Input],
        generation: Digest? = nil,
        hash: KeyHash
    ) {
        self.operation = operation
        self.inputs = inputs
        self.generation = generation
        let keysPersist = inputs.allSatisfy { input in
            switch input.origin {
            case .key(let edge): edge.key.isPersistable
            case .content: true
            }
        }
        self.key = CacheKey(
            digest: hash.digest(Self.hashed(operation, inputs, generation)),
            isPersistable: isPersistable && keysPersist
        )
    }

    /// The same derivation for one forced run.
    func with(generation: Digest, hash: KeyHash) -> KeyDerivation {
        KeyDerivation(
            operation: operation,
            isPersistable: key.isPersistable,
            inputs: inputs,
            generation: generation,
            hash: hash
        )
    }

    /// The first bytes of what is hashed.
    ///
    /// Change them when the meaning of a key changes: old records then miss.
    private static let domain = Array("kiln key 1\n".utf8)

    private static func hashed(_ operation: Digest, _ inputs: [Input], _ generation: Digest?) -> [UInt8] {
        // Every part has a fixed length or follows a tag, so no two derivations give the same bytes.
        var bytes = domain
        bytes.reserveCapacity(domain.count + 40 + inputs.count * 72)
        operation.append(to: &bytes)
        if let generation {
            bytes.append(1)
            generation.append(to: &bytes)
        } else {
            bytes.append(0)
        }
        for input in inputs {
            switch input.origin {
            case .key(let edge):
                bytes.append(1)
                edge.key.digest.append(to: &bytes)
                append(UInt64(truncatingIfNeeded: edge.output), to: &bytes)
            case .content(let digest):
                bytes.append(2)
                digest.append(to: &bytes)
            }
            if let selector = input.selector {
                bytes.append(1)
                selector.append(to: &bytes)
            } else {
                bytes.append(0)
            }
        }
        return bytes
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
