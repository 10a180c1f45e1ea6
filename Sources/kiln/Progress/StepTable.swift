// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import OCI

/// The steps of a build as far as they were heard of, numbered in the order they first moved.
struct StepTable {
    /// One step.
    struct Step {
        let number: Int
        let name: String
        var started: Timestamp?
        var completed: Timestamp?
        var cached = false
        var error: String?
        /// The last lines it wrote, oldest first.
        var lastLines: [String] = []
        /// Bytes of a line that is not ended yet.
        var openLine: [UInt8] = []
        /// Progress of parts, such as layers, by id.
        var statuses: [(id: String, current: Int64, total: Int64, done: Bool)] = []

        /// Time it ran, or has run so far, in seconds.
        func seconds(now: Timestamp) -> Double {
            guard let started else { return 0 }
            return max(0, (completed ?? now).seconds(since: started))
        }
    }

    /// How many of a step's last lines are kept for the display of a failure.
    static let lastLineCountMax = 40

    private(set) var steps: [Digest: Step] = [:]
    /// Digests in the order of their numbers.
    private(set) var order: [Digest] = []
    private(set) var warnings: [WarningEvent] = []

    var stepCount: Int { order.count }
    var cachedCount: Int { steps.values.count { $0.cached } }

    /// Takes note of a vertex event.
    ///
    /// - Returns: The step before, when it was known, and as it is now; `nil` while it has not moved.
    mutating func apply(_ event: VertexEvent) -> (before: Step?, now: Step)? {
        let before = steps[event.digest]
        if before == nil, event.started == nil, event.completed == nil, !event.cached { return nil }
        var step = before ?? Step(number: order.count + 1, name: oneLine(event.name))
        if before == nil { order.append(event.digest) }
        step.started = event.started ?? step.started
        step.completed = event.completed
        step.cached = event.cached
        step.error = event.error
        steps[event.digest] = step
        return (before, step)
    }

    /// Takes note of output.
    ///
    /// - Returns: The step's number, its start, and the lines that are complete now.
    mutating func apply(_ event: LogEvent) -> (step: Step, lines: [String])? {
        guard var step = steps[event.vertex] else { return nil }
        var lines: [String] = []
        for byte in event.bytes {
            if byte == UInt8(ascii: "\n") || step.openLine.count >= 1 << 16 {
                lines.append(printable(step.openLine))
                step.openLine.removeAll(keepingCapacity: true)
                if byte == UInt8(ascii: "\n") { continue }
            }
            step.openLine.append(byte)
        }
        step.lastLines.append(contentsOf: lines)
        if step.lastLines.count > Self.lastLineCountMax {
            step.lastLines.removeFirst(step.lastLines.count - Self.lastLineCountMax)
        }
        steps[event.vertex] = step
        return (step, lines)
    }

    /// Takes note of the progress of a part.
    mutating func apply(_ event: StatusEvent) -> Step? {
        guard var step = steps[event.vertex] else { return nil }
        let entry = (event.id, event.current, event.total, event.completed != nil)
        if let index = step.statuses.firstIndex(where: { $0.id == event.id }) {
            step.statuses[index] = entry
        } else {
            step.statuses.append(entry)
        }
        steps[event.vertex] = step
        return step
    }

    mutating func apply(_ event: WarningEvent) { warnings.append(event) }

    /// Ends a step's unfinished line.
    mutating func flush(_ digest: Digest) -> String? {
        guard var step = steps[digest], !step.openLine.isEmpty else { return nil }
        let line = printable(step.openLine)
        step.openLine = []
        step.lastLines.append(line)
        steps[digest] = step
        return line
    }
}

/// A step's output as one line of text: what would move the cursor or is no UTF-8 is replaced, and of text that
/// carriage returns would overwrite only the last remains.
func printable(_ bytes: [UInt8]) -> String {
    var bytes = bytes[...]
    while bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    if let index = bytes.lastIndex(of: UInt8(ascii: "\r")) { bytes = bytes[(index + 1)...] }
    var result = ""
    var scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
        switch scalar.value {
        case 0x09: result.unicodeScalars.append(scalar)
        case 0x1b:
            // Colours and cursor movements of the step end at the first letter.
            guard let next = scalars.next() else { break }
            if next == "[" {
                while let inner = scalars.next(), !(0x40...0x7e).contains(inner.value) {}
            }
        case 0..<0x20, 0x7f..<0xa0: result += "\u{fffd}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// A name on one line.
func oneLine(_ name: String) -> String {
    name.split(whereSeparator: \.isNewline).joined(separator: " ")
}
