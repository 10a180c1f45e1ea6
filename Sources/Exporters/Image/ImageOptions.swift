// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import OCI

/// Attributes of the exporters `image`, `oci` and `docker`.
struct ImageOptions: Sendable {
    /// Names of the image, with tags; empty for none.
    var names: [Reference] = []
    var compression = Compression.gzip(level: nil)
    /// Whether layers that exist in another compression are made anew.
    var forcesCompression = false
    /// Whether media types are OCI's or Docker's.
    var usesOCITypes = true
    var annotations = Annotations()
    /// SOURCE_DATE_EPOCH that was asked for: outer `nil` = the frontend's.
    var epoch: Int64??
    /// Whether times in layers are clamped too.
    var rewritesTimestamps = false
    var keepsNonDistributable = false

    // `oci` and `docker`
    /// Whether one tar is written, or a directory.
    var writesArchive = true

    // `image`
    var pushes = false
    var pushesByDigest = false
    var isInsecure = false
    /// Whether the image is kept under its names.
    var stores = true
    /// Whether it is kept under `<name>@<digest>` too.
    var namesCanonically = false
    var danglingPrefix = ""
    var danglingOnlyWhenUnnamed = false

    private static let known = [
        "name", "compression", "compression-level", "force-compression", "oci-mediatypes",
        "oci-artifact",
        "annotation…", "source-date-epoch", "rewrite-timestamp", "prefer-nondist-layers", "tar",
        "dest", "push",
        "push-by-digest", "registry.insecure", "store", "unpack", "name-canonical",
        "dangling-name-prefix",
    ]

    init(_ request: ExportRequest) throws {
        var attributes = Attributes(request)
        // Kiln unpacks nothing into another store and makes no attestations: these change nothing.
        attributes.ignore("dest", "unpack", "oci-artifact", "attestation-inline")

        for (key, value) in request.metadata.sorted(by: { $0.key < $1.key }) {
            _ = try annotations.take(key, String(decoding: value, as: UTF8.self))
        }
        for (key, value) in attributes.rest.sorted(by: { $0.key < $1.key })
        where try annotations.take(key, value) {
            _ = attributes.text(key)
        }

        epoch = try attributes.epoch()
        compression = try Self.compression(&attributes)
        forcesCompression = try attributes.flag("force-compression") ?? false
        let asksForTypes = try attributes.flag("oci-mediatypes")
        usesOCITypes = asksForTypes ?? true
        rewritesTimestamps = try attributes.flag("rewrite-timestamp") ?? false
        keepsNonDistributable = try attributes.flag("prefer-nondist-layers") ?? false
        writesArchive = try attributes.flag("tar") ?? true
        pushes = try attributes.flag("push") ?? false
        pushesByDigest = try attributes.flag("push-by-digest") ?? false
        isInsecure = try attributes.flag("registry.insecure") ?? false
        stores = try attributes.flag("store") ?? true
        namesCanonically = try attributes.flag("name-canonical") ?? false
        danglingPrefix = attributes.text("dangling-name-prefix") ?? ""
        danglingOnlyWhenUnnamed = try attributes.flag("danging-name-empty-only") ?? false
        names = try Self.names(attributes.text("name") ?? "", request)
        try attributes.finish(known: Self.known)
        try check(request)
    }

    private func check(_ request: ExportRequest) throws {
        if case .zstd = compression, !usesOCITypes {
            throw ExportError(
                .conflict,
                "cannot export to \(request.type): compression=zstd conflicts with oci-mediatypes=false"
            )
        }
        if !usesOCITypes, annotations.needsOCITypes {
            throw ExportError(
                .conflict,
                "cannot export to \(request.type): annotations of indexes and descriptors conflict with oci-mediatypes=false"
            )
        }
        if pushes, names.isEmpty, request.type == "image" {
            throw ExportError(
                .conflict,
                "cannot push: the image has no name; add name=REGISTRY/REPOSITORY[:TAG]"
            )
        }
        if pushesByDigest, names.contains(where: { $0.digest != nil }) {
            throw ExportError(.conflict, "cannot push by digest: a name already has one")
        }
        // Results are there only once the build has run.
        guard !request.results.isEmpty else { return }
        let built = Set(request.results.map(\.platform.identifier))
        if let missing = annotations.platforms.subtracting(built).min() {
            throw ExportError(
                .conflict,
                "cannot annotate \(missing): that platform is not built; built are \(built.sorted().joined(separator: ", "))"
            )
        }
        if !request.isMultiPlatform,
            !annotations.on(.index).isEmpty || !annotations.on(.indexDescriptor).isEmpty
        {
            throw ExportError(
                .conflict,
                "cannot annotate an index: the result is one image, not an index"
            )
        }
    }

    /// SOURCE_DATE_EPOCH of a platform in seconds, where there is one.
    func epoch(_ request: ExportRequest, _ result: PlatformResult) throws -> Int64? {
        if let epoch { return epoch }
        return try request.frontendEpoch(result)
    }

    private static func compression(_ attributes: inout Attributes) throws -> Compression {
        let name = attributes.text("compression") ?? "gzip"
        let level = try attributes.integer("compression-level")
        switch name {
        case "uncompressed": return .none
        case "", "gzip":
            guard let level else { return .gzip(level: nil) }
            guard (0...9).contains(level) else {
                throw attributes.invalid("compression-level", "\(level)", "0 to 9 for gzip")
            }
            // Level 0 stores without compressing; a gzip stream of that kind serves nobody.
            return .gzip(level: max(1, level))
        case "zstd":
            guard let level else { return .zstd(level: nil) }
            guard (0...22).contains(level) else {
                throw attributes.invalid("compression-level", "\(level)", "0 to 22 for zstd")
            }
            return .zstd(level: level == 0 ? nil : level)
        default: throw attributes.invalid("compression", name, "uncompressed, gzip or zstd")
        }
    }

    private static func names(_ list: String, _ request: ExportRequest) throws -> [Reference] {
        var list = list
        if list == "*" {
            list = request.metadata["image.name"].map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        return try list.split(separator: ",").map { name in
            do {
                return try Reference(parsing: String(name)).withDefaultTag
            } catch {
                throw ExportError(
                    .invalidImage,
                    "cannot name the image \"\(name)\": \(error)",
                    cause: error
                )
            }
        }
    }
}
