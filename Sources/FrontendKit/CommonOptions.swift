// SPDX-License-Identifier: Apache-2.0

public import LLB
public import OCI

/// The options that every container-build frontend understands, read from a request's strings.
///
/// They are those of BuildKit's own frontends, so that `docker buildx`, `buildctl` and Kiln's command line can call any
/// frontend alike. Options with other names are the frontend's own; take them from ``BuildRequest/options``.
public struct CommonOptions: Sendable, Hashable {
    /// Which stages may not use earlier results.
    public enum Uncached: Sendable, Hashable {
        case none
        case all
        /// Only these, in lower case.
        case stages(Set<String>)

        /// Whether a stage of this name is one of them.
        public func contains(_ stage: String) -> Bool {
            switch self {
            case .none: false
            case .all: true
            case .stages(let names): names.contains(stage.lowercased())
            }
        }
    }

    /// The build file's path in its directory (`filename`).
    public var fileName: String
    /// What to build (`target`); `nil` is the frontend's default.
    public var target: String?
    /// `build-arg:NAME`.
    public var buildArguments: [String: String]
    /// `label:NAME`.
    public var labels: [String: String]
    /// `platform`, normalized, in the order asked for; empty when the worker's own is wanted.
    public var platforms: [Platform]
    /// Whether the image is to be an index even with one platform (`multi-platform`).
    public var isMultiPlatform: Bool
    /// `no-cache`.
    public var uncached: Uncached
    /// `context:NAME`: where a named tree comes from, as the user wrote it.
    public var namedContexts: [String: String]
    /// `requestid`: something other than a build is wanted, such as a list of targets.
    public var request: String?
    /// `image-resolve-mode`.
    public var imageResolveMode = State.ImageResolveMode.default
    /// `build-arg:BUILDKIT_CACHE_MOUNT_NS`: keeps the caches of one project apart from those of others; empty for none.
    public var cacheNamespace: String
    /// `build-arg:SOURCE_DATE_EPOCH`: seconds since 1970 that the image and its files claim to be from.
    public var sourceDateEpoch: Int64?

    /// Reads the options of a request.
    ///
    /// - Throws: ``BuildError`` that names the option and its value.
    public init(_ options: [String: String]) throws(BuildError) {
        func value(_ name: String) -> String? { options[name].flatMap { $0.isEmpty ? nil : $0 } }
        fileName = value("filename") ?? "Dockerfile"
        target = value("target")
        buildArguments = Self.named("build-arg:", options)
        labels = Self.named("label:", options)
        namedContexts = Self.named("context:", options)
        request = value("requestid")
        cacheNamespace = buildArguments["BUILDKIT_CACHE_MOUNT_NS"] ?? ""
        if let text = value("build-arg:SOURCE_DATE_EPOCH") {
            guard let seconds = Int64(text), seconds >= 0 else {
                throw BuildError("cannot read option build-arg:SOURCE_DATE_EPOCH=\(text): expected seconds since 1970")
            }
            sourceDateEpoch = seconds
        }
        if let text = value("image-resolve-mode") {
            guard let mode = State.ImageResolveMode(rawValue: text) else {
                throw BuildError("cannot read option image-resolve-mode=\(text): expected default, pull or local")
            }
            imageResolveMode = mode
        }
        platforms = []
        for text in (value("platform") ?? "").split(separator: ",") {
            do throws(OCIError) {
                platforms.append(try Platform(parsing: String(text)).normalized)
            } catch {
                throw BuildError("cannot read option platform=\(text): \(error)")
            }
        }
        switch options["no-cache"] {
        case nil: uncached = .none
        case "": uncached = .all
        case let names?:
            uncached = .stages(Set(names.split(separator: ",").map { $0.lowercased() }))
        }
        isMultiPlatform = platforms.count > 1
        if let text = value("build-arg:BUILDKIT_MULTI_PLATFORM") ?? value("multi-platform") {
            guard let flag = Self.boolean(text) else {
                throw BuildError(
                    "cannot read option multi-platform=\(text): expected true or false"
                )
            }
            if !flag, platforms.count > 1 {
                throw BuildError(
                    "cannot build for \(platforms.count) platforms: option multi-platform is false"
                )
            }
            isMultiPlatform = flag
        }
    }

    /// The options whose names begin with a prefix, without it.
    public static func named(_ prefix: String, _ options: [String: String]) -> [String: String] {
        var found: [String: String] = [:]
        for (name, value) in options where name.hasPrefix(prefix) {
            found[String(name.dropFirst(prefix.count))] = value
        }
        return found
    }

    /// Reads a truth value as users of container tools write it: `1`, `t`, `true`, `0`, `f`, `false` and their capitals.
    public static func boolean(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }

    /// Build arguments that mean something to every frontend, or to the engine: a build file need not declare them.
    public static func isPredefinedArgument(_ name: String) -> Bool {
        let proxies = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"]
        return name == "SOURCE_DATE_EPOCH" || name.hasPrefix("BUILDKIT_") || proxies.contains(name.lowercased())
    }
}
