// SPDX-License-Identifier: Apache-2.0

internal import Sandbox

/// Running as a user who is not root.
public enum OrdinaryUser {
    /// Where the process was started by an ordinary user, starts it again inside a user namespace in which that user is
    /// root; elsewhere does nothing.
    ///
    /// Call it first thing in `main`, before any thread is started. It does not return when it starts the process again.
    ///
    /// - Throws: An error with a sentence when this machine allows no user namespaces.
    public static func enterNamespaceIfNeeded() throws {
        if RootlessEngine.isNeeded { try RootlessEngine.enter() }
    }
}
