// SPDX-License-Identifier: Apache-2.0

/// Small facts about the world outside that outlive a process, as the digest a tag had when it was
/// last looked up.
///
/// They speed things up and are never trusted: losing all of them costs requests, not results.
/// Calls may block on the disk and come from any thread.
package protocol MetadataStore: Sendable {
    /// What is remembered under a key, and how long ago it was remembered; `nil` when nothing is.
    func remembered(_ key: String) throws -> (value: String, age: Duration)?

    /// Remembers a value, in place of an earlier one.
    func remember(_ value: String, for key: String) throws
}

/// Remembers nothing.
package struct ForgetfulMetadata: MetadataStore {
    package init() {}
    package func remembered(_ key: String) throws -> (value: String, age: Duration)? { nil }
    package func remember(_ value: String, for key: String) throws {}
}
