// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import Glibc
internal import LLB
internal import LinuxSystem

/// An error whose text is for the user as it stands.
protocol ReportableError: Error {
    var fault: Fault { get }
}

/// The command line was right in form but cannot be carried out.
struct UsageError: ReportableError, CustomStringConvertible {
    let description: String
    var fault: Fault { .input }

    init(_ description: String) { self.description = description }
}

/// How the process ends: who can act picks the number.
///
/// 0 success · 1 the build file, an option or a step is wrong · 70 a defect of Kiln · 75 the machine, network or
/// registry failed · 130 interrupted.
struct ExitStatus: Error {
    let code: Int32

    static let interrupted = ExitStatus(code: 130)

    /// Prints an error and gives the status that says whose fault it is.
    static func report(_ error: any Error) -> ExitStatus {
        // A definition that is refused is always somebody's input.
        let fault =
            error is LLBError
            ? .input : (error as? any FaultClassified)?.fault ?? (error as? any ReportableError)?.fault
        writeError("kiln: \(error)\n")
        return switch fault {
        case .input: ExitStatus(code: 1)
        case .environment: ExitStatus(code: 75)
        case .defect, nil: ExitStatus(code: 70)
        }
    }

    func exit() -> Never { Glibc.exit(code) }
}

/// Writes text to the standard error, all of it.
func writeError(_ text: String) { write(text, to: 2) }

/// Writes text to the standard output, all of it.
func writeOutput(_ text: String) { write(text, to: 1) }

/// Writes bytes to the standard output, all of them.
func writeOutput(bytes: [UInt8]) { write(bytes, to: 1) }

private func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

private func write(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes {
            unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
        }
        if count < 0 && errno == EINTR { continue }
        // Nobody reads any more: there is nobody to tell.
        if count <= 0 { return }
        rest = rest.dropFirst(count)
    }
}
