// SPDX-License-Identifier: Apache-2.0

package import OCI
internal import PathPatterns

/// Decides which frontend a build file gets; reads no file and asks nobody.
///
/// Request: `--frontend`, else the build argument `BUILDKIT_SYNTAX`, else the directive, else `[files]`, else
/// `dockerfile`. A directive is a request, not an address: what runs is what the project lists and the lock pins, and a
/// build changes neither.
package struct FrontendResolver: Sendable {
    package var project: ProjectFile?
    package var lock: LockFile?
    package var localOverrides: LocalOverrides?
    /// What comes with the engine.
    package var bundled: [String: SemanticVersion]
    /// `--locked`.
    package var isLocked: Bool
    /// The platform that frontends run on.
    package var platform: Platform
    /// Whether the project came with a remote context: then its pins count, its grants and directories do not.
    package var isRemote: Bool
    /// Whether somebody is there to be asked.
    package var canAsk: Bool

    /// How many frontends may call each other.
    package static let depthMax = 8
    /// What reads a build file that nothing else is known of.
    package static let fallback = FrontendName(known: "dockerfile")

    package init(
        project: ProjectFile? = nil,
        lock: LockFile? = nil,
        localOverrides: LocalOverrides? = nil,
        bundled: [String: SemanticVersion],
        isLocked: Bool = false,
        platform: Platform = .host,
        isRemote: Bool = false,
        canAsk: Bool = false
    ) {
        self.project = project
        self.lock = lock
        self.localOverrides = localOverrides
        self.bundled = bundled
        self.isLocked = isLocked
        self.platform = platform
        self.isRemote = isRemote
        self.canAsk = canAsk
    }

    /// The frontend of a build file.
    ///
    /// - Throws: One of `F201` to `F208` or `F210`.
    package func resolve(_ request: FrontendRequest) throws(ProjectError) -> FrontendResolution {
        let wanted = try wanted(request)
        var resolution = try resolve(wanted, overrides: request.overrides)
        resolution.commandLine = wanted.commandLine
        return resolution
    }

    /// The frontend that another one calls by name.
    ///
    /// - Parameters:
    ///   - text: What it calls, in the words of a directive.
    ///   - callers: The frontends that run, outermost first; the last of them calls.
    ///   - allowed: The frontends it may call.
    ///   - overrides: `--frontend-override` of the build.
    /// - Throws: `F215` or `F216`, and what ``resolve(_:)`` throws.
    package func resolveNested(
        _ text: String,
        callers: [FrontendName],
        allowed: [String],
        overrides: [FrontendName: String] = [:]
    ) throws(ProjectError) -> FrontendResolution {
        let caller = callers.last ?? Self.fallback
        let place = RequestPlace(file: "frontend \(caller)")
        let reference = try parse(text, place) { text throws(ProjectError) in try SyntaxReference(parsing: text) }
        guard let written = reference.name else { throw ProjectError.nestedFrontend(caller: caller, callee: text) }
        let name = reference.digest == nil ? aliased(written) : written
        guard allowed.contains(name.text) || allowed.contains(written.text) else {
            throw ProjectError.nestedFrontend(caller: caller, callee: name.text)
        }
        guard !callers.contains(name) else { throw ProjectError.frontendCycle(callers + [name]) }
        guard callers.count < Self.depthMax else {
            throw ProjectError.frontendDepth(callers + [name], limit: Self.depthMax)
        }
        return try resolve(Wanted(reference: reference, place: place), overrides: overrides)
    }

    // MARK: Step 0 to 2: what is asked for

    private struct Wanted {
        let reference: SyntaxReference
        let place: RequestPlace
        var commandLine: String?
        var reason = ""
    }

    private func wanted(_ request: FrontendRequest) throws(ProjectError) -> Wanted {
        if let option = request.option {
            let place = RequestPlace(file: "--frontend")
            let reference = try parse(option, place) { text throws(ProjectError) in try SyntaxReference(option: text) }
            return Wanted(reference: reference, place: place, reason: "--frontend \(shown(option))")
        }
        if let argument = request.syntaxArgument, !argument.isEmpty {
            let place = RequestPlace(file: "build argument BUILDKIT_SYNTAX")
            let text = String(argument.prefix { $0 != " " })
            let reference = try parse(text, place) { text throws(ProjectError) in try SyntaxReference(parsing: text) }
            return Wanted(
                reference: reference,
                place: place,
                commandLine: argument,
                reason: "build argument BUILDKIT_SYNTAX: \(shown(argument))"
            )
        }
        if let directive = SyntaxDirective.detect(request.file) {
            let place = RequestPlace(file: request.fileName, line: directive.line)
            let reference = try parse(directive.reference, place) { text throws(ProjectError) in
                try SyntaxReference(parsing: text)
            }
            return Wanted(
                reference: reference,
                place: place,
                commandLine: directive.commandLine,
                reason: "\(place): directive syntax=\(shown(directive.commandLine))"
            )
        }
        if let project, let pattern = project.filePatterns.first(where: { $0.matches(request.filePath) }) {
            let place = RequestPlace(file: project.file, line: pattern.line)
            return Wanted(
                reference: SyntaxReference(pattern.frontend),
                place: place,
                reason: "\(place): [files] \"\(shown(pattern.pattern))\""
            )
        }
        return Wanted(
            reference: SyntaxReference(Self.fallback),
            place: RequestPlace(file: request.fileName),
            reason: "\(shown(request.fileName)) has no directive: \(Self.fallback)"
        )
    }

    private func parse(
        _ text: String,
        _ place: RequestPlace,
        _ read: (String) throws(ProjectError) -> SyntaxReference
    ) throws(ProjectError) -> SyntaxReference {
        do {
            return try read(text)
        } catch {
            throw ProjectError.badSyntax(place, text, error.message)
        }
    }

    /// Step 4.
    private func aliased(_ name: FrontendName) -> FrontendName {
        project?.aliases[name] ?? BuiltInAlias.target(of: name) ?? name
    }

    // MARK: Step 3 to 8

    private func resolve(
        _ wanted: Wanted,
        overrides: [FrontendName: String]
    ) throws(ProjectError) -> FrontendResolution {
        let steps = wanted.reason.isEmpty ? [] : [wanted.reason]
        switch wanted.reference.target {
        case .path(let path):
            if isLocked { throw ProjectError.overrideRefused(wanted.reference.text, wanted.place) }
            if isRemote, wanted.place.line != nil { throw ProjectError.remotePath(wanted.place, path) }
            return FrontendResolution(
                plan: .developer(name: nil, path: path, isOverride: false),
                grant: Grant(hostRuntime: true),
                steps: steps + ["directory or executable \(shown(path))"]
            )
        case .image:
            guard policy == .allow || policy == .ask && canAsk, !isLocked else {
                throw ProjectError.imageFrontend(wanted.place, wanted.reference.text)
            }
            return FrontendResolution(
                plan: .unlisted(wanted.reference),
                refusal: policy == .ask ? .imageFrontend(wanted.place, wanted.reference.text) : nil,
                steps: steps + ["not listed; policy \(policy.rawValue)"]
            )
        case .name(let written, let tag, let digest):
            let versionTag: VersionTag
            do {
                versionTag = try VersionTag(parsing: tag)
            } catch {
                throw ProjectError.badSyntax(wanted.place, wanted.reference.text, error.message)
            }
            var named = Named(
                name: digest == nil ? aliased(written) : written,
                written: written,
                tag: tag,
                versionTag: versionTag,
                digest: digest,
                wanted: wanted,
                steps: steps
            )
            if named.name != written { named.steps.append("alias: \(written) is \(named.name) here") }
            var resolution = try resolve(named, overrides: overrides)
            resolution.channel = versionTag.channel
            return resolution
        }
    }

    private struct Named {
        let name: FrontendName
        let written: FrontendName
        let tag: String?
        let versionTag: VersionTag
        let digest: Digest?
        let wanted: Wanted
        var steps: [String]

        var place: RequestPlace { wanted.place }
        /// `acme/spec:1.5`, as it was written.
        var text: String { wanted.reference.text }
    }

    private func resolve(
        _ named: Named,
        overrides: [FrontendName: String]
    ) throws(ProjectError) -> FrontendResolution {
        var steps = named.steps
        if let (path, place) = override(of: named.name, overrides) {
            if isLocked { throw ProjectError.overrideRefused("\(named.name)=\(path)", place) }
            steps.append("\(place): override \(named.name)=\(shown(path))")
            return FrontendResolution(
                plan: .developer(name: named.name, path: path, isOverride: true),
                grant: grant(of: named.name, isDeveloper: true),
                warnings: ["\(place) overrides frontend \(named.name) with \(shown(path)); nothing of it is pinned"],
                steps: steps
            )
        }
        guard let project, let requirement = project.requirement(named.name) else {
            return try unlisted(named)
        }
        steps.append("\(project.file):\(requirement.line): \(named.name) \(requirement.version)")
        switch requirement.origin {
        case .path(let path):
            if isRemote { throw ProjectError.remotePath(named.place, named.name.text) }
            steps.append("directory \(shown(path)) of the project")
            return FrontendResolution(
                plan: .developer(name: named.name, path: path, isOverride: false),
                grant: grant(of: named.name, isDeveloper: true),
                steps: steps
            )
        case .bundled where lock?.frontends[named.name] == nil:
            var resolution = try bundled(named, requirement.version, project)
            resolution.steps = steps + resolution.steps
            return resolution
        case .bundled, .source:
            return try locked(named, requirement, project, steps)
        }
    }

    /// Step 5.
    private func override(
        of name: FrontendName,
        _ overrides: [FrontendName: String]
    ) -> (path: String, place: RequestPlace)? {
        if let path = overrides[name] { return (path, RequestPlace(file: "--frontend-override")) }
        guard !isRemote, let localOverrides, let path = localOverrides.paths[name] else { return nil }
        return (path, RequestPlace(file: localOverrides.file))
    }

    /// Step 6, for a frontend that the project does not list.
    private func unlisted(_ named: Named) throws(ProjectError) -> FrontendResolution {
        if bundled[named.name.text] != nil, named.digest == nil {
            guard policy != .deny else {
                throw ProjectError.unlisted(named.place, named.name.text, tag: named.tag, isBundled: true)
            }
            var resolution = try bundled(named, nil, nil)
            resolution.steps = named.steps + resolution.steps
            return resolution
        }
        if named.name.isReserved, named.digest == nil {
            throw ProjectError.notBundled(named.place, named.name, Array(bundled.keys))
        }
        let refusal = ProjectError.unlisted(named.place, named.name.text, tag: named.tag, isBundled: false)
        guard policy == .allow || policy == .ask && canAsk, !isLocked, !named.name.isReserved else { throw refusal }
        // Only a name that says its registry can be asked for: anybody may publish under any other.
        guard named.name.hasRegistry else {
            throw ProjectError.unknownName(named.place, named.text, tag: named.tag, named.name)
        }
        return FrontendResolution(
            plan: .unlisted(named.wanted.reference),
            refusal: policy == .ask ? refusal : nil,
            steps: named.steps + ["not listed; policy \(policy.rawValue)"]
        )
    }

    private func bundled(
        _ named: Named,
        _ constraint: VersionConstraint?,
        _ project: ProjectFile?
    ) throws(ProjectError) -> FrontendResolution {
        let name = named.name.text
        guard let version = bundled[name] else {
            throw ProjectError.notBundled(named.place, named.name, Array(bundled.keys))
        }
        if let constraint, !constraint.contains(version), let project {
            let line = project.requirement(named.name)?.line
            throw ProjectError.bundledVersion(
                RequestPlace(file: project.file, line: line),
                asked: "\(name) \(constraint)",
                name: name,
                version: constraint.text,
                bundled: version
            )
        }
        guard named.versionTag.isServed(byBundled: version) else {
            throw ProjectError.bundledVersion(
                named.place,
                asked: named.text,
                name: name,
                version: named.tag ?? "",
                bundled: version
            )
        }
        return FrontendResolution(
            plan: .bundled(name: name, version: version),
            grant: isRemote ? .nothing : self.project?.grants[named.name] ?? .nothing,
            steps: ["bundled \(name) \(version)"]
        )
    }

    /// Steps 7 and 8.
    private func locked(
        _ named: Named,
        _ requirement: ProjectFile.Requirement,
        _ project: ProjectFile,
        _ steps: [String]
    ) throws(ProjectError) -> FrontendResolution {
        guard let entry = lock?.frontends[named.name] else {
            throw ProjectError.notLocked(requirement, project.file)
        }
        guard requirement.version.contains(entry.version) else {
            throw ProjectError.lockOutdated(requirement, entry, project.file)
        }
        guard named.versionTag.constraint.contains(entry.version) || named.versionTag.constraint == .any else {
            throw ProjectError.otherVersion(
                named.place,
                asked: named.text,
                range: named.versionTag.constraint.range,
                locked: entry.version,
                constraint: requirement.version.text
            )
        }
        if let digest = named.digest, digest != entry.release {
            throw ProjectError.otherDigest(named.place, asked: named.text, locked: entry.release)
        }
        guard let tree = entry.tree(for: platform) else {
            throw ProjectError.noPlatform(
                named.name,
                entry.version,
                platform: platform.normalized.description,
                has: Array(entry.platforms.keys),
                isPublished: !project.platforms.contains(platform.normalized)
            )
        }
        let grant = grant(of: named.name, isDeveloper: false)
        var warnings: [String] = []
        if named.versionTag.isFloating, named.digest == nil, named.wanted.commandLine != nil {
            warnings.append("\(named.place): \(named.text) names no version; kiln.lock decides (\(entry.version))")
        }
        return FrontendResolution(
            plan: .package(LockedFrontend(name: named.name, entry: entry, tree: tree, grant: grant)),
            grant: grant,
            warnings: warnings,
            steps: steps + ["\(LockFile.fileName): \(named.name) \(entry.version) \(tree)"]
        )
    }

    private func grant(of name: FrontendName, isDeveloper: Bool) -> Grant {
        var grant = isRemote ? .nothing : project?.grants[name] ?? .nothing
        // Whoever develops a script runs it on the machine it is written on.
        if isDeveloper { grant.hostRuntime = true }
        return grant
    }

    private var policy: ProjectFile.UnlistedPolicy {
        project.map { $0.unlistedPolicy ?? .builtin } ?? .allow
    }
}

extension ProjectFile.FilePattern {
    /// Whether a path from the project's root is meant.
    package func matches(_ path: String) -> Bool {
        let subject =
            pattern.utf8.contains(UInt8(ascii: "/"))
            ? path : path.split(separator: "/").last.map(String.init) ?? path
        return (try? shellMatch(pattern, subject)) ?? false
    }
}
