// SPDX-License-Identifier: Apache-2.0

internal import ProjectFiles

/// Compares the signatures of a release with the keys a project or user trusts.
struct TrustCheck {
    /// The rules about the release's source.
    let rules: [OriginRules.Trust]

    /// Checks a release where it comes in: when it is locked, fetched or verified; a run needs only its digest.
    ///
    /// Each rule that requires a signature needs a valid one by one of its keys. A signature that names a trusted key and
    /// is not valid is refused, required or not.
    ///
    /// - Returns: The keys that signed it, of those that are trusted.
    /// - Throws: `untrusted`, `badSignature`.
    @discardableResult
    func require(_ release: FrontendRelease, at source: any ReleaseSource) async throws -> [TrustedKey] {
        guard !rules.isEmpty else { return [] }
        let signatures = try await source.signatures(of: release)
        var signers: [TrustedKey] = []
        for rule in rules {
            let keys = try rule.keys.map { text throws(FrontendStoreError) in try TrustedKey(parsing: text) }
            var isSigned = false
            for key in keys {
                let own = signatures.filter { $0.keyID == key.id }
                let isValid = own.contains { $0.isValid(for: release, by: key) }
                guard isValid || own.isEmpty else {
                    throw FrontendStoreError(
                        .badSignature,
                        "cannot trust \(release.name) \(release.version) from \(source.place): its signature by the key \(key.id) does not verify"
                    )
                }
                if isValid {
                    isSigned = true
                    if !signers.contains(key) { signers.append(key) }
                }
            }
            guard isSigned || !rule.isRequired else {
                throw FrontendStoreError(
                    .untrusted,
                    "cannot trust \(release.name) \(release.version) from \(source.place): [trust.\"\(rule.match)\"] requires a signature by \(keys.map(\.id).joined(separator: " or ")), and it has none"
                )
            }
        }
        return signers
    }
}
