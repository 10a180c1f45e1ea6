// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import OCI

/// A live picture: finished steps scroll away above, running ones are redrawn in place with their last lines.
struct TerminalProgress: ProgressRenderer {
    /// Lines of output shown below a running step.
    private static let outputLineCountMax = 6

    private var table = StepTable()
    private var terminal: Terminal
    private let began = Timestamp.now
    /// Lines of the picture on the screen that the next one replaces.
    private var drawnLineCount = 0
    /// Finished steps that are on the screen for good.
    private var settled: Set<Digest> = []
    private var dirty = false

    init(terminal: Terminal) { self.terminal = terminal }

    mutating func show(_ event: BuildEvent) {
        switch event {
        case .vertex(let vertex):
            if vertex.completed != nil { _ = table.flush(vertex.digest) }
            _ = table.apply(vertex)
        case .log(let log): _ = table.apply(log)
        case .status(let status): _ = table.apply(status)
        case .warning(let warning): table.apply(warning)
        }
        dirty = true
    }

    mutating func tick() {
        // Elapsed times move even when nothing else does.
        if !dirty, settled.count == table.order.count { return }
        draw(final: false)
    }

    mutating func finish(error: (any Error)?) {
        draw(final: true)
        let seconds = Timestamp.now.seconds(since: began)
        let word = error == nil ? style("34", "FINISHED") : style("31", "FAILED")
        let cached = table.cachedCount
        writeError(
            "\(word) in \(decimals(seconds, 1))s: \(table.stepCount) steps, \(cached) cached\n"
                + endSummary(table, error: error)
        )
    }

    private mutating func draw(final: Bool) {
        if let size = Terminal.current { terminal = size }
        var output = ""
        if drawnLineCount > 0 { output += "\u{1b}[\(drawnLineCount)A" }
        output += "\u{1b}[J"
        for digest in table.order where !settled.contains(digest) {
            guard let step = table.steps[digest], step.completed != nil || final else { continue }
            settled.insert(digest)
            output += line(step) + "\n"
        }
        var live: [String] = []
        for digest in table.order where !settled.contains(digest) {
            guard let step = table.steps[digest] else { continue }
            live.append(line(step))
            for status in step.statuses where !status.done {
                let amount =
                    status.total > 0
                    ? "\(readableByteCount(status.current)) / \(readableByteCount(status.total))"
                    : readableByteCount(status.current)
                live.append(fit("    => \(oneLine(status.id)) \(amount)"))
            }
            for text in step.lastLines.suffix(Self.outputLineCountMax) {
                live.append(style("2", fit("    # \(text)")))
            }
        }
        // A picture taller than the screen could not be taken back.
        let visible = live.suffix(max(1, terminal.rows - 2))
        output += visible.map { $0 + "\n" }.joined()
        drawnLineCount = visible.count
        dirty = false
        writeError(output)
    }

    private func line(_ step: StepTable.Step) -> String {
        let time = "\(decimals(step.seconds(now: .now), 1))s"
        let mark: String
        let code: String
        if step.error != nil {
            (mark, code) = ("ERROR", "31")
        } else if step.cached {
            (mark, code) = ("CACHED", "34")
        } else if step.completed != nil {
            (mark, code) = ("", "34")
        } else {
            (mark, code) = ("", "0")
        }
        let left = " => \(mark.isEmpty ? "" : mark + " ")\(step.name)"
        let width = max(10, terminal.columns - time.count - 2)
        let shown = left.count > width ? String(left.prefix(width - 1)) + "…" : left
        let padding = String(repeating: " ", count: max(0, width - shown.count))
        return style(code, "\(shown)\(padding) \(time)")
    }

    private func fit(_ text: String) -> String {
        text.count > terminal.columns - 1 ? String(text.prefix(terminal.columns - 2)) + "…" : text
    }

    private func style(_ code: String, _ text: String) -> String {
        terminal.color && code != "0" ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}
