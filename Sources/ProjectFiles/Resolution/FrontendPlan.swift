// SPDX-License-Identifier: Apache-2.0

package import OCI

/// Which frontend a build file gets.
package enum FrontendPlan: Sendable, Hashable {
    /// One that comes with the engine.
    case bundled(name: String, version: SemanticVersion)
    /// What the lock pins.
    case package(LockedFrontend)
    /// A directory or executable as it is now; `name` is the project's name of what it stands for.
    case developer(name: FrontendName?, path: String, isOverride: Bool)
    /// Not the project's, and the policy lets it run.
    case unlisted(SyntaxReference)
}

/// One entry of the lock, for the platform it is to run on.
package struct LockedFrontend: Sendable, Hashable {
    /// What the project calls it.
    package let name: FrontendName
    /// What its publisher calls it, as its manifest says.
    package let package: FrontendName
    package let version: SemanticVersion
    package let tree: TreeDigest
    package let release: Digest
    package let source: String
    /// What the project allows it; nothing beyond is done for it.
    package let grant: Grant
    /// `native 1.0 1.3`.
    package let protocolText: String
    /// What its manifest asked for when it was locked.
    package let permissions: Grant

    package init(name: FrontendName, entry: LockFile.Frontend, tree: TreeDigest, grant: Grant) {
        self.name = name
        self.package = entry.package ?? name
        version = entry.version
        self.tree = tree
        release = entry.release
        source = entry.source
        self.grant = grant
        protocolText = entry.protocolText
        permissions = entry.permissions
    }
}

/// What a build says about the frontend it wants.
package struct FrontendRequest: Sendable, Hashable {
    /// `--frontend`.
    package var option: String?
    /// The build argument `BUILDKIT_SYNTAX`.
    package var syntaxArgument: String?
    /// What messages call the build file.
    package var fileName: String
    /// The build file's path from the project's root; patterns of `[files]` are matched against it.
    package var filePath: String
    package var file: [UInt8]
    /// `--frontend-override NAME=PATH`.
    package var overrides: [FrontendName: String]

    package init(
        option: String? = nil,
        syntaxArgument: String? = nil,
        fileName: String,
        filePath: String? = nil,
        file: [UInt8],
        overrides: [FrontendName: String] = [:]
    ) {
        self.option = option
        self.syntaxArgument = syntaxArgument
        self.fileName = fileName
        self.filePath = filePath ?? fileName
        self.file = file
        self.overrides = overrides
    }
}

/// A plan, and all that belongs to it.
package struct FrontendResolution: Sendable, Hashable {
    package var plan: FrontendPlan
    /// What the project allows the frontend.
    package var grant = Grant.nothing
    /// The whole directive or argument that chose it, for the frontend.
    package var commandLine: String?
    /// The channel its tag names, `labs`; for the frontend.
    package var channel: String?
    /// Sentences for whoever builds.
    package var warnings: [String] = []
    /// What to say to whoever builds and does not agree, where the policy is `ask`; `nil` when nobody needs to agree.
    package var refusal: ProjectError?
    /// How it came to this, a line each; `kiln frontend why` prints them.
    package var steps: [String] = []
}
