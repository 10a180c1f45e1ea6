// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import LinuxSystem
internal import ProjectFiles
internal import SystemPackage

/// The frontends that come with the engine: executables called `kiln-frontend-NAME` beside the running program.
///
/// Nothing else is ever looked up by its file name: which program a name means must not depend on the machine.
struct BundledFrontends: Sendable {
    /// What each of them is, by name.
    static let versions: [String: SemanticVersion] = [
        // The newest Dockerfile syntax it reads.
        "dockerfile": SemanticVersion(1, 20, 0),
        "llb": SemanticVersion(1, 0, 0),
        "yaml": SemanticVersion(1, 0, 0),
    ]

    private static let prefix = "kiln-frontend-"

    /// Where they stand; `nil` when this process cannot tell.
    let home: FilePath?

    /// The program of a name in ``versions``.
    ///
    /// Blocks.
    ///
    /// - Throws: `environment` when this installation lacks it.
    func program(_ name: String) throws -> FrontendProgram {
        guard let path = home?.appending(Self.prefix + name) else {
            throw EngineError(.environment, "cannot find the frontend \(name): where this program stands is not known")
        }
        let identity: String
        do {
            identity = try FrontendProgram.fileIdentity(of: path)
        } catch {
            throw EngineError(
                .environment,
                "cannot use the frontend \(name) that comes with kiln: \(error); install kiln anew"
            )
        }
        return FrontendProgram(name: name, content: .file(path), isBundled: true, digest: identity)
    }
}
