// SPDX-License-Identifier: Apache-2.0

/// A version of the protocol, `major.minor`.
///
/// Another major may break; another minor only adds what may be ignored.
package struct ProtocolVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let major: Int
    package let minor: Int

    package init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads `1.0`; decimal digits without leading zeros only.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]),
            major >= 0, minor >= 0, text == "\(major).\(minor)"
        else { return nil }
        self.init(major, minor)
    }

    /// What this module speaks: the newest minor of each major.
    package static let spoken = [ProtocolVersion(1, 0)]

    /// The version a session runs at: the newest that both sides know.
    ///
    /// - Parameters:
    ///   - offered: The newest minor the engine speaks of each major; later entries of one major are ignored.
    ///   - known: The same of the frontend.
    /// - Returns: `nil` when no major is common.
    package static func negotiate(
        offered: [ProtocolVersion],
        known: [ProtocolVersion] = spoken
    ) -> ProtocolVersion? {
        known.compactMap { own in
            offered.first { $0.major == own.major }.map { min($0, own) }
        }.max()
    }

    package static func < (left: ProtocolVersion, right: ProtocolVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    package var description: String { "\(major).\(minor)" }
}

/// Optional behaviour that an engine offers, by a name that never changes its meaning.
///
/// Names are dotted and only ever added; those of a vendor begin with `x-`. Absent means unsupported.
public struct EngineCapability: Sendable, Hashable, RawRepresentable, CustomStringConvertible {
    /// The name, as it is written.
    public let rawValue: String

    /// Takes a name, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The name.
    public var description: String { rawValue }

    /// `solve` and `releaseRef`.
    public static let solve = EngineCapability(rawValue: "solve")
    /// `evaluate`, and the member of that name in `solve`.
    public static let evaluate = EngineCapability(rawValue: "solve.evaluate")
    /// A definition may be given as `{"json":…}`.
    public static let definitionJSON = EngineCapability(rawValue: "solve.json")
    /// `readFile`, `readDir` and `stat`.
    public static let readFile = EngineCapability(rawValue: "readFile")
    /// `resolveSource` for images.
    public static let resolveImage = EngineCapability(rawValue: "resolveSource.image")
    /// `resolveSource` for git repositories.
    public static let resolveGit = EngineCapability(rawValue: "resolveSource.git")
    /// `resolveSource` for http and https.
    public static let resolveHTTP = EngineCapability(rawValue: "resolveSource.http")
    /// `frontend/solve`.
    public static let nestedFrontend = EngineCapability(rawValue: "frontend.solve")
    /// `diagnostic` with ranges.
    public static let diagnostic = EngineCapability(rawValue: "diagnostic")
    /// `progress`.
    public static let progress = EngineCapability(rawValue: "progress")
}

/// The methods of version 1.
package enum Method: String, Sendable, Hashable, CaseIterable {
    /// Engine to frontend, first of all.
    case initialize
    /// Engine to frontend: do the work.
    case build
    /// Engine to frontend, in place of `build`: a question about the build file.
    case describeTargets = "describe/targets"
    case describeOutline = "describe/outline"
    case lint, convert, format
    case solve
    case evaluate
    case releaseRef
    case readFile
    case readDir
    case stat
    case resolveSource
    case frontendSolve = "frontend/solve"
    /// Notifications of a frontend.
    case log, diagnostic, progress
    /// Notification of either side.
    case cancel
}
