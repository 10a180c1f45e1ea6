// SPDX-License-Identifier: Apache-2.0

/// A change of permission bits as `chmod` writes it: `644`, `u+rwX,go-w`, `g=u`.
///
/// Read as by the BSD `setmode` that BuildKit uses: `=` clears the set-id bits of its classes too, `X` asks whether the
/// mode before the change had an `x`, and without a class all are meant.
///
/// Source: `man 3 setmode` (BSD); POSIX.1-2017, chmod, "EXTENDED DESCRIPTION".
struct ModeChange {
    private enum Step {
        case set(UInt32)
        case clear(UInt32)
        /// Set where something may be executed already.
        case setExecutable(UInt32)
        /// Gives classes the bits one class has: the shift of that class, those of the others, and how.
        case copy(from: UInt32, to: [UInt32], operation: Character)
    }

    private var steps: [Step] = []

    /// - Throws: `invalid`, naming the part that makes no sense.
    init(_ text: String) throws {
        if let first = text.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) {
            guard let mode = UInt32(text, radix: 8), mode <= 0o7777 else { throw Self.refuse(text, text[...]) }
            steps = [.clear(0o7777), .set(mode)]
            return
        }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            try read(part, of: text)
        }
    }

    /// The mode after the change.
    func apply(to mode: UInt32, isDirectory: Bool) -> UInt32 {
        let isExecutable = isDirectory || mode & 0o111 != 0
        var mode = mode
        for step in steps {
            switch step {
            case .set(let bits): mode |= bits
            case .clear(let bits): mode &= ~bits
            case .setExecutable(let bits): if isExecutable { mode |= bits }
            case .copy(let source, let classes, let operation):
                let value = mode >> source & 7
                for target in classes {
                    if operation == "=" { mode &= ~(7 << target) }
                    if operation == "-" { mode &= ~(value << target) } else { mode |= value << target }
                }
            }
        }
        return mode & 0o7777
    }

    private mutating func read(_ part: Substring, of text: String) throws {
        var rest = part
        var classes: UInt32 = 0
        while let letter = rest.first, let bits = Self.classBits[letter] {
            classes |= bits
            rest = rest.dropFirst()
        }
        // Without a class all but the sticky bit.
        let meant = classes == 0 ? 0o6777 : classes
        let shifts = [(UInt32(0o400), UInt32(6)), (0o040, 3), (0o004, 0)].filter { meant & $0.0 != 0 }.map(\.1)
        guard !rest.isEmpty else { throw Self.refuse(text, part) }
        while let operation = rest.first {
            guard "+-=".contains(operation) else { throw Self.refuse(text, part) }
            rest = rest.dropFirst()
            // Bits copied from a class replace those of the target when they are read, not before: `a=u`.
            if operation == "=", rest.first.flatMap({ Self.classShift[$0] }) == nil {
                steps.append(.clear(meant & 0o6777))
            }
            while let letter = rest.first, !"+-=".contains(letter) {
                rest = rest.dropFirst()
                if let shift = Self.classShift[letter] {
                    steps.append(.copy(from: shift, to: shifts, operation: operation))
                    continue
                }
                guard var bits = Self.permissionBits[letter] else { throw Self.refuse(text, part) }
                // Others alone have neither set-id nor sticky.
                bits &= classes & ~0o7 == 0 && classes != 0 ? 0o777 & meant : meant | 0o1000
                switch (operation, letter) {
                case ("-", _): steps.append(.clear(bits))
                case (_, "X"): steps.append(.setExecutable(bits))
                default: steps.append(.set(bits))
                }
            }
        }
    }

    private static let classBits: [Character: UInt32] = ["u": 0o4700, "g": 0o2070, "o": 0o007, "a": 0o6777]
    private static let classShift: [Character: UInt32] = ["u": 6, "g": 3, "o": 0]
    private static let permissionBits: [Character: UInt32] = [
        "r": 0o444, "w": 0o222, "x": 0o111, "X": 0o111, "s": 0o6000, "t": 0o1000,
    ]

    private static func refuse(_ text: String, _ part: Substring) -> SnapshotError {
        SnapshotError(
            .invalid,
            "cannot read the mode \(text.debugDescription): \(String(part).debugDescription) is no change such as u+rwX"
        )
    }
}
