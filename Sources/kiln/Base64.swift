// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials

/// The text that base64 stands for, or `nil` when it is none.
func decodeBase64(_ text: String) -> String? {
    Data(base64Encoded: text).flatMap { String(bytes: $0, encoding: .utf8) }
}

/// Bytes in base64.
func encodeBase64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
