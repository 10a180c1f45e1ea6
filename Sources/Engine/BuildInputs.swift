// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import FrontendStore
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import Sources
internal import SystemPackage

/// What a request gives a build: what its session offers, the build file, the options for the frontend.
struct BuildInputs {
    let session: BuildSession
    /// What sources mean in the project.
    let pins: SourcePins
    /// The images this build uses.
    ///
    /// Those that options name are found already.
    let images: BuildImages
    /// Options as BuildKit's frontends know them.
    let options: [String: String]
    /// What the build file belongs to; `nil` without a `kiln.toml`.
    let project: ProjectDirectory?
    /// Whether only what the lock pins may be used.
    let isLocked: Bool
    private let request: BuildRequest
    private let file: File?

    /// A build file by name and content.
    typealias File = (name: String, content: [UInt8])

    /// Largest build file, in bytes.
    private static let buildFileByteLimit = 16 << 20

    /// The build file, read from the context where that is not on this machine.
    ///
    /// - Throws: `invalidRequest` when the request names none.
    func buildFile(_ bridge: BuildBridge) async throws -> File {
        if let file { return file }
        if case .remote(let address) = request.context {
            let name = request.remoteFileName
            return (name, try await RemoteContext(address: address).buildFile(name, bridge))
        }
        throw EngineError(
            .invalidRequest,
            "cannot build: there is no directory to find a build file in; name one with -f"
        )
    }

    /// - Parameter pins: What tags mean; `nil` = what the project's lock says.
    init(_ request: BuildRequest, services: EngineServices, pins: SourcePins? = nil) async throws {
        self.request = request
        let (session, given, file) = try await blocking { try Self.read(request, services) }
        var options = given
        // Frontends are given the image itself, not a tag that another process may move.
        project = try await blocking { try Self.project(of: request, session) }
        isLocked = request.isLocked || request.holdsToStandingLock && project?.lock != nil
        let pins = pins ?? SourcePins(lock: project?.lock, isLocked: isLocked, isOffline: request.isOffline)
        self.pins = pins
        let images = BuildImages(services: services, layouts: session.layouts, progress: nil, pins: pins)
        for (key, value) in given where value.hasPrefix("oci-layout://") && !value.contains("@") {
            let found = try await images.find(
                value,
                attributes: [:],
                platform: request.platforms.first ?? Platform.host.normalized
            )
            options[key] = "\(value)@\(found.image.root.digest)"
        }
        self.session = session
        self.images = images
        self.options = options
        self.file = file
    }

    private static func read(
        _ request: BuildRequest,
        _ services: EngineServices
    ) throws -> (BuildSession, [String: String], File?) {
        var session = BuildSession(
            directories: [:],
            layouts: [:],
            secrets: request.secrets,
            entitlements: request.entitlements,
            agents: request.agents
        )
        var options = request.frontendOptions
        var file: File?
        if case .directory(let path) = request.context {
            try checkDirectory(path, what: "the context")
            session.directories["context"] = path
            session.directories["dockerfile"] = path
        }
        if case .remote(let address) = request.context { options["context"] = address }
        if case .frontend = request.definition {
            file = try buildFile(request, &session, &options)
        }
        addOptions(of: request, to: &options)
        for (index, name) in request.namedContexts.keys.sorted().enumerated() {
            try addContext(
                name,
                request.namedContexts[name, default: ""],
                number: index,
                &session,
                &options
            )
        }
        return (session, options, file)
    }

    /// The project of the build file, else of the context.
    private static func project(of request: BuildRequest, _ session: BuildSession) throws -> ProjectDirectory? {
        guard case .frontend = request.definition else { return nil }
        guard let start = session.directories["dockerfile"] ?? session.directories["context"] else { return nil }
        return try ProjectDirectory.find(from: start, notAbove: session.directories["context"])
    }

    /// The build file's path from the project's root, which patterns of `kiln.toml` are matched against.
    var filePath: String {
        guard let file else { return "" }
        guard let root = project?.root, let directory = session.directories["dockerfile"] else { return file.name }
        var path = Self.workingDirectory.pushing(directory).lexicallyNormalized().appending(file.name)
        return path.removePrefix(root) ? path.string : file.name
    }

    private static var workingDirectory: FilePath {
        guard let current = unsafe getcwd(nil, 0) else { return "/" }
        defer { unsafe free(current) }
        return FilePath(unsafe String(cString: current))
    }

