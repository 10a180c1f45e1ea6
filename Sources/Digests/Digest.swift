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
        guard text.utf8.starts(with: Self.prefix.utf8) else { return nil }
        self.init(hexDigits: text.utf8.dropFirst(Self.prefix.utf8.count))
    }

    /// Reads 64 lower-case hexadecimal digits; anything else is `nil`.
    public init?(hex: some StringProtocol) { self.init(hexDigits: hex.utf8) }

    private init?(hexDigits: some Collection<UInt8>) {
        guard hexDigits.count == 64 else { return nil }
        // The words move up by one each time one is full.
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var count = 0
        for character in hexDigits {
            let nibble: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = character - UInt8(ascii: "a") + 10
            default: return nil
            }
            if count > 0, count % 16 == 0 { words = (words.1, words.2, words.3, 0) }
            words.3 = words.3 << 4 | UInt64(nibble)
            count += 1
        }
        self.words = words
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

    private static let prefix = "sha256:"

    /// The 64 hexadecimal digits.
    public var hex: String { text(after: "") }

    private func text(after prefix: String) -> String {
        let prefix = prefix.utf8
        return unsafe String(unsafeUninitializedCapacity: prefix.count + 64) { buffer in
            var index = 0
            for byte in prefix {
                unsafe buffer[index] = byte
                index += 1
            }
            func add(_ word: UInt64) {
                var shift: UInt64 = 64
                while shift > 0 {
                    shift -= 4
                    let nibble = UInt8(truncatingIfNeeded: word >> shift) & 15
                    unsafe buffer[index] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
                    index += 1
                }
            }
            add(words.0)
            add(words.1)
            add(words.2)
            add(words.3)
            return index
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
    public var description: String { text(after: Self.prefix) }
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
