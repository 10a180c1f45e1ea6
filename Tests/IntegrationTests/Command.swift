// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import SystemPackage
import Testing

/// What a command left when it ended.
struct CommandResult: Sendable {
    let exit: ChildProcess.Exit
    let output: [UInt8]
    let error: String

    var outputText: String { String(decoding: output, as: UTF8.self) }

    /// The exit status, or `nil` when a signal ended the command.
    var status: Int32? {
        if case .exited(let status) = exit { status } else { nil }
    }
}

/// A command that runs, with its output kept in memory.
final class Command: Sendable {
    /// Longest time a command may take before the test that waits for it fails.
    static let timeLimit = Duration.seconds(120)

    private let limit: Duration
    private let process: ChildProcess
    private let output: Descriptor
    private let error: Descriptor

    init(
        _ program: String,
        _ arguments: [String],
        environment: [String] = [],
        timeLimit: Duration = Command.timeLimit
    ) throws {
        limit = timeLimit
        output = try Descriptor.memory("output")
        error = try Descriptor.memory("error")
        process = try ChildProcess(
            .path(FilePath(program)),
            arguments: [program] + arguments,
            environment: [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/nonexistent",
            ]
                + environment,
            descriptors: [try Descriptor.open(host: "/dev/null"), output, error]
        )
    }

    deinit { process.signal(9) }

    var pid: Int32 { process.pid }

    func signal(_ number: Int32) { process.signal(number) }

    /// What the command wrote to its standard error so far.
    var errorSoFar: String { String(decoding: (try? Self.content(error)) ?? [], as: UTF8.self) }

    /// Waits until the standard error holds a text.
    func waitForError(_ text: String) async throws {
        let deadline = ContinuousClock.now + Self.timeLimit
        while !errorSoFar.contains(text) {
            try #require(.now < deadline, "nothing but this was written: \(errorSoFar)")
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits for the end; kills the command when it takes longer than it may.
    ///
    /// To be called once.
    func result() async throws -> CommandResult {
        let watch = Task { [process, limit] in
            try await Task.sleep(for: limit)
            process.signal(9)
        }
        defer { watch.cancel() }
        let exit = try await blocking { [process] in try process.wait() }
        return CommandResult(
            exit: exit,
            output: try Self.content(output),
            error: String(decoding: try Self.content(error), as: UTF8.self)
        )
    }

    private static func content(_ file: Descriptor) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(clamping: try file.status().size))
        var count = 0
        while count < bytes.count {
            let more = try unsafe bytes.withUnsafeMutableBytes { buffer in
                try unsafe file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]),
                    at: Int64(count)
                )
            }
            if more == 0 { break }
            count += more
        }
        return Array(bytes[..<count])
    }
}

/// Runs a program of the machine to its end and expects success.
@discardableResult
func runTool(
    _ program: String,
    _ arguments: String...,
    at location: SourceLocation = #_sourceLocation
) async throws -> CommandResult {
    let result = try await Command(program, arguments).result()
    try #require(
        result.status == 0,
        "\(program) \(arguments.joined(separator: " ")) failed: \(result.error)",
        sourceLocation: location
    )
    return result
}
