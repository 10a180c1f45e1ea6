// SPDX-License-Identifier: Apache-2.0

internal import OCI
internal import Registry

/// An index or manifest, read with the registry client's checks and told in this module's errors.
struct OCIDocument {
    let content: ManifestDocument.Content

    /// - Throws: `badRelease`.
    init(parsing bytes: [UInt8], from place: String) throws(FrontendStoreError) {
        do {
            content = try ManifestDocument(parsing: bytes).content
        } catch {
            throw FrontendStoreError(
                .badRelease,
                "cannot use the release from \(place): \(error.message)",
                cause: error
            )
        }
    }
}
