// SPDX-License-Identifier: Apache-2.0

import OCI
import Testing

@testable import Solver

@Suite struct CacheKeyTests {
    private func derivation(
        _ operation: String = "op",
        _ inputs: [KeyDerivation.Input] = [],
        generation: String? = nil
    ) -> KeyDerivation {
        KeyDerivation(
            operation: Digest.of(operation),
            isPersistable: true,
            inputs: inputs,
            generation: generation.map { Digest.of($0) },
            hash: .sha256
        )
    }

    private func input(
        _ name: String,
        _ output: Int = 0,
        selector: String? = nil,
        persistable: Bool = true
    )
        -> KeyDerivation.Input
    {
        let key = CacheKey(digest: Digest.of(name), isPersistable: persistable)
        return KeyDerivation.Input(
            origin: .key(EdgeKey(key: key, output: output)),
            selector: selector.map { Digest.of($0) }
        )
    }

    private func content(_ name: String) -> KeyDerivation.Input {
        KeyDerivation.Input(origin: .content(Digest.of(name)), selector: nil)
    }

    @Test func `gives a different key for every difference`() {
        let all = [
            derivation(),
            derivation("other"),
            derivation(generation: "1"),
            derivation(generation: "2"),
            derivation("op", [input("a")]),
            derivation("op", [input("b")]),
            derivation("op", [input("a", 1)]),
            derivation("op", [input("a", selector: "s")]),
            derivation("op", [input("a", selector: "t")]),
            derivation("op", [content("a")]),
            derivation("op", [input("a"), input("b")]),
            derivation("op", [input("b"), input("a")]),
            derivation("op", [input("a"), content("b")]),
        ]
        #expect(Set(all.map(\.key)).count == all.count)
    }

    @Test func `gives the same key for the same parts`() {
        #expect(derivation("op", [input("a")]).key == derivation("op", [input("a")]).key)
    }

    /// Records of earlier versions are found by these very bytes.
    @Test func `keeps the keys of earlier versions`() {
        #expect(
            derivation().key.description
                == "sha256:7ca2c9c6e4cc5afef9cabce3511c0d95d55c81cf80562a33a465d42fe944774b"
        )
        #expect(
            derivation("op", [input("a", 2, selector: "s"), content("b")], generation: "g").key
                .description
                == "sha256:b97d1790e2b75f84a33f29a9dd99ef428a12007189ba4fbb5febb4ec0eb4b7fe"
        )
    }

    @Test func `lets a key live in this process alone when one of its parts does`() {
        let bound = derivation("op", [input("a", persistable: false)])
        #expect(!bound.key.isPersistable)
        #expect(derivation("op", [content("a")]).key.isPersistable)
        let own = KeyDerivation(operation: Digest.of("op"), isPersistable: false, inputs: [], hash: .sha256)
        #expect(!own.key.isPersistable)
    }
}
