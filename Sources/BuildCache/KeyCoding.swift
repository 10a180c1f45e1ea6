// SPDX-License-Identifier: Apache-2.0

internal import OCI
package import Solver

/// The stored form of a ``KeyDerivation``.
///
/// One version byte, the operation, a flag and the generation, then each input: a tag, its digest, for keys the output
/// (8 bytes, big endian), a flag and the selector.
package enum KeyCoding {
    private static let version: UInt8 = 1

    package static func encode(_ derivation: KeyDerivation) -> [UInt8] {
        var bytes: [UInt8] = [version]
        bytes.reserveCapacity(40 + derivation.inputs.count * 74)
        derivation.operation.append(to: &bytes)
        append(derivation.generation, to: &bytes)
        for input in derivation.inputs {
            switch input.origin {
            case .key(let edge):
                bytes.append(1)
                edge.key.digest.append(to: &bytes)
                let output = UInt64(truncatingIfNeeded: edge.output)
                for shift in stride(from: UInt64(56), through: 0, by: -8) {
                    bytes.append(UInt8(truncatingIfNeeded: output >> shift))
                }
            case .content(let digest):
                bytes.append(2)
                digest.append(to: &bytes)
            }
            append(input.selector, to: &bytes)
        }
        return bytes
    }

    private static func append(_ digest: Digest?, to bytes: inout [UInt8]) {
        bytes.append(digest == nil ? 0 : 1)
        digest?.append(to: &bytes)
    }

    /// - Returns: `nil` for bytes that ``encode(_:)`` never gives.
    package static func decode(_ bytes: [UInt8]) -> KeyDerivation? {
        var reader = Reader(rest: bytes[...])
        guard reader.byte() == version, let operation = reader.digest(),
            let generation = reader.optionalDigest()
        else { return nil }
        var inputs: [KeyDerivation.Input] = []
        while let tag = reader.byte() {
            guard let digest = reader.digest() else { return nil }
            let origin: KeyDerivation.Origin
            switch tag {
            case 1:
                guard let output = reader.number() else { return nil }
                let key = CacheKey(digest: digest, isPersistable: true)
                origin = .key(EdgeKey(key: key, output: output))
            case 2: origin = .content(digest)
            default: return nil
            }
            guard let selector = reader.optionalDigest() else { return nil }
            inputs.append(KeyDerivation.Input(origin: origin, selector: selector))
        }
        return KeyDerivation(
            operation: operation,
            isPersistable: true,
            inputs: inputs,
            generation: generation,
            hash: .sha256
        )
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func byte() -> UInt8? { rest.popFirst() }

        mutating func digest() -> Digest? {
            guard rest.count >= 32 else { return nil }
            defer { rest = rest.dropFirst(32) }
            return Digest(sha256: rest.prefix(32))
        }

        mutating func optionalDigest() -> Digest?? {
            switch byte() {
            case 0: return .some(nil)
            case 1: return digest().map { .some($0) }
            default: return nil
            }
        }

        mutating func number() -> Int? {
            guard rest.count >= 8 else { return nil }
            defer { rest = rest.dropFirst(8) }
            return Int(exactly: rest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
    }
}

extension KeyHash {
    /// The hash of all keys in a build cache.
    package static let sha256 = KeyHash { Digest.of($0) }
}
