// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
package import OCI
package import Snapshots
package import SystemPackage

/// What a build gave for one platform.
package struct PlatformResult: Sendable {
    package var platform: Platform
    /// The platform as the frontend named it (`refs.platforms`), the key of its metadata and the
    /// name of its directory.
    package var id: String
    package var tree: FileTree
    /// The image config the frontend gave; `nil` for the default of the platform.
    package var config: [UInt8]?
    /// The config of the base image, whose times are kept under SOURCE_DATE_EPOCH.
    package var baseConfig: [UInt8]?
    /// What is known of the layers this build made; fills what the config's history leaves open.
    package var layerNotes: [LayerID: LayerNote] = [:]

    package init(platform: Platform, id: String? = nil, tree: FileTree, config: [UInt8]? = nil) {
        self.platform = platform
        self.id = id ?? platform.identifier
        self.tree = tree
        self.config = config
    }
}

/// How a layer came to be.
package struct LayerNote: Sendable, Hashable {
    /// When it was made; without it the time of the layer's blob stands in.
    package var created: Timestamp?
    /// The name of the step that made it.
    package var description: String

    package init(created: Timestamp? = nil, description: String) {
        self.created = created
        self.description = description
    }
}

/// One output of a build.
package struct ExportRequest: Sendable {
    /// Where bytes go.
    package enum Destination: Sendable {
        /// A file or directory of the client; a file appears whole or not at all.
        case path(FilePath)
        /// An open file or pipe, written from its current offset; not closed.
        case stream(LinuxSystem.Descriptor)
    }

    /// `image`, `oci`, `docker`, `tar`, `local` or `cacheonly`.
    package var type: String
    /// Attributes by BuildKit's names.
    package var attributes: [String: String]
    package var destination: Destination?
    package var results: [PlatformResult]
    /// Whether the frontend gave its result as a map of platforms: an index is written even for one
    /// platform.
    package var isMultiPlatform: Bool
    /// The frontend's metadata: annotations, `image.name`, `source.date.epoch[/<platform id>]`.
    package var metadata: [String: [UInt8]]

    package init(
        type: String,
        attributes: [String: String] = [:],
        destination: Destination? = nil,
        results: [PlatformResult],
        isMultiPlatform: Bool = false,
        metadata: [String: [UInt8]] = [:]
    ) {
        self.type = type
        self.attributes = attributes
        self.destination = destination
        self.results = results
        self.isMultiPlatform = isMultiPlatform
        self.metadata = metadata
    }
}

/// What an exporter tells its caller.
package struct ExportResponse: Sendable {
    /// Facts by BuildKit's keys: `containerimage.digest`, `containerimage.config.digest`,
    /// `containerimage.descriptor`, `image.name`.
    package var values: [String: String] = [:]
    /// The manifest or index that was made, for `oci`, `docker` and `image`.
    package var root: OCI.Descriptor?
    /// All blobs of that image in the content store, so that a lease can hold them.
    package var blobs: [Digest] = []

    package init() {}
}

/// What an export is at, for a progress display.
package enum ExportProgress: Sendable, Hashable {
    /// A part of the work begins; `name` as BuildKit words it ("exporting layers", "exporting
    /// manifest sha256:…").
    case began(String)
    /// The part ended.
    case ended(String)
}
