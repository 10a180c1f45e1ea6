// SPDX-License-Identifier: Apache-2.0

package import Digests

/// One look into the cache for one vertex: enough to say later which part of a key was new.
package struct ProbeReport: Sendable {
    /// How the key was made.
    package enum Kind: Sendable, Hashable {
        /// From the operation and the keys of its inputs.
        case definition
        /// With content digests in place of the keys of some inputs.
        case content
        /// From another digest of a source.
        case alternative
    }

    package enum Outcome: Sendable, Hashable {
        /// The key is known and leads to this primary key.
        case known(CacheKey)
        /// Nobody ever stored this key.
        case unknown
        /// Not looked up: the vertex ignores the cache, or the key means nothing outside of this session.
        case skipped
    }

    package let vertex: Digest
    package let name: String
    package let kind: Kind
    package let derivation: KeyDerivation
    package let outcome: Outcome
}
