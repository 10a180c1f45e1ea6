// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
internal import OCI
internal import ProjectFiles

/// A build file asks for a frontend that its project does not list, and the project's policy is to ask.
///
/// Once the frontend is added to the project, as by `kiln frontend add`, the build can be begun anew.
public struct UnlistedFrontend: Error, CustomStringConvertible {
    /// What it is asked for by, such as `ghcr.io/acme/spec`; it names the repository too.
    public let name: String
    /// What its publisher calls it.
    public let package: String
    /// The version that would run.
    public let version: String
    /// The digest of that version's release.
    public let release: String
    /// The versions that what it is asked for with allows; `nil` allows any.
    public let constraint: String?
    /// What it wants to be allowed, such as `secret "npm-token"`.
    public let permissions: [String]
    private let refusal: ProjectError

    init(_ reference: SyntaxReference, _ found: LockedFrontend, refusal: ProjectError) {
        name = found.name.text
        package = found.package.text
        version = found.version.description
        release = found.release.description
        // A digest means one release.
        let tag = reference.digest == nil ? reference.tag : found.version.description
        constraint = tag == nil ? nil : (try? VersionConstraint(tag: tag))?.text
        permissions = found.permissions.exceeding(.nothing)
        self.refusal = refusal
    }

    /// What to say where nobody agrees.
    public var description: String { refusal.description }
}

extension UnlistedFrontend: FaultClassified {
    package var fault: Fault { refusal.fault }
}
