// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Dispatch
internal import Engine
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// How progress is shown.
enum ProgressMode: String, ExpressibleByArgument, CaseIterable {
    /// ``tty`` when the standard error is a terminal, else ``plain``.
    case auto
    /// One line an event.
    case plain
    /// A live picture of the running steps.
    case tty
    /// BuildKit's status messages, one JSON object a line.
    case rawjson
    /// Nothing.
    case quiet
}

/// Draws events; called under a lock, in order.
protocol ProgressRenderer: Sendable {
    mutating func show(_ event: BuildEvent)
    /// Time has passed: a live picture may redraw.
    mutating func tick()
    mutating func finish(error: (any Error)?)
}

/// Shows what a build does on the standard error.
final class ProgressDisplay: Sendable {
    private let renderer: Mutex<any ProgressRenderer>
    /// Redraws the live picture.
    private let timer: Ticker?
    private let mode: ProgressMode

    init(mode: ProgressMode) {
        let terminal = Terminal.current
        let mode = mode == .auto ? (terminal == nil ? .plain : .tty) : mode
        self.mode = mode
        switch mode {
        case .rawjson: renderer = Mutex(RawJSONProgress())
        case .quiet: renderer = Mutex(QuietProgress())
        case .tty:
            renderer = Mutex(TerminalProgress(terminal: terminal ?? Terminal(columns: 80, rows: 24, color: false)))
        case .plain, .auto: renderer = Mutex(PlainProgress())
        }
        timer = mode == .tty ? Ticker() : nil
        timer?.start { [weak self] in self?.renderer.withLock { $0.tick() } }
    }

    /// Says one line about this machine, before the build.
    func notice(_ text: String) {
        if mode == .plain || mode == .tty { writeError("kiln: \(text)\n") }
    }

    func show(_ event: BuildEvent) { renderer.withLock { $0.show(event) } }

    /// Leaves what is shown as it is.
    func pause() { timer?.cancel() }

    /// Shows the last state and what failed; nothing is drawn afterwards.
    func finish(error: (any Error)?) {
        timer?.cancel()
        renderer.withLock { $0.finish(error: error) }
    }
}

/// Calls a function ten times a second, until it is cancelled or goes.
private final class Ticker: @unchecked Sendable {
    // Unchecked: Dispatch's sources may be used from any thread, though they are not declared so.
    private let source = DispatchSource.makeTimerSource(queue: .global())

    func start(_ body: @escaping @Sendable () -> Void) {
        source.setEventHandler(handler: body)
        source.schedule(deadline: .now() + .milliseconds(100), repeating: .milliseconds(100))
        source.resume()
    }

    func cancel() { source.cancel() }
    deinit { source.cancel() }
}

/// The terminal that the standard error is, if it is one.
struct Terminal: Sendable {
    var columns: Int
    var rows: Int
    /// Whether colours are wanted: `NO_COLOR` is unset or empty and `TERM` is not `dumb`.
    var color: Bool

    static var current: Terminal? {
        guard isatty(2) == 1, environmentVariable("TERM") != "dumb" else { return nil }
        let size = terminalSize(of: 2)
        return Terminal(
            columns: size.map { Int($0.columns) } ?? 80,
            rows: size.map { Int($0.rows) } ?? 24,
            color: (environmentVariable("NO_COLOR") ?? "").isEmpty
        )
    }
}

/// Shows nothing.
struct QuietProgress: ProgressRenderer {
    func show(_ event: BuildEvent) {}
    func tick() {}
    func finish(error: (any Error)?) {}
}
