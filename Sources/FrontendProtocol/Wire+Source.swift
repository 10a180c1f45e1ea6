// SPDX-License-Identifier: Apache-2.0

public import OCI

extension Wire {
    /// Asks what a source stands for right now: an image tag's digest and config, a git branch's commit, a body's digest.
    public struct ResolveSource: WireRequest {
        package typealias Answer = ResolvedSource
        package static let method = Method.resolveSource

        /// Whether an image already in the store may answer.
        public enum Mode: String, Sendable, Hashable, CaseIterable {
            /// As the build was asked to.
            case standard = "default"
            /// Ask the registry even where the image is in the store.
            case pull
            /// Prefer what is in the store.
            case local
        }

        /// As in an LLB source operation: `docker-image://docker.io/library/alpine:3.20`.
        public var identifier: String
        /// Attributes as of that operation.
        public var attributes: [String: String]
        /// Which platform's image; `nil` is the worker's.
        public var platform: Platform?
        /// Whether the store may answer.
        public var mode: Mode
        /// Whether the answer holds the image's config.
        public var wantsConfig: Bool
        /// What to call this in the progress: `load metadata for …`.
        public var logName: String?

        /// Makes a value of its members.
        public init(
            identifier: String,
            attributes: [String: String] = [:],
            platform: Platform? = nil,
            mode: Mode = .standard,
            wantsConfig: Bool = true,
            logName: String? = nil
        ) {
            self.identifier = identifier
            self.attributes = attributes
            self.platform = platform
            self.mode = mode
            self.wantsConfig = wantsConfig
            self.logName = logName
        }

        package init(members: MemberReader) throws(MemberError) {
            identifier = try members.string("identifier")
            attributes = try members.stringMap("attributes")
            if let reader = try members.optionalObject("platform") {
                platform = try Platform(members: reader)
            }
            mode = try members.word("mode", Mode.self) ?? .standard
            wantsConfig = try members.optionalBool("config") ?? true
            logName = try members.optionalString("logName")
        }

        package var members: WireObject {
            var members: WireObject = [
                "identifier": .string(identifier),
                "attributes": .object(WireObject(sorted: attributes)),
                "mode": .string(mode.rawValue), "config": .bool(wantsConfig),
            ]
            members["platform"] = platform.map { .object($0.members) }
            members["logName"] = logName.map { .string($0) }
            return members
        }
    }
}

/// What a source stands for.
public struct ResolvedSource: WireRepresentable {
    /// An image.
    public struct Image: WireRepresentable {
        /// Of the manifest or index the name points at.
        public var digest: Digest
        /// The config of the asked platform's image, as its bytes are.
        public var config: [UInt8]?

        /// Makes a value of its members.
        public init(digest: Digest, config: [UInt8]?) {
            self.digest = digest
            self.config = config
        }

        package init(members: MemberReader) throws(MemberError) {
            digest = try members.digest("digest")
            config = try members.optionalBytes("config")
        }

        package var members: WireObject {
            var members: WireObject = ["digest": .string(digest.description)]
            members["config"] = config.map { .bytes($0) }
            return members
        }
    }

    /// A commit of a git repository.
    public struct Git: WireRepresentable {
        /// The object the name points at, in hexadecimal; for an annotated tag the tag object.
        public var checksum: String
        /// The full name of the branch or tag.
        public var ref: String
        /// The commit, where `checksum` is a tag object.
        public var commit: String?
        /// When the commit was made, in seconds since 1970, where the engine has looked into it.
        public var commitTime: Int64?

        /// Makes a value of its members.
        public init(
            checksum: String,
            ref: String,
            commit: String? = nil,
            commitTime: Int64? = nil
        ) {
            self.checksum = checksum
            self.ref = ref
            self.commit = commit
            self.commitTime = commitTime
        }

        package init(members: MemberReader) throws(MemberError) {
            checksum = try members.string("checksum")
            ref = try members.string("ref")
            commit = try members.optionalString("commit")
            commitTime = try members.optionalInteger("commitTime")
        }

        package var members: WireObject {
            var members: WireObject = ["checksum": .string(checksum), "ref": .string(ref)]
            members["commit"] = commit.map { .string($0) }
            members["commitTime"] = commitTime.map { .wide($0) }
            return members
        }
    }

    /// The body of a URL.
    public struct HTTP: WireRepresentable {
        /// The digest of the body.
        public var digest: Digest
        /// The name the server, or else the URL, gives the file.
        public var fileName: String
        /// In seconds since 1970, where the server told.
        public var lastModified: Int64?

        /// Makes a value of its members.
        public init(digest: Digest, fileName: String, lastModified: Int64? = nil) {
            self.digest = digest
            self.fileName = fileName
            self.lastModified = lastModified
        }

        package init(members: MemberReader) throws(MemberError) {
            digest = try members.digest("digest")
            fileName = try members.string("fileName")
            lastModified = try members.optionalInteger("lastModified")
        }

        package var members: WireObject {
            var members: WireObject = [
                "digest": .string(digest.description), "fileName": .string(fileName),
            ]
            members["lastModified"] = lastModified.map { .wide($0) }
            return members
        }
    }

    /// The identifier to use from now on; policy may have changed it.
    public var identifier: String
    /// The attributes to use from now on.
    public var attributes: [String: String]
    /// Set when the source is an image.
    public var image: Image?
    /// Set when the source is a git repository.
    public var git: Git?
    /// Set when the source is a URL.
    public var http: HTTP?

    /// Makes a value of its members.
    public init(
        identifier: String,
        attributes: [String: String] = [:],
        image: Image? = nil,
        git: Git? = nil,
        http: HTTP? = nil
    ) {
        self.identifier = identifier
        self.attributes = attributes
        self.image = image
        self.git = git
        self.http = http
    }

    package init(members: MemberReader) throws(MemberError) {
        identifier = try members.string("identifier")
        attributes = try members.stringMap("attributes")
        if let reader = try members.optionalObject("image") { image = try Image(members: reader) }
        if let reader = try members.optionalObject("git") { git = try Git(members: reader) }
        if let reader = try members.optionalObject("http") { http = try HTTP(members: reader) }
    }

    package var members: WireObject {
        var members: WireObject = [
            "identifier": .string(identifier),
            "attributes": .object(WireObject(sorted: attributes)),
        ]
        members["image"] = image.map { .object($0.members) }
        members["git"] = git.map { .object($0.members) }
        members["http"] = http.map { .object($0.members) }
        return members
    }
}

extension MemberReader {
    fileprivate func digest(_ name: String) throws(MemberError) -> Digest {
        let text = try string(name)
        guard let digest = Digest(text) else {
            throw invalid(name, "is \"\(text.prefix(80))\", expected sha256: and 64 digits")
        }
        return digest
    }
}
