// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import Crypto
internal import LinuxSystem
internal import OCI

extension HTTPSource {
    /// Holds a body of the store against the checksum a build names.
    ///
    /// - Throws: `digestMismatch`, with the digest that was found.
    func verify(
        _ body: OCI.Digest,
        against checksum: HTTPFileRequest.Checksum,
        _ request: HTTPFileRequest
    ) async throws {
        let found =
            switch checksum.algorithm {
            case .sha256: body.hex
            case .sha384: try await hash(body, SHA384.self)
            case .sha512: try await hash(body, SHA512.self)
            }
        guard found == checksum.hex else {
            throw SourcesError(
                .digestMismatch,
                "cannot use \(request.url): its digest is \(checksum.algorithm.rawValue):\(found), expected \(checksum)",
                cause: OtherBody(found: "\(checksum.algorithm.rawValue):\(found)", expected: checksum.description)
            )
        }
    }

    private func hash<Function: HashFunction>(_ body: OCI.Digest, _ function: Function.Type) async throws -> String {
        try await blocking { [content] in
            let file = try content.open(body)
            var hasher = Function()
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
                if count == 0 { break }
                unsafe buffer.withUnsafeBytes { unsafe hasher.update(bufferPointer: .init(rebasing: $0[..<count])) }
            }
            return hasher.finalize().map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        }
    }
}

/// A body that is not the one of a checksum; behind a `digestMismatch`.
package struct OtherBody: Error {
    package let found: String
    package let expected: String
}
