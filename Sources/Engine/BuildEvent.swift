// SPDX-License-Identifier: Apache-2.0

internal import Glibc
public import OCI

/// Something that happened in a build, in the order it happened. The shapes are those of BuildKit's `Status` stream.
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

/// A moment, in nanoseconds since 1970.
public struct Timestamp: Sendable, Hashable, Comparable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

/// The state of one step.
public struct VertexEvent: Sendable {
    public var digest: Digest
    public var inputs: [Digest]
    public var name: String
    public var started: Timestamp?
    public var completed: Timestamp?
    /// Whether the result came from the cache.
    public var cached: Bool
    /// Why the step failed.
    public var error: String?

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
    public var vertex: Digest
    /// What advances, unique within the step, such as a layer's digest.
    public var id: String
    /// Bytes or items done.
    public var current: Int64
    /// Bytes or items in all; 0 when unknown.
    public var total: Int64
    public var timestamp: Timestamp
    public var started: Timestamp?
    public var completed: Timestamp?

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

    public var vertex: Digest
    public var stream: Stream
    public var bytes: [UInt8]
    public var timestamp: Timestamp

    public init(vertex: Digest, stream: Stream, bytes: [UInt8], timestamp: Timestamp) {
        self.vertex = vertex
        self.stream = stream
        self.bytes = bytes
        self.timestamp = timestamp
    }
}

/// A finding of a frontend.
public struct WarningEvent: Sendable {
    public var vertex: Digest?
    /// One line.
    public var short: String
    public var detail: [String]
    public var url: String?
    /// File and lines it is about, such as `Dockerfile:3`.
    public var location: String?

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
        return Timestamp(
            nanoseconds: Int64(clock.tv_sec) &* 1_000_000_000 &+ Int64(clock.tv_nsec)
        )
    }

    /// `2026-11-24T08:16:49.123456789Z`. Source: RFC 3339; days to dates by Hinnant's civil calendar.
    public var rfc3339: String {
        let second = Int64(1_000_000_000)
        var seconds = nanoseconds / second
        var fraction = nanoseconds % second
        if fraction < 0 {
            fraction += second
            seconds -= 1
        }
        var days = seconds / 86400
        var rest = seconds % 86400
        if rest < 0 {
            rest += 86400
            days -= 1
        }
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let clock = "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
        return "\(date)T\(clock).\(padded(fraction, 9))Z"
    }
}
