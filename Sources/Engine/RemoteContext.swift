// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LLB
internal import OCI

/// A build context that is not on this machine, as far as the engine looks into it: for the build file, which says what
/// frontend reads all else.
struct RemoteContext {
    /// As the user wrote it.
    let address: String

    /// The tree the context is, before it is known what a file of the web holds.
    private enum Kind {
        case repository(State)
        /// The file stands at ``fileName``.
        case file(State)
    }

    private static let fileName = "context"
    private static let archiveMarks: [[UInt8]] = [
        [0x42, 0x5A, 0x68], [0x1F, 0x8B, 0x08], [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], [0x28, 0xB5, 0x2F, 0xFD],
    ]
    /// Largest build file, in bytes.
    private static let buildFileByteLimit = 16 << 20

    /// Reads the build file.
    ///
    /// An address that leads to a file which is no archive is the build file itself.
    ///
    /// - Parameter name: Where it stands in the context.
    func buildFile(_ name: String, _ bridge: BuildBridge) async throws -> [UInt8] {
        switch try kind {
        case .repository(let state): return try await read(name, of: state, bridge)
        case .file(let state):
            let head = try await read(Self.fileName, of: state, bridge)
            guard Self.isArchive(head) else { return head }
            var options = LLB.CopyOptions()
            options.attemptsUnpack = true
            var actions = FileActions()
            actions.copy(from: state, "/" + Self.fileName, to: "/", options: options)
            return try await read(name, of: State.scratch.file(actions), bridge)
        }
    }

    private var kind: Kind {
        get throws {
            guard let location = try? GitLocation(parsing: address),
                !location.scheme.hasPrefix("http") || location.path.hasSuffix(".git")
            else {
                let constraints = Constraints(name: "[internal] load remote build context")
                return .file(
                    .http(address, options: State.HTTPOptions(filename: Self.fileName), constraints: constraints)
                )
            }
            var options = State.GitOptions(reference: location.reference, subdirectory: location.subdirectory)
            for item in location.query {
                switch item.name {
                case "ref": options.reference = item.value
                case "tag": options.reference = "refs/tags/" + item.value.trimming("refs/tags/")
                case "branch": options.reference = "refs/heads/" + item.value.trimming("refs/heads/")
                case "subdir": options.subdirectory = item.value
                case "checksum", "commit": options.checksum = item.value
                case "submodules": options.skipsSubmodules = ["0", "f", "false"].contains(item.value.lowercased())
                case "keep-git-dir": options.keepsGitDirectory = !["0", "f", "false"].contains(item.value.lowercased())
                // What else there may be the frontend reads, and judges.
                default: continue
                }
            }
            let constraints = Constraints(name: "[internal] load git source " + address)
            return .repository(.git(location.remote, options: options, constraints: constraints))
        }
    }

    private func read(_ path: String, of state: State, _ bridge: BuildBridge) async throws -> [UInt8] {
        let ref = try await bridge.solve(try state.definition(), evaluate: false)
        let answer = try await bridge.readFile(ref, path: path, offset: 0, length: Self.buildFileByteLimit)
        return answer.data
    }

    private static func isArchive(_ head: [UInt8]) -> Bool {
        if archiveMarks.contains(where: head.starts) { return true }
        guard head.count >= 512 else { return false }
        // A tar header's checksum counts its own eight bytes as blanks.
        let sum = head.prefix(512).enumerated().reduce(0) { total, byte in
            total + ((148..<156).contains(byte.offset) ? 32 : Int(byte.element))
        }
        let digits = head[148..<156].filter { (0x30...0x37).contains($0) }
        return Int(String(decoding: digits, as: UTF8.self), radix: 8) == sum
    }
}

extension String {
    fileprivate func trimming(_ prefix: String) -> Substring { hasPrefix(prefix) ? dropFirst(prefix.count) : self[...] }
}
