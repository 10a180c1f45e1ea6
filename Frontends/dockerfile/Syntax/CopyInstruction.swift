// SPDX-License-Identifier: Apache-2.0

/// The sources and destination of COPY or ADD.
package struct CopySources: Sendable, Hashable {
    /// A file whose content stands in the Dockerfile.
    package struct InlineFile: Sendable, Hashable {
        /// The heredoc's name, which is the file's name in a destination directory.
        package var name: String
        /// Leading tabs are stripped already if the heredoc said so.
        package var content: [UInt8]
        /// Whether variables in the content are to be expanded.
        package var isExpanded: Bool
    }

    package var paths: [String]
    package var inlineFiles: [InlineFile]
    package var destination: String

    package init(paths: [String], inlineFiles: [InlineFile] = [], destination: String) {
        self.paths = paths
        self.inlineFiles = inlineFiles
        self.destination = destination
    }
}

package struct CopyInstruction: Sendable, Hashable {
    package var sources: CopySources
    /// Stage, index, named context or image; empty means the build context.
    package var from = ""
    package var owner = ""
    package var mode = ""
    package var link = false
    package var parents = false
    package var excludes: [String] = []

    package init(sources: CopySources) { self.sources = sources }
}

package struct AddInstruction: Sendable, Hashable {
    package var sources: CopySources
    package var owner = ""
    package var mode = ""
    package var link = false
    /// nil when the flag is not given.
    package var keepsGitDirectory: Bool?
    package var checksum = ""
    /// nil when the flag is not given: archives of the context are unpacked, downloads are not.
    package var unpacks: Bool?
    package var excludes: [String] = []

    package init(sources: CopySources) { self.sources = sources }
}
