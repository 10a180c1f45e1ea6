// SPDX-License-Identifier: Apache-2.0

internal import CLinux

/// Columns and rows of the terminal behind a descriptor, or `nil` when it is none or tells no size.
package func terminalSize(of descriptor: Int32) -> (columns: UInt16, rows: UInt16)? {
    var columns: UInt16 = 0
    var rows: UInt16 = 0
    guard unsafe cl_ioctl_winsize(descriptor, &columns, &rows) >= 0, columns > 0, rows > 0 else {
        return nil
    }
    return (columns, rows)
}
