// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
package import OCI
package import ProjectFiles
package import SystemPackage

/// A project on this machine: the directory of a `kiln.toml`, with the files that stand beside it.
package struct ProjectDirectory: Sendable {
    package let root: FilePath
    package let project: ProjectFile
    /// `nil` when there is no `kiln.lock`.
    package let lock: LockFile?
    /// `nil` when there is no `kiln.local.toml`.
    package let overrides: LocalOverrides?
    /// Set while this process alone changes the project.
    var hold: ProjectHold?

    private static let fileByteLimit = 8 << 20
    /// What marks the root of a working copy; nothing above it belongs to a project.
    private static let versionControl = [".git", ".hg", ".svn"]

    /// Finds and reads the project that a directory belongs to.
    ///
    /// Blocks on the disk. The search goes upwards from `start` and ends at the root of its working copy, or at `limit`.
    ///
    /// - Parameters:
    ///   - start: A directory, such as that of the build file.
    ///   - limit: A directory that is not gone above, such as the context; `nil` = none.
    /// - Returns: `nil` when no directory on the way holds a `kiln.toml`.
    /// - Throws: `ProjectError` for a file that cannot be understood, `failed` for one that cannot be read.
    package static func find(from start: FilePath, notAbove limit: FilePath? = nil) throws -> ProjectDirectory? {
        var directory = try absolute(start)
        let limit = try limit.map(absolute)
        while true {
            if let text = try read(directory.appending(ProjectFile.fileName)) {
                return try ProjectDirectory(root: directory, projectText: text)
            }
            let isEdge = versionControl.contains { exists(directory.appending($0)) }
            if isEdge || directory == limit || directory.components.isEmpty { return nil }
            directory = directory.removingLastComponent()
        }
    }

    private init(root: FilePath, projectText: [UInt8]) throws {
        self.root = root
        project = try ProjectFile(toml: projectText)
        lock = try Self.read(root.appending(LockFile.fileName)).map { try LockFile(json: $0) }
        overrides = try Self.read(root.appending(LocalOverrides.fileName)).map { try LocalOverrides(toml: $0) }
    }

    /// Where the project's frontends are looked for: its own rules come before the user's.
    ///
    /// - Parameter configuration: The user's `config.toml`; a missing one is fine.
    package func places(configuration: FilePath? = nil, isOffline: Bool = false) throws -> FrontendPlaces {
        var rules = project.origins
        let user = try Self.rules(of: configuration)
        rules.mirrors += user.mirrors
        rules.trust += user.trust
        return FrontendPlaces(root: root, rules: rules, isOffline: isOffline)
    }

    /// The rules of a user's own configuration.
    package static func rules(of configuration: FilePath?) throws -> OriginRules {
        guard let configuration, let text = try read(configuration) else { return .none }
        return try OriginRules(toml: text, file: configuration.string)
    }

    /// `$XDG_CONFIG_HOME/kiln/config.toml`, else `~/.config/kiln/config.toml`.
    package static func userConfiguration(environment: (String) -> String?) -> FilePath? {
        if let home = environment("XDG_CONFIG_HOME"), home.hasPrefix("/") {
            return FilePath(home).appending("kiln").appending("config.toml")
        }
        guard let home = environment("HOME"), home.hasPrefix("/") else { return nil }
        return FilePath(home).appending(".config").appending("kiln").appending("config.toml")
    }

    /// The bytes of a file beside the project; `nil` when there is none.
    package static func read(_ path: FilePath) throws -> [UInt8]? {
        do {
            return try Descriptor.open(host: path, flags: O_RDONLY | O_NONBLOCK).readToEnd(byteLimit: fileByteLimit)
        } catch {
            if error.isNotFound { return nil }
            throw FrontendStoreError(.failed, "cannot read \(path): \(error)", cause: error)
        }
    }

    /// Replaces a file, or makes it: whole or not at all, and on disk when this returns.
    package static func write(_ bytes: [UInt8], to path: FilePath) throws {
        guard let name = path.lastComponent?.string else {
            throw FrontendStoreError(.failed, "cannot write \(path): it is no file name")
        }
        try attempt("write \(path)") {
            let directory = try Directory(host: path.removingLastComponent(), createMode: 0o755)
            // A file that is replaced keeps its mode.
            let mode = try directory.statusIfExists(name: name)?.permissions ?? 0o644
            let temporary = ".\(name).\(randomToken(count: 8))"
            do {
                let file = try directory.createFile(temporary, mode: 0o600)
                try file.write(bytes)
                try file.setMode(mode & 0o777)
                try file.sync()
                try directory.rename(temporary, to: directory, name, replacing: true)
                try directory.sync()
            } catch {
                try? directory.remove(name: temporary)
                throw error
            }
        }
    }

    private static func absolute(_ path: FilePath) throws -> FilePath {
        if path.isAbsolute { return path.lexicallyNormalized() }
        guard let current = unsafe getcwd(nil, 0) else {
            throw FrontendStoreError(.failed, "cannot find out the working directory")
        }
        defer { unsafe free(current) }
        return FilePath(unsafe String(cString: current)).pushing(path).lexicallyNormalized()
    }

    private static func exists(_ path: FilePath) -> Bool {
        unsafe path.withPlatformString { unsafe access($0, F_OK) == 0 }
    }
}

