// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import OCI
internal import ProjectFiles

/// A detached signature of a release: that the holder of a key says "this index is this version of this package".
///
/// It is an OCI manifest of its own, under the tag `sha256-<hex of the release>.<key id>.sig` beside the release, so
/// that ordinary copy tools carry it along.
package struct ReleaseSignature: Sendable, Hashable {
    static let artifactType = "application/vnd.kiln.frontend.signature.v1"
    private static let signatureKey = "vnd.kiln.frontend.signature.ed25519"
    private static let keyIDKey = "vnd.kiln.frontend.signature.key"

    /// ``TrustedKey/id`` of the key, as a hint which one to try.
    package let keyID: String
    let signature: [UInt8]
    private let release: OCI.Descriptor

    /// Signs a release.
    package init(of release: FrontendRelease, by key: SigningKey) throws(FrontendStoreError) {
        keyID = key.publicKey.id
        signature = try key.sign(Self.message(release))
        self.release = release.descriptor
    }

    /// Reads the manifest.
    ///
    /// - Throws: `badSignature`.
    init(parsing bytes: [UInt8], of release: FrontendRelease, from place: String) throws(FrontendStoreError) {
        func refuse(_ reason: String) -> FrontendStoreError {
            FrontendStoreError(.badSignature, "cannot use a signature from \(place): \(reason)")
        }
        let document: JSONValue
        do {
            document = try JSONValue(parsing: bytes)
        } catch {
            throw refuse(error.message)
        }
        guard document["artifactType"]?.text == Self.artifactType else { throw refuse("it is no \(Self.artifactType)") }
        let annotations = document["annotations"]
        guard let text = annotations?[Self.signatureKey]?.text, let data = Data(base64Encoded: text), data.count == 64
        else { throw refuse("it holds no ed25519 signature of 64 bytes") }
        keyID = annotations?[Self.keyIDKey]?.text ?? ""
        signature = Array(data)
        self.release = release.descriptor
    }

    /// Whether a key made it for a release.
    package func isValid(for release: FrontendRelease, by key: TrustedKey) -> Bool {
        key.verifies(signature, of: Self.message(release))
    }

    /// The OCI manifest, and the blob it needs: the two bytes `{}`.
    var document: (manifest: [UInt8], blob: [UInt8]) {
        let blob = Array("{}".utf8)
        let empty = OCI.Descriptor(mediaType: MediaType.emptyJSON, digest: Digest.of(blob), size: Int64(blob.count))
        let manifest = Manifest(
            artifactType: Self.artifactType,
            config: empty,
            layers: [empty],
            subject: release,
            annotations: [Self.keyIDKey: keyID, Self.signatureKey: Data(signature).base64EncodedString()]
        )
        return (manifest.encoded, blob)
    }

    var tag: String { Self.tagPrefix(release.digest) + keyID + Self.tagSuffix }

    static func tagPrefix(_ release: Digest) -> String { "sha256-\(release.hex)." }
    static let tagSuffix = ".sig"

    /// What is signed.
    ///
    /// It names the package, so that a release of one cannot be passed off as that of another.
    private static func message(_ release: FrontendRelease) -> [UInt8] {
        Array("kiln frontend release 1\n\(release.name)\n\(release.version)\n\(release.digest)\n".utf8)
    }
}

extension ReleaseSource {
    /// The signatures of a release that can be read.
    func signatures(of release: FrontendRelease) async throws -> [ReleaseSignature] {
        let prefix = ReleaseSignature.tagPrefix(release.digest)
        let tags = try await tags().filter { $0.hasPrefix(prefix) && $0.hasSuffix(ReleaseSignature.tagSuffix) }
        var signatures: [ReleaseSignature] = []
        for tag in tags.prefix(FrontendLimit.signatureCount) {
            guard let bytes = try await document(tagged: tag),
                let signature = try? ReleaseSignature(parsing: bytes, of: release, from: place)
            else { continue }
            signatures.append(signature)
        }
        return signatures
    }
}
