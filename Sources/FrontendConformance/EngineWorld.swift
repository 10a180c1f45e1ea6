// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Glibc
internal import LLB
internal import OCI

/// What the engine of the tests answers from: a small world in memory, the same at every run.
///
/// Nothing is executed. A name resolves to a digest made from itself, an image holds two files, and a computed tree
/// holds what its first input holds.
struct EngineWorld {
    /// Everything the specification names.
    static let capabilities = [
        "solve", "solve.evaluate", "solve.json", "readFile", "resolveSource.image", "resolveSource.git",
        "resolveSource.http", "frontend.solve", "diagnostic", "progress",
    ]
    /// How many bytes of a file one answer holds, as in the reference engine.
    private static let readByteLimit = 4 << 20
    /// The time of every file and commit: a moment of 2023.
    private static let seconds: Int64 = 1_700_000_000

    private enum Tree {
        case empty
        /// The files of a source, by its identifier.
        case source(String)
    }

    private let behaviour: EngineBehaviour
    private let sample: Sample
    private let offered: Set<String>
    private var trees: [String: Tree] = [:]
    private var lastRef = 0
    /// What the refs that were given out are made of.
    private(set) var definitions: [String: CanonicalDefinition] = [:]
    /// What is wrong with definitions that were refused.
    private(set) var badDefinitions: [String] = []

    init(_ behaviour: EngineBehaviour, _ sample: Sample) {
        self.behaviour = behaviour
        self.sample = sample
        offered = Set(behaviour.capabilities ?? Self.capabilities)
    }

    func holds(_ ref: String) -> Bool { trees[ref] != nil }

    /// Answers a request.
    mutating func answer(_ method: String, _ params: WireObject) throws -> WireObject {
        if let kind = behaviour.failures[method] {
            throw ProtocolFailure(.init(name: kind), "the engine of this test fails every \(method) with \(kind)")
        }
        switch FrontendProtocol.Method(rawValue: method) {
        case .solve: return try solve(Wire.Solve(params: params)).members
        case .evaluate:
            try require("solve.evaluate")
            _ = try tree(Wire.Evaluate(params: params).ref)
            return [:]
        case .releaseRef:
            try require("solve")
            let ref = try Wire.ReleaseRef(params: params).ref
            _ = try tree(ref)
            trees[ref] = nil
            return [:]
        case .readFile:
            try require("readFile")
            return try readFile(Wire.ReadFile(params: params)).members
        case .readDir:
            try require("readFile")
            return try readDirectory(Wire.ReadDirectory(params: params)).members
        case .stat:
            try require("readFile")
            let request = try Wire.Stat(params: params)
            return try info(tree(request.ref), components(request.path)).members
        case .resolveSource: return try resolve(Wire.ResolveSource(params: params)).members
        case .frontendSolve:
            try require("frontend.solve")
            _ = try Wire.SolveFrontend(params: params)
            let part = Wire.BuiltPlatform(
                id: "linux/amd64",
                platform: Platform(os: "linux", architecture: "amd64"),
                ref: try add(.empty),
                config: Array("{}".utf8)
            )
            return Wire.Build.Answer(results: [part], isIndex: false).members
        default: throw ProtocolFailure(.unsupported, "no method \"\(shown(method.utf8))\" in this engine")
        }
    }

    private func require(_ capability: String) throws(ProtocolFailure) {
        guard offered.contains(capability) else {
            throw ProtocolFailure(.unsupported, "capability \"\(capability)\" was not offered")
        }
    }

    // MARK: Refs

    private mutating func solve(_ request: Wire.Solve) throws -> Wire.Solve.Answer {
        try require("solve")
        if request.evaluate { try require("solve.evaluate") }
        let canonical: CanonicalDefinition
        do {
            let definition: Definition
            switch request.definition {
            case .protobuf(let bytes): definition = try Definition(serialized: bytes)
            case .json(let object):
                try require("solve.json")
                definition = try Definition(json: JSONValue(parsing: object.json))
            }
            if definition.isScratch { return Wire.Solve.Answer(ref: nil) }
            canonical = try CanonicalDefinition(definition)
        } catch let error as LLBError {
            badDefinitions.append(error.description)
            throw ProtocolFailure(.badDefinition, error.description)
        }
        let ref = try add(canonical.base.map { .source($0) } ?? .empty)
        definitions[ref] = canonical
        return Wire.Solve.Answer(ref: ref)
    }

