// SPDX-License-Identifier: Apache-2.0

internal import Crypto
@_exported public import Digests

extension Digests.Digest {
    /// The digest of some bytes.
    public static func of(_ bytes: some Sequence<UInt8>) -> Digests.Digest {
        var hasher = Digester()
        let result: Void? = bytes.withContiguousStorageIfAvailable { buffer in
            unsafe hasher.update(UnsafeRawBufferPointer(buffer))
        }
        if result == nil { hasher.update(Array(bytes)) }
        return hasher.finish()
    }

    /// The digest of a text's UTF-8.
    public static func of(_ text: String) -> Digests.Digest { of(Array(text.utf8)) }
}

/// Computes a ``Digest`` from bytes that come piece by piece.
public struct Digester: Sendable {
    private var hasher = SHA256()

    /// Reads the text form.
    public init() {}

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe hasher.update(bufferPointer: bytes)
    }

    /// Adds bytes.
    public mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
    }

    /// Adds the UTF-8 of a text.
    public mutating func update(_ text: String) { update(Array(text.utf8)) }

    /// The digest of all bytes added so far; more may follow.
    public func finish() -> Digests.Digest {
        guard let digest = Digests.Digest(sha256: hasher.finalize()) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return digest
    }
}