    private static func addOptions(of request: BuildRequest, to options: inout [String: String]) {
        if let target = request.target { options["target"] = target }
        for (name, value) in request.buildArguments { options["build-arg:\(name)"] = value }
        for (name, value) in request.labels { options["label:\(name)"] = value }
        if !request.platforms.isEmpty {
            options["platform"] = request.platforms.map(\.description).joined(separator: ",")
        }
        if request.noCache {
            options["no-cache"] = ""
        } else if !request.noCacheStages.isEmpty {
            options["no-cache"] = request.noCacheStages.joined(separator: ",")
        }
        if request.pull { options["image-resolve-mode"] = "pull" }
    }

    /// Finds and reads the build file, and offers its directory.
    private static func buildFile(
        _ request: BuildRequest,
        _ session: inout BuildSession,
        _ options: inout [String: String]
    ) throws -> File? {
        switch request.buildFile {
        case .bytes(let bytes, let name):
            options["filename"] = name
            return (name, bytes)
        case .path(let path):
            if case .remote = request.context {
                options["filename"] = path.string
                return nil
            }
            let path = resolved(path, in: session.directories["context"])
            let parent = path.removingLastComponent()
            session.directories["dockerfile"] = parent.isEmpty ? "." : parent
            let name = path.lastComponent?.string ?? path.string
            options["filename"] = name
            return (name, try read(path))
        case .automatic:
            guard let directory = session.directories["context"] else { return nil }
            let usual = directory.appending("Dockerfile")
            do {
                return ("Dockerfile", try read(usual))
            } catch let error as EngineError where error.isMissingFile {
                guard let bytes = try? read(directory.appending("dockerfile")) else { throw error }
                options["filename"] = "dockerfile"
                return ("dockerfile", bytes)
            }
        }
    }

    /// A build file is named from where the user stands, or from the context, as docker reads `-f`.
    private static func resolved(_ path: FilePath, in context: FilePath?) -> FilePath {
        if path.isAbsolute { return path }
        if (try? Descriptor.open(host: path)) != nil { return path }
        if let context, (try? Descriptor.open(host: context.pushing(path))) != nil {
            return context.pushing(path)
        }
        return path
    }

    private static func read(_ path: FilePath) throws -> [UInt8] {
        do {
            return try Descriptor.open(host: path).readToEnd(byteLimit: buildFileByteLimit)
        } catch {
            throw EngineError(
                error.isNotFound ? .missingFile : .invalidRequest,
                "cannot read the build file: \(error)"
            )
        }
    }

    private static func checkDirectory(_ path: FilePath, what: String) throws {
        do {
            _ = try Directory(host: path)
        } catch {
            throw EngineError(
                error.isNotFound ? .missingFile : .invalidRequest,
                "cannot use \(what): \(error)"
            )
        }
    }

    /// Offers a named context under the option BuildKit's frontends look for.
    private static func addContext(
        _ name: String,
        _ value: String,
        number: Int,
        _ session: inout BuildSession,
        _ options: inout [String: String]
    ) throws {
        let key = "context:\(name)"
        if value.hasPrefix("oci-layout://") {
            let store = "layout\(number)"
            let parts = try LayoutReference(String(value.dropFirst("oci-layout://".count)))
            session.layouts[store] = FilePath(parts.path)
            let suffix = parts.digest.map { "@\($0)" } ?? ""
            options[key] = "oci-layout://\(store):\(parts.tag)\(suffix)"
            return
        }
        if value.contains("://") || value.hasPrefix("git@") {
            options[key] = value
            return
        }
        try checkDirectory(FilePath(value), what: "the build context \(name)")
        session.directories[name] = FilePath(value)
        options[key] = "local:\(name)"
    }
}

extension BuildRequest {
    /// Where the build file stands in a context that is not on this machine.
    fileprivate var remoteFileName: String {
        if case .path(let path) = buildFile { return path.string }
        return "Dockerfile"
    }
}

/// `DIR[:TAG][@DIGEST]` behind `oci-layout://`.
private struct LayoutReference {
    var path: String
    var tag = "latest"
    var digest: Digest?

    init(_ text: String) throws {
        path = text
        if let at = text.lastIndex(of: "@") {
            let name = text[text.index(after: at)...]
            guard let digest = Digest(name) else {
                throw EngineError(
                    .invalidRequest,
                    "cannot read oci-layout://\(text): \"\(name)\" is no digest"
                )
            }
            self.digest = digest
            path = String(text[..<at])
        }
        // A colon in a directory's name is not the tag's.
        if let colon = path.lastIndex(of: ":"), !path[colon...].contains("/") {
            tag = String(path[path.index(after: colon)...])
            path = String(path[..<colon])
        }
    }
}
