// SPDX-License-Identifier: Apache-2.0

/// How a stream is compressed.
package enum Compression: Sendable, Hashable {
    case none
    /// Level 1…9; `nil` = 6.
    case gzip(level: Int?)
    /// Level 1…22; `nil` = 3.
    case zstd(level: Int?)
}
