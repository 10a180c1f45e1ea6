// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import OCI

/// One line an event, each with the number of its step, as logs of machines want it.
struct PlainProgress: ProgressRenderer {
    private var table = StepTable()
    /// The step whose lines were written last; a header is repeated when another one gets a word.
    private var current: Digest?
    /// Steps whose end was told, and that said nothing since.
    private var ended: Set<Digest> = []

    mutating func show(_ event: BuildEvent) {
        switch event {
        case .vertex(let vertex): show(vertex)
        case .log(let log):
            guard let (step, lines) = table.apply(log), !lines.isEmpty else { return }
            ended.remove(log.vertex)
            header(log.vertex, step)
            let elapsed = step.started.map { max(0, log.timestamp.seconds(since: $0)) }
            let text = lines.map { "#\(step.number) \(decimals(elapsed ?? 0, 3)) \($0)\n" }
            writeError(text.joined())
        case .status(let status):
            guard let step = table.apply(status), status.completed != nil else { return }
            header(status.vertex, step)
            let size = status.total > 0 ? " \(readableByteCount(status.total))" : ""
            writeError("#\(step.number) \(oneLine(status.id))\(size) done\n")
        case .warning(let warning): table.apply(warning)
        }
    }

    private mutating func show(_ event: VertexEvent) {
        let rest = event.completed == nil ? nil : table.flush(event.digest)
        guard let (before, step) = table.apply(event) else { return }
        // A step may end several times, as when its result is wanted after its key: once is enough to say so.
        if event.error == nil, rest == nil, ended.contains(event.digest) { return }
        if event.completed != nil { ended.insert(event.digest) }
        if let rest {
            header(event.digest, step)
            writeError("#\(step.number) \(decimals(step.seconds(now: .now), 3)) \(rest)\n")
        }
        if before == nil || event.completed != nil { header(event.digest, step) }
        guard event.completed != nil else { return }
        if let error = event.error {
            writeError("#\(step.number) ERROR: \(error)\n\n")
        } else if step.cached {
            writeError("#\(step.number) CACHED\n\n")
        } else {
            writeError("#\(step.number) DONE \(decimals(step.seconds(now: .now), 1))s\n\n")
        }
        current = nil
    }

    private mutating func header(_ digest: Digest, _ step: StepTable.Step) {
        if current == digest { return }
        current = digest
        writeError("#\(step.number) \(step.name)\n")
    }

    func tick() {}

    mutating func finish(error: (any Error)?) {
        writeError(endSummary(table, error: error))
    }
}

/// Warnings, and the last lines of the steps that failed, for the end of a build.
func endSummary(_ table: StepTable, error: (any Error)?) -> String {
    var text = ""
    if !table.warnings.isEmpty {
        text += "\n \(table.warnings.count) warning\(table.warnings.count == 1 ? "" : "s") found:\n"
        for warning in table.warnings {
            let place = warning.location.map { " (\($0))" } ?? ""
            text += " - \(warning.short)\(place)\n"
        }
    }
    guard error != nil else { return text }
    for digest in table.order {
        guard let step = table.steps[digest], step.error != nil, !step.lastLines.isEmpty else {
            continue
        }
        text += "------\n > \(step.name):\n"
        text += step.lastLines.map { "\($0)\n" }.joined()
        text += "------\n"
    }
    return text
}
