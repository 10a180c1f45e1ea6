// SPDX-License-Identifier: Apache-2.0

/// A symbolic mode, as `u+rwX,go-w`.
///
/// Source: POSIX.1-2017, chmod, "EXTENDED DESCRIPTION"; permissions copied from another class (`g=u`) are not offered.
struct ModeChange {
    private struct Clause {
        var classes: UInt32
        var operation: Character
        var permissions: String
    }

    private var clauses: [Clause] = []

    /// - Throws: `invalid`, naming the clause.
    init(_ text: String) throws {
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            var rest = part
            var classes: UInt32 = 0
            while let class_ = rest.first, "ugoa".contains(class_) {
                switch class_ {
                case "u": classes |= 0o4700
                case "g": classes |= 0o2070
                case "o": classes |= 0o1007
                default: classes |= 0o7777
                }
                rest = rest.dropFirst()
            }
            if classes == 0 { classes = 0o7777 }
            guard let first = rest.first, "+-=".contains(first) else { throw Self.refuse(text, part) }
            while let operation = rest.first {
                guard "+-=".contains(operation) else { throw Self.refuse(text, part) }
                let permissions = rest.dropFirst().prefix { "rwxXst".contains($0) }
                clauses.append(
                    Clause(classes: classes, operation: operation, permissions: String(permissions))
                )
                rest = rest.dropFirst(1 + permissions.count)
            }
        }
    }

    private static func refuse(_ text: String, _ part: Substring) -> SnapshotError {
        SnapshotError(
            .invalid,
            "cannot read the mode \(text.debugDescription): \(String(part).debugDescription) is no change such as u+rwX"
        )
    }

    /// The mode after the change.
    func apply(to mode: UInt32, isDirectory: Bool) -> UInt32 {
        var mode = mode
        for clause in clauses {
            var bits: UInt32 = 0
            for permission in clause.permissions {
                switch permission {
                case "r": bits |= 0o444
                case "w": bits |= 0o222
                case "x": bits |= 0o111
                case "X": if isDirectory || mode & 0o111 != 0 { bits |= 0o111 }
                case "s": bits |= 0o6000
                default: bits |= 0o1000
                }
            }
            bits &= clause.classes
            switch clause.operation {
            case "+": mode |= bits
            case "-": mode &= ~bits
            default:
                // Set-id bits of a directory stay unless they are named.
                let kept: UInt32 = isDirectory ? 0o6000 : 0
                mode = mode & ~(clause.classes & ~kept) | bits
            }
        }
        return mode & 0o7777
    }
}
