// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem

/// `kiln-sandbox`, held so that a process that gets at its file through `/proc` cannot change it (CVE-2019-5736): by a
/// read-only mount, or in a sealed memory file where mounts cannot be made.
struct LauncherExecutable: Sendable {
    private static let name = "kiln-sandbox"
    private static let answerByteLimit = 1 << 20

    let file: Descriptor
    /// ``LauncherFile/identity``: a launcher with other filter rules or another libseccomp has another one.
    let identity: String

    init(_ launcher: LauncherFile) throws(SandboxError) {
        identity = launcher.identity
        do {
            if let mounted = try? launcher.file.readOnlyMount() {
                file = mounted
            } else {
                file = try Descriptor.memory(Self.name, sealable: true)
                try file.copy(from: launcher.file)
                try file.seal()
            }
        } catch {
            throw LauncherFile.unusable(launcher.path, error)
        }
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