    private mutating func add(_ tree: Tree) throws(ProtocolFailure) -> String {
        guard trees.count < behaviour.limits.refs else {
            throw .limit("\(behaviour.limits.refs) refs are held, which is the limit")
        }
        lastRef += 1
        let ref = "ref-\(lastRef)"
        trees[ref] = tree
        return ref
    }

    private func tree(_ ref: String?) throws(ProtocolFailure) -> Tree {
        guard let ref else { return .empty }
        guard let tree = trees[ref] else {
            throw ProtocolFailure(.invalidParams, "no ref \"\(shown(ref.utf8))\" is held")
        }
        return tree
    }

    // MARK: Files

    private func files(of tree: Tree) -> [String: [UInt8]] {
        guard case .source(let identifier) = tree else { return [:] }
        let name = identifier.firstRange(of: "://").map { String(identifier[$0.upperBound...]) } ?? identifier
        switch scheme(identifier) {
        case "local":
            var files: [String: [UInt8]] = [:]
            for (path, content) in sample.files where path.hasPrefix(name + "/") {
                files[String(path.dropFirst(name.count + 1))] = content
            }
            // The directory of the build file holds it.
            if name == "dockerfile", files[sample.name] == nil { files[sample.name] = sample.content }
            return files
        case "docker-image", "oci-layout":
            return [
                "etc/os-release": Array("ID=conformance\nVERSION_ID=1\n".utf8),
                "etc/passwd": Array("root:x:0:0:root:/root:/bin/sh\n".utf8),
            ]
        case "git": return ["README.md": Array("# \(name)\n".utf8)]
        case "http", "https": return [fileName(identifier): Array("\(identifier)\n".utf8)]
        default: return [:]
        }
    }

    private func scheme(_ identifier: String) -> String {
        identifier.firstRange(of: "://").map { String(identifier[..<$0.lowerBound]) } ?? ""
    }

