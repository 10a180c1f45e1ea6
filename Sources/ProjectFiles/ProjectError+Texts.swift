// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI

/// Where a frontend was asked for, as messages name it.
package struct RequestPlace: Sendable, Hashable, CustomStringConvertible {
    /// `Buildfile`, `kiln.toml`, `--frontend`.
    package let file: String
    package let line: Int?

    package init(file: String, line: Int? = nil) {
        self.file = file
        self.line = line
    }

    package var description: String { line.map { "\(file):\($0)" } ?? file }
}

/// The texts of all codes; whoever finds one of these faults makes its error here.
extension ProjectError {
    // MARK: Asking

    static func badSyntax(_ place: RequestPlace, _ text: String, _ reason: String) -> ProjectError {
        ProjectError(.badSyntax, "\(place): cannot parse syntax \"\(shown(text))\": \(reason)", place)
    }

    static func unlisted(_ place: RequestPlace, _ name: String, tag: String?, isBundled: Bool) -> ProjectError {
        let version = tag.map { "@\(shown($0))" } ?? ""
        let source = isBundled ? "" : " --source SOURCE, \(sources)"
        return ProjectError(
            .unlisted,
            """
            \(place): frontend "\(shown(name))" is not listed in kiln.toml. \
            To allow it: kiln frontend add \(shown(name))\(version)\(source)
            """,
            place
        )
    }

    /// A name without registry where no project says what it means.
    static func unknownName(_ place: RequestPlace, _ text: String, tag: String?, _ name: FrontendName) -> ProjectError {
        let version = tag.map { "@\(shown($0))" } ?? ""
        return ProjectError(
            .unlisted,
            """
            \(place): frontend "\(shown(text))" is not one of this project, does not come with kiln, and names no registry. \
            To use it: kiln frontend add \(name)\(version) --source SOURCE, \(sources)
            """,
            place
        )
    }

    /// What SOURCE may be.
    private static let sources = "which is oci://REPOSITORY, https://…, layout:DIR, bundle:FILE or path:DIR"

    static func notBundled(_ place: RequestPlace, _ name: FrontendName, _ bundled: [String]) -> ProjectError {
        let remedy = nearestWord(to: name.text, among: bundled).map { "; did you mean \"\($0)\"?" } ?? ""
        let list = bundled.sorted().joined(separator: ", ")
        return ProjectError(
            .unlisted,
            """
            \(place): frontend "\(name)" is none of the bundled ones (\(list))\(remedy); names without / are \
            the engine's own
            """,
            place
        )
    }

    static func remotePath(_ place: RequestPlace, _ name: String) -> ProjectError {
        ProjectError(
            .unlisted,
            "\(place): frontend \"\(shown(name))\" is a directory, and directories of a remote project are not run",
            place
        )
    }

    static func imageFrontend(_ place: RequestPlace, _ text: String) -> ProjectError {
        ProjectError(
            .unlisted,
            """
            \(place): frontend "\(shown(text))" is an image that kiln.toml does not list. To allow it: \
            kiln frontend add NAME --source \(shown(text))
            """,
            place
        )
    }

    static func notLocked(_ requirement: ProjectFile.Requirement, _ file: String) -> ProjectError {
        ProjectError(
            .notLocked,
            """
            kiln.toml lists "\(requirement.name)" (\(requirement.version)) but kiln.lock does not. \
            Run: kiln frontend lock
            """,
            RequestPlace(file: file, line: requirement.line)
        )
    }

    /// - Parameters:
    ///   - asked: What was asked for: `docker/dockerfile:1.24`, `dockerfile ^1.24`.
    ///   - version: The version alone: `1.24`.
    static func bundledVersion(
        _ place: RequestPlace,
        asked: String,
        name: String,
        version: String,
        bundled: SemanticVersion
    ) -> ProjectError {
        ProjectError(
            .bundledVersion,
            """
            \(place) asks for \(shown(asked)); the bundled \(name) frontend is \(bundled). Upgrade kiln, or pin a \
            package: kiln frontend add \(name)@\(shown(version))
            """,
            place
        )
    }

