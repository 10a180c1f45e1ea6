// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import Synchronization

/// What a frontend writes to stderr: kept for the error text, and passed on line by line.
final class StandardErrorCapture: Sendable {
    /// How much of the beginning is kept, in bytes.
    static let headByteLimit = 64 << 10
    /// How much of the end is kept, in bytes.
    static let tailByteLimit = 192 << 10
    /// A line is cut here, so that one without an end cannot grow.
    static let lineByteLimit = 16 << 10
    /// How much is passed on as log at most; more is counted, not shown.
    static let logByteLimit = 16 << 20

    private struct State {
        var head: [UInt8] = []
        var tail: [UInt8] = []
        var line: [UInt8] = []
        var loggedByteCount = 0
        var droppedByteCount = 0
    }

    private let state = Mutex(State())
    private let log: @Sendable (String) -> Void

    /// - Parameter log: Gets each line without its end.
    init(log: @escaping @Sendable (String) -> Void) { self.log = log }

    /// Reads to the end.
    ///
    /// Runs on a thread of its own; a flood is read as fast as it comes, and mostly thrown away.
    func run(from descriptor: Descriptor) {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { unsafe chunk.deallocate() }
        while true {
            guard let count = unsafe try? descriptor.read(into: chunk), count > 0 else { break }
            for line in unsafe take(Array(chunk[0..<count])) { log(line) }
        }
        for line in finish() { log(line) }
    }

    /// The last lines, at most `count`.
    func lastLines(_ count: Int) -> [String] {
        let text = state.withLock { $0.tail.isEmpty ? $0.head : $0.tail }
        return text.split(separator: UInt8(ascii: "\n")).suffix(count)
            .map { printable($0.prefix(400)) }
    }

    /// Everything that was kept, with a note where something is missing.
    var text: String {
        state.withLock { state in
            let whole = state.head + state.tail
            return String(decoding: whole, as: UTF8.self)
        }
    }

    func take(_ bytes: [UInt8]) -> [String] {
        state.withLock { state in
            keep(bytes, &state)
            guard state.loggedByteCount < Self.logByteLimit else {
                state.droppedByteCount += bytes.count
                state.line = []
                return []
            }
            state.loggedByteCount += bytes.count
            var lines: [String] = []
            for part in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .enumerated()
            {
                if part.offset > 0 {
                    lines.append(String(decoding: state.line, as: UTF8.self))
                    state.line = []
                }
                let room = Self.lineByteLimit - state.line.count
                state.line.append(contentsOf: part.element.prefix(room))
            }
            return lines
        }
    }

    func finish() -> [String] {
        state.withLock { state in
            var lines: [String] = []
            if !state.line.isEmpty { lines.append(String(decoding: state.line, as: UTF8.self)) }
            state.line = []
            if state.droppedByteCount > 0 {
                lines.append("… \(state.droppedByteCount) more bytes of stderr are not shown")
            }
            return lines
        }
    }

    private func keep(_ bytes: [UInt8], _ state: inout State) {
        let room = Self.headByteLimit - state.head.count
        state.head.append(contentsOf: bytes.prefix(room))
        guard bytes.count > room else { return }
        state.tail.append(contentsOf: bytes.dropFirst(room))
        // Cut only when twice the limit stands, so that a flood costs linear time.
        if state.tail.count > 2 * Self.tailByteLimit {
            state.tail.removeFirst(state.tail.count - Self.tailByteLimit)
        }
    }
}

/// Bytes of a stranger as text for an error: control characters, escape sequences and broken UTF-8 made visible.
func printable(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for scalar in String(decoding: Array(bytes), as: UTF8.self).unicodeScalars {
        switch scalar {
        case "\n": text += "\\n"
        case "\t": text += "\t"
        case _ where scalar.properties.generalCategory == .control || scalar.value == 0xFFFD:
            text += "\\u{" + String(scalar.value, radix: 16) + "}"
        case _ where scalar.properties.generalCategory == .format: text += "?"
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text
}
