// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// How many descriptors this process may have open (`RLIMIT_NOFILE`, getrlimit(2)).
///
/// The usual soft limit, 1024, exists for `select`; a build over hundreds of layers holds more. What this process starts
/// must not inherit a raised limit: programs loop over all numbers below it.
package enum OpenFileLimit {
    /// A limit in descriptors; `UInt64.max` is none.
    package struct Value: Sendable, Hashable {
        package let soft: UInt64
        package let hard: UInt64
    }

    /// What was in force when the process first asked.
    package static let inherited: Value = current

    /// Raises the soft limit to the hard one, at most to `ceiling`; what cannot be raised stays.
    package static func raise(ceiling: UInt64 = 1 << 19) {
        let before = inherited
        let wanted = min(before.hard, ceiling)
        guard wanted > before.soft else { return }
        var limit = rlimit(rlim_cur: rlim_t(wanted), rlim_max: rlim_t(before.hard))
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static var current: Value {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return Value(soft: 1024, hard: 1024)
        }
        return Value(soft: UInt64(limit.rlim_cur), hard: UInt64(limit.rlim_max))
    }
}
