// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The environment of this process.
enum Environment {
    /// The value of a variable, or `nil` when it is not set.
    static func value(of name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
