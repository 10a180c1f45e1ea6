// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
package import LLB

/// What the engine offers a running frontend.
///
/// One bridge serves one build; policy, limits of work and tracing stand behind it, so every front
/// door shares them.
///
/// The host has checked forms and limits before it calls: a definition is decoded (the bridge
/// validates its graph; an `LLBError` becomes `badDefinition`), a path holds no NUL, a ref is one
/// this bridge gave out and not yet released. Calls come from many tasks at once. A call whose task
/// is cancelled must end soon: the host waits for it before the build ends.
///
/// An operation tells why it failed by a ``ProtocolFailure`` of the kind that fits (`notFound` for
/// a missing file), or by an error that is ``ProtocolKindClassified``. Any other error is sent by its description, with a
/// kind by its fault; the host
/// keeps it, and when the frontend then gives up because of it, the build fails with that very
/// error as cause.
package protocol FrontendBridge: Sendable {
    /// The engine's own handle on a lazy result.
    associatedtype Ref: Sendable

    /// What `initialize` offers.
    var capabilities: [EngineCapability] { get }

    /// Which operations and attributes of LLB the engine knows; all that module LLB knows, unless told otherwise.
    var llbCapabilities: Set<String> { get }

    /// Makes a ref of a definition. Lazy, unless `evaluate` is set.
    ///
    /// - Returns: `nil` for the empty tree.
    func solve(_ definition: LLB.Definition, evaluate: Bool) async throws -> Ref?

    /// Waits until the result stands.
    func evaluate(_ ref: Ref) async throws

    /// The frontend does not need this ref any more. Refs of a result are never released.
    func release(_ ref: Ref)

    /// Reads from a regular file; symlinks are followed inside the tree.
    ///
    /// - `ref`: `nil` is the empty tree.
    /// - `length`: How many bytes at most; fewer only where the file ends.
    func readFile(
        _ ref: Ref?,
        path: String,
        offset: Int64,
        length: Int
    ) async throws -> Wire.ReadFile.Answer

    /// Lists one directory, ordered by the bytes of the names.
    ///
    /// - `pattern`: A shell pattern the names must match.
    func readDirectory(_ ref: Ref?, path: String, pattern: String?) async throws -> [FileInfo]

    func stat(_ ref: Ref?, path: String, followSymlinks: Bool) async throws -> FileInfo

    /// Resolves an image tag, a git branch or a URL to what it stands for now.
    func resolveSource(_ query: Wire.ResolveSource) async throws -> ResolvedSource

    /// Has another frontend do a build; the refs of the result are the caller's.
    ///
    /// Which frontends may call which is decided here.
    func solve(_ call: FrontendCall<Ref>) async throws -> FrontendResult<Ref>

    /// A line of the frontend, from `log` or from its stderr (without the line end). Must not block for long.
    func log(_ entry: FrontendLogEntry)

    func diagnostic(_ diagnostic: Diagnostic)

    func progress(_ progress: Wire.Progress)
}

extension FrontendBridge {
    package var llbCapabilities: Set<String> { LLB.Capability.all }

    package func progress(_ progress: Wire.Progress) {}

    package func solve(_ call: FrontendCall<Ref>) async throws -> FrontendResult<Ref> {
        throw ProtocolFailure(.unsupported, "this engine does not run frontends for frontends")
    }
}

/// One line a frontend wrote.
package struct FrontendLogEntry: Sendable, Hashable {
    /// Where a line came from.
    package enum Origin: Sendable, Hashable {
        case standardError
        case message
        /// The host tells something about the frontend.
        case host
    }

    package let origin: Origin
    package let level: Wire.Log.Level
    package let text: String

    package init(origin: Origin, level: Wire.Log.Level, text: String) {
        self.origin = origin
        self.level = level
        self.text = text
    }
}

/// An error of the engine that says itself what a frontend is told of it.
package protocol ProtocolKindClassified: Error {
    /// `nil`: what follows from its fault.
    var protocolKind: ProtocolFailure.Kind? { get }
}
