// SPDX-License-Identifier: Apache-2.0

package import Digests

/// What an operation says about when two runs of it give the same result.
package struct CacheMap: Sendable {
    /// Everything of the operation that decides its result, besides its inputs.
    package var digest: Digest
    /// One rule an input, in the order of the vertex's inputs.
    package var inputs: [InputRule]
    /// Whether ``digest`` means the same to another process and another session.
    package var isPersistable: Bool
    /// Whether the result follows from the key alone, as that of a source or a file operation does.
    ///
    /// A forced run of such an operation keeps its key; after a forced run of any other, all that depends on it runs
    /// anew.
    package var isDeterministic: Bool
    /// Further digests under which the same result may be known, asked for only when ``digest`` is not known.
    ///
    /// Only a vertex without inputs may have them. An image has its manifest's digest first (free), then its chain of
    /// layers (one request): a new tag of the same layers still hits. The last one is to be the strongest, met by all
    /// that is the same.
    package var alternatives: (@Sendable () async throws -> [Digest])?

    package init(
        digest: Digest,
        inputs: [InputRule] = [],
        isPersistable: Bool = true,
        isDeterministic: Bool = true,
        alternatives: (@Sendable () async throws -> [Digest])? = nil
    ) {
        self.digest = digest
        self.inputs = inputs
        self.isPersistable = isPersistable
        self.isDeterministic = isDeterministic
        self.alternatives = alternatives
    }
}

/// How one input takes part in the key.
package struct InputRule: Sendable {
    /// Names the part of the input that the operation looks at, when it is not the whole; `nil` = the whole.
    package var selector: Digest?
    /// Digests the part of the input that the operation looks at, given the input's result.
    ///
    /// With it, an input that was made differently but holds the same content gives a hit. `nil` when the operation
    /// depends on all of the input, as a step does on its root file system.
    package var contentDigest: (@Sendable (any Sendable) async throws -> Digest)?

    package init(
        selector: Digest? = nil,
        contentDigest: (@Sendable (any Sendable) async throws -> Digest)? = nil
    ) {
        self.selector = selector
        self.contentDigest = contentDigest
    }
}
