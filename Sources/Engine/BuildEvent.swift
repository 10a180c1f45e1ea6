// SPDX-License-Identifier: Apache-2.0

internal import Glibc
public import OCI

/// Something that happened in a build, in the order it happened.
///
/// The shapes are those of BuildKit's `Status` stream.
public enum BuildEvent: Sendable {
    /// A step began, ended or was found in the cache. Sent again on each change.
    case vertex(VertexEvent)
    /// Part of a step advanced: a layer, a transfer.
    case status(StatusEvent)
    /// A step wrote to its output.
    case log(LogEvent)
    /// The frontend found something worth a look.
    case warning(WarningEvent)
}

/// The state of one step.
public struct VertexEvent: Sendable {
    /// The digest of the operation.
    public var digest: Digest
    /// The steps it builds upon.
    public var inputs: [Digest]
    /// What people call it.
    public var name: String
    /// When it began; `nil` until then.
    public var started: Timestamp?
    /// When it ended; `nil` until then.
    public var completed: Timestamp?
    /// Whether the result came from the cache.
    public var cached: Bool
    /// Why the step failed.
    public var error: String?

    /// Takes the parts as they are.
    public init(
        digest: Digest,
        inputs: [Digest] = [],
        name: String,
        started: Timestamp? = nil,
        completed: Timestamp? = nil,
        cached: Bool = false,
        error: String? = nil
    ) {
        self.digest = digest
        self.inputs = inputs
        self.name = name
        self.started = started
        self.completed = completed
        self.cached = cached
        self.error = error
    }
}

/// Progress within a step.
public struct StatusEvent: Sendable {
    /// The step.
    public var vertex: Digest
    /// What advances, unique within the step, such as a layer's digest.
    public var id: String
    /// Bytes or items done.
    public var current: Int64
    /// Bytes or items in all; 0 when unknown.
    public var total: Int64
    /// When it happened.
    public var timestamp: Timestamp
    /// When it began; `nil` until then.
    public var started: Timestamp?
    /// When it ended; `nil` until then.
    public var completed: Timestamp?

    /// Takes the parts as they are.
    public init(
        vertex: Digest,
        id: String,
        current: Int64,
        total: Int64,
        timestamp: Timestamp,
        started: Timestamp? = nil,
        completed: Timestamp? = nil
    ) {
        self.vertex = vertex
        self.id = id
        self.current = current
        self.total = total
        self.timestamp = timestamp
        self.started = started
        self.completed = completed
    }
}

/// Bytes a step wrote.
public struct LogEvent: Sendable {
    /// Which output of the step the bytes came from.
    public enum Stream: Int, Sendable { case output = 1, error = 2 }

    /// The step.
    public var vertex: Digest
    /// Which output of the step they came from.
    public var stream: Stream
    /// The bytes, as they were written.
    public var bytes: [UInt8]
    /// When it happened.
    public var timestamp: Timestamp

    /// Takes the parts as they are.
    public init(vertex: Digest, stream: Stream, bytes: [UInt8], timestamp: Timestamp) {
        self.vertex = vertex
        self.stream = stream
        self.bytes = bytes
        self.timestamp = timestamp
    }
}

/// A finding of a frontend.
public struct WarningEvent: Sendable {
    /// The step.
    public var vertex: Digest?
    /// One line.
    public var short: String
    /// Further lines.
    public var detail: [String]
    /// Where to read more.
    public var url: String?
    /// File and lines it is about, such as `Dockerfile:3`.
    public var location: String?

    /// Takes the parts as they are.
    public init(
        vertex: Digest? = nil,
        short: String,
        detail: [String] = [],
        url: String? = nil,
        location: String? = nil
    ) {
        self.vertex = vertex
        self.short = short
        self.detail = detail
        self.url = url
        self.location = location
    }
}

extension Timestamp {
    /// This moment.
    public static var now: Timestamp {
        var clock = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &clock)
        return Timestamp(seconds: Int64(clock.tv_sec), nanoseconds: Int32(clock.tv_nsec))
    }

    /// Time that passed from another moment to this one, in seconds; negative when this one came first.
    public func seconds(since other: Timestamp) -> Double {
        Double(seconds &- other.seconds) + Double(nanoseconds - other.nanoseconds) / 1e9
    }
}
