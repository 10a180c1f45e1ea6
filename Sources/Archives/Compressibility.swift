// SPDX-License-Identifier: Apache-2.0

/// Tells data that deflate cannot shrink, compressed or encrypted already, for a small part of what finding that out by
/// deflating costs.
///
/// Such data has bytes spread as evenly as noise, and no four bytes of it repeat nearby. Layers are full of it: archives,
/// images, wheels.
enum Compressibility {
    /// Below this much data there is nothing to save.
    private static let byteCountMin = 4096
    /// Excess over the even spread, as a part of the square of the count; Huffman codes gain about half of it, in nats.
    ///
    /// Noise of 16 KiB has 0.016, deflated data little more, machine code more than 1.
    private static let unevennessMax = 0.04
    /// One in so many positions may begin with four bytes seen before.
    private static let repeatsInverse = 512

    /// Whether deflate would make the bytes smaller by more than a percent or two.
    static func isPromising(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count >= byteCountMin else { return true }
        return unsafe isUneven(bytes) || repeats(bytes)
    }

    private static func isUneven(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        // Four tables: runs of one byte would wait for their own counter otherwise.
        unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 4 * 256) { counts in
            unsafe counts.initialize(repeating: 0)
            let whole = bytes.count & ~3
            for index in stride(from: 0, to: whole, by: 4) {
                unsafe counts[Int(bytes[index])] &+= 1
                unsafe counts[256 + Int(bytes[index + 1])] &+= 1
                unsafe counts[512 + Int(bytes[index + 2])] &+= 1
                unsafe counts[768 + Int(bytes[index + 3])] &+= 1
            }
            let expected = Double(whole) / 256
            var squares = 0.0
            for value in 0..<256 {
                let count = unsafe counts[value] &+ counts[256 + value] &+ counts[512 + value] &+ counts[768 + value]
                let excess = Double(count) - expected
                squares += excess * excess
            }
            return squares / (expected * Double(whole)) > unevennessMax
        }
    }

    private static func repeats(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 1 << 13) { seen in
            unsafe seen.initialize(repeating: 0)
            let raw = UnsafeRawBufferPointer(bytes)
            let limit = bytes.count / repeatsInverse
            var repeats = 0
            for index in 0..<(bytes.count - 3) {
                let word = unsafe raw.loadUnaligned(fromByteOffset: index, as: UInt32.self)
                let slot = Int((word &* 2_654_435_761) >> 19)
                if unsafe seen[slot] == word { repeats += 1 }
                unsafe seen[slot] = word
            }
            return repeats > limit
        }
    }
}
