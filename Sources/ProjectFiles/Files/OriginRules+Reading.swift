// SPDX-License-Identifier: Apache-2.0

extension OriginRules {
    /// Reads the rules of a user's own configuration, `$XDG_CONFIG_HOME/kiln/config.toml`: `version = 1`, `[[mirror]]` and
    /// `[trust."…"]`, as in `kiln.toml`.
    ///
    /// - Parameter file: What messages call it.
    /// - Throws: `toml`, `content` or `limit`, with line and column.
    package init(toml bytes: [UInt8], file: String) throws(ProjectError) {
        var reader = try ConfigReader(toml: bytes, file: file)
        try reader.version()
        self = try reader.originRules()
        try reader.finish()
    }
}
