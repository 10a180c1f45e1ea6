// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import FoundationEssentials
internal import OCI

/// A public ed25519 key that releases are trusted by: `ed25519:` and its 32 bytes in base64.
package struct TrustedKey: Sendable, Hashable, CustomStringConvertible {
    private let bytes: [UInt8]
    private static let prefix = "ed25519:"
    /// What precedes the key in the DER of a public key.
    ///
    /// Source: RFC 8410, section 4.
    private static let derPrefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]

    init(_ key: Curve25519.Signing.PublicKey) { bytes = Array(key.rawRepresentation) }

    /// Reads `ed25519:…`, or a PEM block `PUBLIC KEY` as `openssl pkey -pubout` prints it.
    ///
    /// - Throws: `badSignature`.
    package init(parsing text: String) throws(FrontendStoreError) {
        let trimmed = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let raw: [UInt8]?
        if trimmed.hasPrefix(Self.prefix) {
            raw = Data(base64Encoded: String(trimmed.dropFirst(Self.prefix.count))).map(Array.init)
        } else {
            raw = pemBody(text, "PUBLIC KEY").flatMap { der in
                der.starts(with: Self.derPrefix) ? Array(der.dropFirst(Self.derPrefix.count)) : nil
            }
        }
        guard let raw, raw.count == 32, (try? Curve25519.Signing.PublicKey(rawRepresentation: raw)) != nil else {
            throw FrontendStoreError(
                .badSignature,
                "cannot read the key \"\(shown(trimmed))\": expected ed25519: and 32 bytes in base64, or a PEM file of an ed25519 public key"
            )
        }
        bytes = raw
    }

    /// A short name of the key: 16 hexadecimal digits.
    package var id: String { String(Digest.of(bytes).hex.prefix(16)) }

    package var description: String { Self.prefix + Data(bytes).base64EncodedString() }

    func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else { return false }
        return key.isValidSignature(Data(signature), for: Data(message))
    }
}

/// A private ed25519 key.
package struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey
    /// What precedes the key in the DER of a private key.
    ///
    /// Source: RFC 8410, section 7.
    private static let derPrefix: [UInt8] = [
        0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    ]

    /// Reads the PEM block `PRIVATE KEY` that `openssl genpkey -algorithm ed25519` prints.
    ///
    /// - Throws: `badSignature`; the text is never shown.
    package init(pem text: String) throws(FrontendStoreError) {
        guard let der = pemBody(text, "PRIVATE KEY"), der.starts(with: Self.derPrefix),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: der.dropFirst(Self.derPrefix.count))
        else {
            throw FrontendStoreError(
                .badSignature,
                "cannot read the signing key: it is no ed25519 key in PEM; make one with openssl genpkey -algorithm ed25519"
            )
        }
        self.key = key
    }

    package var publicKey: TrustedKey { TrustedKey(key.publicKey) }

    func sign(_ message: [UInt8]) throws(FrontendStoreError) -> [UInt8] {
        do {
            return Array(try key.signature(for: Data(message)))
        } catch {
            throw FrontendStoreError(.failed, "cannot sign: \(error)", cause: error)
        }
    }
}

/// The bytes of the first PEM block of a kind.
///
/// Source: RFC 7468.
private func pemBody(_ text: String, _ label: String) -> [UInt8]? {
    let lines = text.split(whereSeparator: \.isNewline).map { $0.filter { !$0.isWhitespace || $0 == " " } }
    guard let begin = lines.firstIndex(of: "-----BEGIN \(label)-----"),
        let end = lines[begin...].firstIndex(of: "-----END \(label)-----")
    else { return nil }
    return Data(base64Encoded: lines[(begin + 1)..<end].joined()).map(Array.init)
}
