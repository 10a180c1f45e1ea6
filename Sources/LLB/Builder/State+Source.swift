// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages
public import OCI

extension State {
    /// How an image's tag becomes a digest.
    public enum ImageResolveMode: String, Hashable, Sendable {
        /// As the engine likes.
        case `default`
        /// Always ask the registry.
        case pull
        /// A local image if there is one.
        case local
    }

    /// The tree of an image.
    ///
    /// `layerLimit` says how many layers to take, from the lowest; `nil` for all.
    /// - Throws: ``OCIError`` for a name that is no reference.
    public static func image(
        _ name: String,
        resolveMode: ImageResolveMode = .default,
        recordType: String? = nil,
        layerLimit: Int? = nil,
        checksum: Digest? = nil,
        constraints: Constraints = Constraints()
    ) throws(OCIError) -> State {
        let reference = try Reference(parsing: name).withDefaultTag
        var constraints = constraints
        constraints.require(Capability.sourceImage)
        var attributes: [String: String] = [:]
        if resolveMode != .default {
            attributes[SourceAttribute.imageResolveMode] = resolveMode.rawValue
        }
        if resolveMode == .pull { constraints.require(Capability.sourceImageResolveMode) }
        attributes[SourceAttribute.imageRecordType] = recordType
        if let layerLimit {
            attributes[SourceAttribute.imageLayerLimit] = "\(layerLimit)"
            constraints.require(Capability.sourceImageLayerLimit)
        }
        if let checksum {
            attributes[SourceAttribute.imageChecksum] = checksum.description
            constraints.require(Capability.sourceImageChecksum)
        }
        return source("docker-image://\(reference)", attributes, constraints)
    }

    /// The tree of an image in an OCI layout that the client offers.
    ///
    /// `name` has the form `name@sha256:…`.
    public static func ociLayout(
        _ name: String,
        session: String? = nil,
        store: String? = nil,
        layerLimit: Int? = nil,
        constraints: Constraints = Constraints()
    ) -> State {
        var attributes: [String: String] = [:]
        attributes[SourceAttribute.ociSession] = session
        attributes[SourceAttribute.ociStore] = store
        attributes[SourceAttribute.ociLayerLimit] = layerLimit.map { "\($0)" }
        var constraints = constraints
        constraints.require(Capability.sourceOCILayout)
        return source("oci-layout://" + name, attributes, constraints)
    }

    /// Which part of a client's directory is needed.
    public struct LocalOptions: Hashable, Sendable {
        /// The client session that offers it; `nil` for the one of the build.
        public var session: String?
        /// Only what matches one of these; empty for all.
        public var includePatterns: [String] = []
        /// Paths, with what their symlinks point at.
        public var followPaths: [String] = []
        /// What matches one of these is left out.
        public var excludePatterns: [String] = []
        /// Names transfers that can build upon each other.
        public var sharedKeyHint: String?
        /// `none` or `metadata`.
        public var differ: String?

        /// All of the directory.
        public init(session: String? = nil) { self.session = session }
    }

    /// A directory of the client.
    public static func local(
        _ name: String,
        options: LocalOptions = LocalOptions(),
        constraints: Constraints = Constraints()
    ) -> State {
        var attributes: [String: String] = [:]
        var constraints = constraints
        func set(_ name: String, _ value: String?, _ capability: String) {
            guard let value, !value.isEmpty else { return }
            attributes[name] = value
            constraints.require(capability)
        }
        func set(_ name: String, _ list: [String], _ capability: String) {
            set(name, list.isEmpty ? nil : JSONValue.strings(list).encodedText, capability)
        }
        set(SourceAttribute.localSession, options.session, Capability.sourceLocalSessionID)
        set(
            SourceAttribute.localIncludePatterns,
            options.includePatterns,
            Capability.sourceLocalIncludePatterns
        )
        set(
            SourceAttribute.localFollowPaths,
            options.followPaths,
            Capability.sourceLocalFollowPaths
        )
        set(
            SourceAttribute.localExcludePatterns,
            options.excludePatterns,
            Capability.sourceLocalExcludePatterns
        )
        set(
            SourceAttribute.localSharedKeyHint,
            options.sharedKeyHint,
            Capability.sourceLocalSharedKeyHint
        )
        attributes[SourceAttribute.localDiffer] = options.differ
        constraints.require(Capability.sourceLocal)
        return source("local://" + name, attributes, constraints)
    }

    /// How a file is fetched over HTTP.
    public struct HTTPOptions: Hashable, Sendable {
        /// `algorithm:hex`.
        public var checksum: String?
        /// What the file is called; `nil` lets the URL decide.
        public var filename: String?
        /// Mode bits; 0 keeps the default.
        public var permissions = 0
        /// Owner of the file.
        public var userID = 0
        /// Group of the file.
        public var groupID = 0
        /// The secret with the `Authorization` header.
        public var authHeaderSecret: String?

        /// Options with what is given most often.
        public init(filename: String? = nil, checksum: String? = nil) {
            self.filename = filename
            self.checksum = checksum
        }
    }

    /// A directory with one file, fetched from an `http` or `https` URL.
    public static func http(
        _ url: String,
        options: HTTPOptions = HTTPOptions(),
        constraints: Constraints = Constraints()
    ) -> State {
        var attributes: [String: String] = [:]
        var constraints = constraints
        if let checksum = options.checksum, !checksum.isEmpty {
            attributes[SourceAttribute.httpChecksum] = checksum
            constraints.require(Capability.sourceHTTPChecksum)
        }
        if let filename = options.filename, !filename.isEmpty {
            attributes[SourceAttribute.httpFilename] = filename
        }
        if options.permissions != 0 {
            attributes[SourceAttribute.httpPermissions] =
                "0" + String(options.permissions & 0o777, radix: 8)
            constraints.require(Capability.sourceHTTPPerm)
        }
        for (name, id) in [
            (SourceAttribute.httpUser, options.userID),
            (SourceAttribute.httpGroup, options.groupID),
        ] where id != 0 {
            attributes[name] = "\(id)"
            constraints.require(Capability.sourceHTTPUIDGID)
        }
        if let secret = options.authHeaderSecret {
            attributes[SourceAttribute.httpAuthHeaderSecret] = secret
            constraints.require(Capability.sourceHTTPAuth)
        }
        constraints.require(Capability.sourceHTTP)
        return source(url, attributes, constraints)
    }

    /// A source by its identifier and attributes, for kinds that have no method of their own.
    public static func source(
        identifier: String,
        attributes: [String: String] = [:],
        constraints: Constraints = Constraints()
    ) -> State {
        source(identifier, attributes, constraints)
    }

    static func source(
        _ identifier: String,
        _ attributes: [String: String],
        _ constraints: Constraints
    ) -> State {
        State.scratch.withOutput(
            .source(identifier: identifier, attributes: attributes),
            constraints
        )
    }
}
