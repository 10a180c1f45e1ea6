// SPDX-License-Identifier: Apache-2.0

/// An operating system and a processor, as `linux/arm64/v8`.
public struct Platform: Codable, Hashable, Sendable {
    /// As Go names it: `amd64`, `arm64`.
    public var architecture: String
    /// As Go names it: `linux`, `windows`.
    public var os: String
    /// Of the architecture: `v8`; `nil` for the plain one.
    public var variant: String?
    /// Windows only: release and build.
    public var osVersion: String?
    /// Windows only: features the image needs.
    public var osFeatures: [String]?

    enum CodingKeys: String, CodingKey {
        case architecture, os, variant
        case osVersion = "os.version"
        case osFeatures = "os.features"
    }

    /// Takes the names as they are; ``normalized`` folds them.
    public init(
        os: String,
        architecture: String,
        variant: String? = nil,
        osVersion: String? = nil,
        osFeatures: [String]? = nil
    ) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
        self.osVersion = osVersion
        self.osFeatures = osFeatures
    }
}
