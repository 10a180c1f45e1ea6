// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import FrontendStore
internal import Glibc
internal import LinuxSystem
internal import ProjectFiles
internal import SystemPackage

/// Asks the user about frontends that a project with `unlisted = "ask"` does not list.
struct FrontendConsent: Sendable {
    /// A directory of the project.
    let directory: FilePath
    let isOffline: Bool
    let state: StateOptions

    /// Whether somebody is there to be asked: both the question and the answer need a terminal.
    static var isPossible: Bool { isatty(0) == 1 && isatty(2) == 1 }

    /// Asks, and adds the frontend to the project when the answer is yes.
    ///
    /// - Throws: The refusal when it is no; what adding throws.
    func obtain(_ frontend: UnlistedFrontend) async throws {
        let wishes = frontend.permissions.isEmpty ? "nothing" : frontend.permissions.joined(separator: ", ")
        writeError(
            """
            The build file asks for the frontend \(frontend.name), which kiln.toml does not list.
            It is \(frontend.package) \(frontend.version), \(frontend.release), and asks for \(wishes).
            Add it to kiln.toml and kiln.lock, and build? [y/N]\u{20}
            """
        )
        let answer = try await blocking { readLine() } ?? ""
        guard ["y", "yes"].contains(answer.lowercased()) else { throw frontend }
        let addition = try FrontendAddition(
            FrontendName(parsing: frontend.name),
            constraint: frontend.constraint.map { try VersionConstraint(parsing: $0) },
            source: "oci://\(frontend.name)",
            package: FrontendName(parsing: frontend.package),
            to: directory,
            isOffline: isOffline
        )
        let report = try await runWithService(state) { try await addition.carryOut($0) }
        writeError(report.changes + report.advice)
    }
}
