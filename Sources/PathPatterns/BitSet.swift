// SPDX-License-Identifier: Apache-2.0

/// A set of small integers: one word up to 64, so that the common case allocates nothing.
struct BitSet: Sendable, Equatable {
    private var low: UInt64 = 0
    private var high: [UInt64] = []

    /// - Parameter capacity: One more than the largest member.
    init(capacity: Int) {
        if capacity > 64 { high = [UInt64](repeating: 0, count: (capacity - 1) / 64) }
    }

    var isEmpty: Bool { low == 0 && high.allSatisfy { $0 == 0 } }

    mutating func insert(_ member: Int) {
        if member < 64 {
            low |= 1 << UInt64(member)
        } else {
            high[member / 64 - 1] |= 1 << UInt64(member % 64)
        }
    }

    /// False for members beyond the capacity.
    func contains(_ member: Int) -> Bool {
        if member < 64 { return low & (1 << UInt64(member)) != 0 }
        let word = member / 64 - 1
        return word < high.count && high[word] & (1 << UInt64(member % 64)) != 0
    }

    func forEach(_ body: (Int) -> Void) {
        Self.forEach(in: low, offset: 0, body)
        for index in high.indices { Self.forEach(in: high[index], offset: (index + 1) * 64, body) }
    }

    private static func forEach(in word: UInt64, offset: Int, _ body: (Int) -> Void) {
        var rest = word
        while rest != 0 {
            body(offset + rest.trailingZeroBitCount)
            rest &= rest - 1
        }
    }
}
