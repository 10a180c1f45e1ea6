// SPDX-License-Identifier: Apache-2.0

package struct RunInstruction: Sendable, Hashable {
    package enum Network: String, Sendable, Hashable, CaseIterable {
        case `default`, none, host
    }

    package enum Security: String, Sendable, Hashable, CaseIterable {
        case sandbox, insecure
    }

    package var command: CommandLine
    /// The values of `--mount`, not expanded; ``mounts(expanding:)`` reads them.
    package var mountFlags: [Word] = []
    /// The `from` of each mount, in the same order, empty for those without: known before any
    /// expansion.
    package var mountOrigins: [String] = []
    /// Whether variables in ``mountOrigins`` are replaced already, so that they hold in place of what the flags say.
    package var hasExpandedOrigins = false
    package var network = Network.default
    package var security = Security.sandbox
    package var devices: [Device] = []
    /// Names of the flags that were given, sorted.
    package var usedFlags: [String] = []

    package init(command: CommandLine) { self.command = command }

    /// The mounts, with variables in their values replaced.
    ///
    /// - Throws: `badMount` at the flag, or what `expand` throws.
    package func mounts(
        expanding expand: (String) throws(DockerfileError) -> String
    ) throws(DockerfileError) -> [Mount] {
        var mounts: [Mount] = []
        for (index, flag) in mountFlags.enumerated() {
            do {
                let origin = hasExpandedOrigins && index < mountOrigins.count ? mountOrigins[index] : nil
                mounts.append(try Mount(parsing: flag.text, origin: origin, expanding: expand))
            } catch {
                throw error.located(range: flag.range, lines: nil)
            }
        }
        return mounts
    }
}

/// A device of the Container Device Interface that a step may use.
package struct Device: Sendable, Hashable {
    package var name: String
    package var isRequired: Bool

    package init(name: String, isRequired: Bool) {
        self.name = name
        self.isRequired = isRequired
    }
}

/// One `--mount` of RUN.
package struct Mount: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case bind, cache, tmpfs, secret, ssh
    }

    package enum Sharing: String, Sendable, Hashable, CaseIterable {
        case shared, `private`, locked
    }

    package var kind = Kind.bind
    /// Stage, named context or image; empty means the build context, or an empty directory for a
    /// cache.
    package var from = ""
    package var source = ""
    package var target = ""
    package var isReadOnly = true
    /// Bytes of a tmpfs; 0 means no limit.
    package var sizeLimit: Int64 = 0
    /// The `id` of a cache, secret or agent.
    package var id = ""
    /// nil when not given.
    package var sharing: Sharing?
    package var isRequired = false
    /// The variable that shall hold a secret; empty means the default name, nil means none.
    package var environmentName: String?
    package var mode: UInt32?
    package var uid: UInt32?
    package var gid: UInt32?

    package init() {}
}
