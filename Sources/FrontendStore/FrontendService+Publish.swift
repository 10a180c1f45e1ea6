// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import Registry
package import SystemPackage

/// Making releases and sending them to where others find them.
extension FrontendService {
    /// Packs a directory, and signs the release where there is a key.
    ///
    /// - Throws: as ``FrontendPacker/pack(_:)``.
    package func pack(_ directory: FilePath, signedBy key: SigningKey? = nil) async throws -> PackedFrontend {
        try await blocking { [content] in
            var packed = try FrontendPacker(content: content).pack(directory)
            if let key { packed.signatures.append(try ReleaseSignature(of: packed.release, by: key)) }
            return packed
        }
    }

    /// Sends a release to a registry, or adds it to a layout or makes a bundle of it.
    ///
    /// In a registry its tag is its version. What was published under a version stays what it is: another release of the
    /// same version is refused.
    ///
    /// - Throws: `conflict`; `badOrigin` for a place that cannot be written; what writing throws.
    package func publish(_ packed: PackedFrontend, to origin: FrontendOrigin) async throws {
        switch origin {
        case .registry(let repository): try await push(packed, to: repository)
        case .layout(let path):
            try await requireFree(packed, at: origin, where: path)
            let contents = try await contents(of: packed)
            try await blocking { try contents.write(to: path) }
        case .bundle(let path):
            let contents = try await contents(of: packed)
            try await blocking { try contents.write(bundle: path) }
        case .web, .vendor, .directory:
            throw FrontendStoreError(
                .badOrigin,
                "cannot publish to \(origin): allowed are oci://, layout: and bundle:"
            )
        }
    }

    private func contents(of packed: PackedFrontend) async throws -> LayoutContents {
        try await blocking { [content] in
            var contents = LayoutContents()
            contents.add(packed.release, signatures: packed.signatures)
            for blob in packed.blobs { contents.add(blob, try content.open(blob.digest)) }
            return contents
        }
    }

    private func push(_ packed: PackedFrontend, to repository: Repository) async throws {
        try await requireFree(packed, at: .registry(repository), where: nil)
        try await registry.push(
            PushRequest(
                root: try ManifestDocument(parsing: packed.release.bytes),
                repository: repository,
                tags: [VersionTagName.tag(of: packed.release.version)]
            )
        )
        for signature in packed.signatures {
            let document = signature.document
            _ = try await blocking { [content] in
                try content.put(document.blob)
                return try content.put(document.manifest)
            }
            try await registry.push(
                PushRequest(
                    root: try ManifestDocument(parsing: document.manifest),
                    repository: repository,
                    tags: [signature.tag]
                )
            )
        }
    }

    /// Whether a version may be published: it is new there, or the same release.
    private func requireFree(_ packed: PackedFrontend, at origin: FrontendOrigin, where layout: FilePath?) async throws
    {
        let release = packed.release
        if let layout, try await blocking({ try ProjectDirectory.read(layout.appending("index.json")) }) == nil {
            return
        }
        let source = try await releases(at: origin, of: release.name)
        guard let standing = try await source.document(tagged: VersionTagName.tag(of: release.version)),
            Digest.of(standing) != release.digest
        else { return }
        throw FrontendStoreError(
            .conflict,
            "cannot publish \(release.name) \(release.version) to \(source.place): it stands there already as \(Digest.of(standing)), and this is \(release.digest); give it another version"
        )
    }
}