    /// The parts of a path, read inside its tree.
    private func components(_ path: String) -> [String] {
        var parts: [String] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
        }
        return parts
    }

    private func size(_ content: [UInt8]) -> Int { max(content.count, behaviour.paddedFileByteCount ?? 0) }

    private func info(_ tree: Tree, _ path: [String]) throws(ProtocolFailure) -> FileInfo {
        let files = files(of: tree)
        let joined = path.joined(separator: "/")
        let name = path.last ?? "/"
        let time = Self.seconds * 1_000_000_000
        if let content = files[joined] {
            return FileInfo(name: name, kind: .file, mode: 0o644, size: Int64(size(content)), modified: time)
        }
        guard path.isEmpty || files.keys.contains(where: { $0.hasPrefix(joined + "/") }) else {
            throw ProtocolFailure(.notFound, "no file \"/\(shown(joined.utf8))\"")
        }
        return FileInfo(name: name, kind: .directory, mode: 0o755, modified: time)
    }

    private func readFile(_ request: Wire.ReadFile) throws -> Wire.ReadFile.Answer {
        let tree = try tree(request.ref)
        let path = components(request.path)
        guard try info(tree, path).kind == .file, let content = files(of: tree)[path.joined(separator: "/")] else {
            throw ProtocolFailure(.invalidParams, "\"\(shown(request.path.utf8))\" is a directory")
        }
        let size = size(content)
        let start = min(Int(clamping: request.offset), size)
        let most = min(behaviour.readAnswerByteCount ?? Self.readByteLimit, behaviour.limits.blobBytes)
        let end = start + min(size - start, min(most, Int(clamping: request.length ?? Int64(most))))
        var data = start < content.count ? Array(content[start..<min(end, content.count)]) : []
        data += Array(repeating: UInt8(ascii: "\n"), count: end - start - data.count)
        return Wire.ReadFile.Answer(data: data, isEnd: end == size)
    }

    private func readDirectory(_ request: Wire.ReadDirectory) throws -> Wire.ReadDirectory.Answer {
        let tree = try tree(request.ref)
        let path = components(request.path)
        guard try info(tree, path).kind == .directory else {
            throw ProtocolFailure(.invalidParams, "\"\(shown(request.path.utf8))\" is no directory")
        }
        let prefix = path.map { $0 + "/" }.joined()
        var names: Set<String> = []
        for file in files(of: tree).keys where file.hasPrefix(prefix) {
            names.insert(String(file.dropFirst(prefix.count).prefix { $0 != "/" }))
        }
        var entries: [FileInfo] = []
        for name in names { entries.append(try info(tree, path + [name])) }
        for number in 0..<(behaviour.paddedDirectoryCount ?? 0) {
            entries.append(FileInfo(name: "zz-entry-\(100_000 + number)", kind: .file, mode: 0o644))
        }
        if let pattern = request.pattern, !pattern.isEmpty {
            entries.removeAll { unsafe fnmatch(pattern, $0.name, 0) != 0 }
        }
        entries.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        return Wire.ReadDirectory.Answer(entries: entries)
    }

    // MARK: Sources

    private func resolve(_ query: Wire.ResolveSource) throws(ProtocolFailure) -> ResolvedSource {
        let identifier = query.identifier
        let digest = Digest.of(Array(identifier.utf8))
        var answer = ResolvedSource(identifier: identifier, attributes: query.attributes)
        switch scheme(identifier) {
        case "docker-image", "oci-layout":
            try require("resolveSource.image")
            let pinned = identifier.firstRange(of: "@").flatMap { Digest(String(identifier[$0.upperBound...])) }
            let config = query.wantsConfig ? imageConfig(identifier, query.platform, digest) : nil
            answer.image = ResolvedSource.Image(digest: pinned ?? digest, config: config)
        case "git":
            try require("resolveSource.git")
            let checksum = String(digest.description.dropFirst("sha256:".count).prefix(40))
            answer.git = ResolvedSource.Git(checksum: checksum, ref: "refs/heads/main", commitTime: Self.seconds)
        case "http", "https":
            try require("resolveSource.http")
            answer.http = ResolvedSource.HTTP(
                digest: digest,
                fileName: fileName(identifier),
                lastModified: Self.seconds
            )
        default:
            throw ProtocolFailure(.invalidParams, "no source \"\(shown(identifier.utf8))\" can be resolved")
        }
        return answer
    }

    private func fileName(_ url: String) -> String {
        let path = url.prefix { $0 != "?" && $0 != "#" }
        return path.split(separator: "/").last.map(String.init) ?? "download"
    }

    private func imageConfig(_ identifier: String, _ platform: Platform?, _ digest: Digest) -> [UInt8] {
        let name = identifier.firstRange(of: "://").map { String(identifier[$0.upperBound...]) } ?? identifier
        let fullName = try? Sample.fullName(ofImage: name)
        if let fullName, let config = sample.imageConfigs[fullName] { return config }
        let platform = platform ?? sample.workerPlatforms.first ?? Platform(os: "linux", architecture: "amd64")
        var members = [
            JSONMember("architecture", .string(platform.architecture)), JSONMember("os", .string(platform.os)),
        ]
        if let variant = platform.variant { members.append(JSONMember("variant", .string(variant))) }
        members += [
            JSONMember(
                "config",
                .object([
                    JSONMember("Env", .strings(["PATH=/usr/local/bin:/usr/bin:/bin"])),
                    JSONMember("Cmd", .strings(["/bin/sh"])),
                ])
            ),
            JSONMember(
                "rootfs",
                .object([
                    JSONMember("type", .string("layers")), JSONMember("diff_ids", .strings([digest.description])),
                ])
            ),
        ]
        return JSONValue.object(members).encoded
    }
}
