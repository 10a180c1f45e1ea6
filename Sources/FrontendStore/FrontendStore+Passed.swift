// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
package import ProjectFiles

/// Which frontends were seen to be deterministic on this machine.
///
/// A manifest may say of itself what it likes. A result is used again only for a tree that has passed the determinism
/// suite here; by its digest, so what is known of one is not believed of another.
extension FrontendStore {
    /// Grows when the suite asks for more: what passed an older one is not known to pass this one.
    private static let suite = "determinism 1"

    /// Notes that a tree has passed; it need not be in the store.
    package func notePassed(_ tree: TreeDigest) throws {
        guard let name = Self.name(of: tree) else { return }
        try attempt("note what frontend \(tree) passed") {
            try passed.write(note: Self.suite, name)
        }
    }

    /// Notes that a tree has failed.
    package func noteFailed(_ tree: TreeDigest) throws {
        guard let name = Self.name(of: tree) else { return }
        try attempt("note what frontend \(tree) failed") {
            if try passed.statusIfExists(name: name) != nil { try passed.remove(name: name) }
        }
    }

    /// Whether a tree has passed the suite of this version.
    package func hasPassed(_ tree: TreeDigest) -> Bool {
        guard let name = Self.name(of: tree) else { return false }
        return passed.note(name) == Self.suite
    }
}