    static func lockOutdated(
        _ requirement: ProjectFile.Requirement,
        _ locked: LockFile.Frontend,
        _ file: String
    ) -> ProjectError {
        ProjectError(
            .lockOutdated,
            """
            kiln.lock pins \(requirement.name) \(locked.version), but kiln.toml now says \(requirement.version). \
            Run: kiln frontend update \(requirement.name)
            """,
            RequestPlace(file: file, line: requirement.line)
        )
    }

    static func otherVersion(
        _ place: RequestPlace,
        asked: String,
        range: String,
        locked: SemanticVersion,
        constraint: String
    ) -> ProjectError {
        ProjectError(
            .otherVersion,
            """
            \(place) asks for \(shown(asked)) (\(range)); this project pins \(locked) (kiln.toml: \(constraint)). \
            Change one of them.
            """,
            place
        )
    }

    static func otherDigest(_ place: RequestPlace, asked: String, locked: Digest) -> ProjectError {
        ProjectError(.otherDigest, "\(place) pins \(shown(asked)), kiln.lock pins \(locked).", place)
    }

    /// - Parameter isPublished: Whether there may be a release for the platform that only was not locked.
    package static func noPlatform(
        _ name: FrontendName,
        _ version: SemanticVersion,
        platform: String,
        has platforms: [String],
        isPublished: Bool
    ) -> ProjectError {
        let list = platforms.sorted().joined(separator: ", ")
        return ProjectError(
            .noPlatform,
            isPublished
                ? """
                kiln.lock has no \(platform) entry for \(name) \(version) (has \(list)). \
                Run: kiln frontend lock --platform \(platform)
                """
                : """
                \(name) \(version) is not published for \(platform) (has \(list)). \
                Pin a version that is, or build on one of these platforms.
                """,
            file: LockFile.fileName
        )
    }

    // MARK: Fetching and checking

    /// The content is nowhere.
    ///
    /// - Parameters:
    ///   - places: Where was looked.
    ///   - reason: Why it could not be fetched; `nil` when it was not tried because of `--offline`.
    package static func unavailable(
        _ name: FrontendName,
        _ version: SemanticVersion,
        _ tree: TreeDigest,
        places: [String],
        reason: String? = nil
    ) -> ProjectError {
        let why = reason.map { ", and it could not be fetched: \($0)" } ?? " and --offline is set"
        return ProjectError(
            .unavailable,
            "\(name) \(version) (\(tree)) is not in vendor/ or the store\(why). Looked in: "
                + (places.isEmpty ? "nothing" : places.joined(separator: ", ")),
            file: LockFile.fileName,
            fault: reason == nil ? .input : .environment
        )
    }

    /// - Parameter text: `acme/spec=./build`, or a directive's `path:./build`.
    package static func overrideRefused(_ text: String, _ place: RequestPlace) -> ProjectError {
        ProjectError(.overrideRefused, "override \(shown(text)) ignored by policy: --locked is set", place)
    }

    /// - Parameter place: The registry or directory the content came from.
    package static func wrongContent(
        _ name: FrontendName,
        _ version: SemanticVersion,
        from place: String,
        found: String,
        locked: String
    ) -> ProjectError {
        ProjectError(
            .wrongContent,
            "\(name) \(version): content from \(place) has digest \(found), lock says \(locked). Nothing was run.",
            file: LockFile.fileName
        )
    }

    // MARK: Manifest

