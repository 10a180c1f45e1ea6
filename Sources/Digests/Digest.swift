// SPDX-License-Identifier: Apache-2.0

/// The SHA-256 of some bytes, written `sha256:` and 64 hexadecimal digits.
///
/// SHA-256 is the only algorithm that names content in Kiln's store; a source that is checked by another one is checked
/// where it is read. Source: OCI image-spec v1.1, descriptor.md "Digests".
public struct Digest: Hashable, Sendable {
    /// The 32 bytes as four big-endian numbers, first byte first: the cheapest form to keep in bulk.
    package let words: (UInt64, UInt64, UInt64, UInt64)

    /// The digest of which ``words`` were kept.
    package init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Reads `sha256:<64 lower-case hex digits>`; anything else is `nil`.
    public init?(_ text: some StringProtocol) {
        let prefix = "sha256:"
        guard text.utf8.count == prefix.utf8.count + 64, text.hasPrefix(prefix) else { return nil }
        self.init(hex: text.dropFirst(prefix.count))
    }

    /// Reads 64 lower-case hexadecimal digits; anything else is `nil`.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 64 else { return nil }
        var values: [UInt64] = [0, 0, 0, 0]
        for (index, character) in hex.utf8.enumerated() {
            let nibble: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = character - UInt8(ascii: "a") + 10
            default: return nil
            }
            values[index / 16] = values[index / 16] << 4 | UInt64(nibble)
        }
        words = (values[0], values[1], values[2], values[3])
    }

    /// Takes the 32 bytes of a SHA-256; another count is `nil`.
    public init?(sha256 bytes: some Sequence<UInt8>) {
        // Indexes hold hundreds of thousands of digests: read whole words where the bytes lie in a row.
        let result = bytes.withContiguousStorageIfAvailable { buffer -> Digest? in
            unsafe Digest(contiguous: UnsafeRawBufferPointer(buffer))
        }
        let digest: Digest?
        if let result {
            digest = result
        } else {
            digest = unsafe Array(bytes).withUnsafeBytes { unsafe Digest(contiguous: $0) }
        }
        guard let digest else { return nil }
        self = digest
    }

    private init?(contiguous bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 32 else { return nil }
        func word(_ index: Int) -> UInt64 {
            UInt64(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// The 64 hexadecimal digits.
    public var hex: String {
        unsafe String(unsafeUninitializedCapacity: 64) { buffer in
            var index = 0
            for word in [words.0, words.1, words.2, words.3] {
                for shift in stride(from: UInt64(60), through: 0, by: -4) {
                    let nibble = UInt8(truncatingIfNeeded: word >> shift) & 15
                    unsafe buffer[index] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
                    index += 1
                }
            }
            return 64
        }
    }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        append(to: &bytes)
        return bytes
    }

    /// Adds the 32 bytes to others.
    public func append(to bytes: inout [UInt8]) {
        func add(_ word: UInt64) {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        add(words.0)
        add(words.1)
        add(words.2)
        add(words.3)
    }

    /// Whether all bytes are the same.
    public static func == (left: Digest, right: Digest) -> Bool { left.words == right.words }

    /// Feeds a part of the bytes.
    public func hash(into hasher: inout Hasher) {
        // The bytes are uniform already: one word of them decides the bucket.
        hasher.combine(words.0)
    }
}

extension Digest: CustomStringConvertible {
    /// `sha256:` and the hexadecimal digits.
    public var description: String { "sha256:" + hex }
}

extension Digest: Comparable {
    /// Orders by the bytes.
    public static func < (left: Digest, right: Digest) -> Bool { left.words < right.words }
}

extension Digest: Codable {
    /// Reads the text form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let digest = Digest(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription:
                    "\"\(text)\" is no digest; expected sha256: and 64 hexadecimal digits"
            )
        }
        self = digest
    }

    /// Writes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
