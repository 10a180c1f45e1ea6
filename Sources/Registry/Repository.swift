// SPDX-License-Identifier: Apache-2.0

/// A named place in a registry that holds the manifests and blobs of an image.
package struct Repository: Hashable, Sendable, CustomStringConvertible {
    /// The registry as references name it, `docker.io` or `host:port`.
    package let host: String
    /// The name within the registry, as `library/busybox`.
    package let path: String

    package init(host: String, path: String) {
        self.host = host
        self.path = path
    }

    package var description: String { "\(host)/\(path)" }
}