    /// - Parameters:
    ///   - spoken: The majors the frontend speaks: `3`.
    ///   - newest: The newest release of it that would do, where it is known.
    package static func protocolVersion(
        _ name: FrontendName,
        _ version: SemanticVersion,
        spoken: [Int],
        engine: [Int],
        newest: SemanticVersion? = nil
    ) -> ProjectError {
        func list(_ majors: [Int]) -> String {
            Set(majors).sorted().map { "\($0).x" }.joined(separator: ", ")
        }
        let remedy = newest.map { "Newest compatible release: \($0)" } ?? "Upgrade kiln, or pin another version."
        return ProjectError(
            .protocolVersion,
            "\(name) \(version) speaks protocol \(list(spoken)); this engine speaks \(list(engine)). \(remedy)",
            file: FrontendManifest.fileName
        )
    }

    /// - Parameter isDisabled: Whether the engine knows it and its policy forbids it.
    package static func capability(
        _ name: FrontendName,
        _ version: SemanticVersion,
        _ capability: String,
        isDisabled: Bool
    ) -> ProjectError {
        let why = isDisabled ? "has disabled (policy)" : "does not have"
        return ProjectError(
            .capability,
            "\(name) \(version) needs capability \"\(shown(capability))\", which this engine \(why)",
            file: FrontendManifest.fileName
        )
    }

    /// - Parameters:
    ///   - asked: ``Grant/exceeding(_:)``.
    ///   - permissions: All that it asks for: what the lines to write grant.
    ///   - previous: The version that is pinned and did not ask for it.
    package static func permission(
        _ name: FrontendName,
        _ version: SemanticVersion,
        asked: [String],
        _ permissions: Grant,
        previous: SemanticVersion? = nil
    ) -> ProjectError {
        let lines = permissions.lines(granting: name).map { "\n  \($0)" }.joined()
        let list = asked.joined(separator: ", ")
        let text =
            if let previous {
                "asks for \(list); \(previous) did not. Stay on \(previous), or grant it by writing there:\(lines)"
            } else {
                "asks for \(list), which kiln.toml does not grant. To grant it, write there:\(lines)"
            }
        return ProjectError(.permission, "\(name) \(version) \(text)", file: ProjectFile.fileName)
    }

    static func nestedFrontend(caller: FrontendName, callee: String) -> ProjectError {
        ProjectError(.nestedFrontend, "\(caller) may not call frontend \"\(shown(callee))\"")
    }

    static func frontendCycle(_ names: [FrontendName]) -> ProjectError {
        ProjectError(.frontendCycle, "frontend cycle: " + names.map(\.text).joined(separator: " → "))
    }

    static func frontendDepth(_ names: [FrontendName], limit: Int) -> ProjectError {
        ProjectError(
            .frontendCycle,
            "more than \(limit) frontends call each other: " + names.map(\.text).joined(separator: " → ")
        )
    }

    // MARK: Sources

    /// A source without a pin where only pins count.
    package static func sourceNotLocked(_ key: SourceKey) -> ProjectError {
        ProjectError(
            .sourceNotLocked,
            "kiln.lock has no entry for \(shown(key.familiar)), and --locked is set. Run: kiln lock",
            file: LockFile.fileName
        )
    }

    /// A pinned image without the platform that is built for.
    package static func sourcePlatform(_ key: SourceKey, platform: String, has platforms: [String]) -> ProjectError {
        ProjectError(
            .sourceNotLocked,
            """
            kiln.lock has no \(platform) entry for \(shown(key.familiar)) \
            (has \(platforms.sorted().joined(separator: ", "))), and --locked is set. \
            Run: kiln lock --platform \(platform)
            """,
            file: LockFile.fileName
        )
    }

    /// A source that is not what its pin says.
    package static func sourceChanged(_ key: SourceKey, found: String, locked: String) -> ProjectError {
        ProjectError(
            .sourceChanged,
            """
            \(shown(key.familiar)) is \(found), kiln.lock says \(locked). \
            Run: kiln update \(shown(key.familiar))
            """,
            file: LockFile.fileName
        )
    }

    private init(_ code: Code, _ message: String, _ place: RequestPlace) {
        self.init(code, message, file: place.file, line: place.line)
    }
}
