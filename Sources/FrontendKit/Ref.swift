// SPDX-License-Identifier: Apache-2.0

/// A handle on a file tree in the engine, computed or not.
///
/// It lives as long as the session, or until it is released.
public struct Ref: Sendable, Hashable {
    /// The engine's name for it; `nil` is the empty tree.
    let id: String?

    /// The empty tree.
    public static let scratch = Ref(id: nil)
}