/// Where frontends are looked for besides the store, and what is asked of them.
package struct FrontendPlaces: Sendable {
    /// What relative sources count from: the project's root.
    package var root: FilePath
    /// Mirrors, and keys that releases must be signed by.
    package var rules: OriginRules
    /// Whether nothing may be asked over a network.
    package var isOffline: Bool
    /// Places that are tried before the mirrors and the source.
    package var additional: [FrontendOrigin]

    package init(
        root: FilePath,
        rules: OriginRules = .none,
        isOffline: Bool = false,
        additional: [FrontendOrigin] = []
    ) {
        self.root = root
        self.rules = rules
        self.isOffline = isOffline
        self.additional = additional
    }

    /// Where a project keeps unpacked frontends.
    package var vendor: FilePath { root.appending("vendor").appending("frontends") }

    /// The places of a source: its mirrors in order, then itself.
    func origins(of source: String) throws(FrontendStoreError) -> [FrontendOrigin] {
        var origins: [FrontendOrigin] = []
        for mirror in rules.mirrors {
            guard let target = SourcePattern.map(source, mirror.match, to: mirror.target) else { continue }
            origins.append(try FrontendOrigin(parsing: target, relativeTo: root))
        }
        origins.append(try FrontendOrigin(parsing: source, relativeTo: root))
        return origins
    }

    /// The rules about signatures of a source.
    func trust(of source: String) -> [OriginRules.Trust] {
        rules.trust.filter { SourcePattern.matches(source, $0.match) }
    }
}

/// Patterns of sources: a source, or the beginning of one followed by `*`; `oci://` before either may be left out.
enum SourcePattern {
    /// Where a source is to be had according to a rule, or `nil` when the rule is not about it.
    ///
    /// A `*` at the end of `target` stands for what the `*` of the pattern stood for.
    static func map(_ source: String, _ pattern: String, to target: String) -> String? {
        let (source, pattern) = (plain(source), plain(pattern))
        guard pattern.hasSuffix("*") else { return source == pattern ? target : nil }
        let beginning = pattern.dropLast()
        guard source.hasPrefix(beginning) else { return nil }
        return target.hasSuffix("*") ? String(target.dropLast() + source.dropFirst(beginning.count)) : target
    }

    static func matches(_ source: String, _ pattern: String) -> Bool { map(source, pattern, to: "") != nil }

    private static func plain(_ source: String) -> Substring {
        source.hasPrefix("oci://") ? source.dropFirst(6) : source[...]
    }
}

extension ProjectDirectory {
    /// What makes the lock differ from what `kiln frontend lock` would write, found without asking anybody.
    ///
    /// - Parameter platforms: Platforms that must be covered, besides the project's.
    package func lockDifferences(platforms: [Platform] = []) -> [LockDifference] {
        let wanted = project.platforms + platforms
        var differences: [LockDifference] = []
        var listed: Set<FrontendName> = []
        for requirement in project.frontends {
            guard case .source(let source) = requirement.origin else { continue }
            func note(_ message: String) {
                differences.append(
                    LockDifference(file: ProjectFile.fileName, line: requirement.line, message: message)
                )
            }
            listed.insert(requirement.name)
            guard let entry = lock?.frontends[requirement.name] else {
                note("\(requirement.name) is not locked")
                continue
            }
            if !requirement.version.contains(entry.version) {
                note("\(requirement.name) is locked at \(entry.version), kiln.toml says \(requirement.version)")
            } else if entry.constraint != requirement.version.text {
                note("\(requirement.name) was locked for \(entry.constraint), kiln.toml says \(requirement.version)")
            }
            if entry.source != source { note("\(requirement.name) is locked from \(entry.source)") }
            if (entry.package ?? requirement.name) != requirement.package {
                note("\(requirement.name) is locked as \(entry.package ?? requirement.name)")
            }
            for platform in wanted where entry.tree(for: platform) == nil {
                note("\(requirement.name) is not locked for \(platform.normalized)")
            }
        }
        for name in (lock?.frontends.keys.sorted() ?? []) where !listed.contains(name) {
            differences.append(
                LockDifference(file: LockFile.fileName, line: nil, message: "\(name) is locked and not listed")
            )
        }
        return differences
    }
}
