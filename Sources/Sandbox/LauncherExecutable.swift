// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Glibc
internal import LinuxSystem
internal import SystemPackage

/// `kiln-sandbox`, held in a sealed memory file: a process that escapes into the launcher's file through `/proc` can
/// neither change it nor find it on disk (CVE-2019-5736).
struct LauncherExecutable: Sendable {
    private static let name = "kiln-sandbox"
    private static let byteLimit = 64 << 20
    private static let answerByteLimit = 1 << 20

    let file: Descriptor
    /// SHA-256 of the program, in hexadecimal: it covers the filter rules and the libseccomp linked into it.
    let digest: String

    /// - Parameter path: The program; `nil` takes `KILN_SANDBOX`, else the one beside the running program.
    init(path: FilePath?) throws(SandboxError) {
        let path = path ?? Self.standardPath
        do {
            let program = try Descriptor.open(host: path).readToEnd(byteLimit: Self.byteLimit)
            file = try Descriptor.memory(Self.name, sealable: true)
            try file.write(program)
            try file.seal()
            digest = SHA256.hash(data: program).map { byte in
                let text = String(byte, radix: 16)
                return byte < 16 ? "0" + text : text
            }.joined()
        } catch {
            throw SandboxError(
                .unavailable,
                "cannot use the sandbox launcher \(path): \(error.errno.description.lowercased()); set KILN_SANDBOX to "
                    + "the path of \(Self.name)",
                cause: error
            )
        }
    }

    /// `KILN_SANDBOX`, else the file beside the running program.
    static var standardPath: FilePath {
        if let variable = unsafe getenv("KILN_SANDBOX") {
            return FilePath(unsafe String(cString: variable))
        }
        return runningProgram.removingLastComponent().appending(name)
    }

    static var runningProgram: FilePath {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let path = buffer[0..<max(0, count)].map { UInt8(bitPattern: $0) }
        return FilePath(String(decoding: path, as: UTF8.self))
    }

    /// Runs the launcher for an answer on its standard output.
    ///
    /// Blocks.
    ///
    /// - Parameter descriptors: Become the numbers 3, 4, … of the launcher.
    /// - Returns: What it wrote, or `nil` when it did not end with status 0.
    func answer(
        to arguments: [String],
        descriptors: [Descriptor] = []
    ) throws(SystemCallError) -> [UInt8]? {
        let (process, output) = try start(arguments, descriptors: descriptors)
        let bytes = try output.readToEnd(byteLimit: Self.answerByteLimit)
        return try process.wait() == .exited(0) ? bytes : nil
    }

    /// A function of its own, so that the writing end of the pipe is gone when the reading begins.
    private func start(
        _ arguments: [String],
        descriptors: [Descriptor]
    ) throws(SystemCallError) -> (ChildProcess, Descriptor) {
        let (read, write) = try Descriptor.pipe()
        let process = try ChildProcess(
            .open(file),
            arguments: [Self.name] + arguments,
            descriptors: [nil, write, nil] + descriptors
        )
        return (process, read)
    }
}
