// SPDX-License-Identifier: Apache-2.0

/// One frontend's wish to have another one build.
package struct FrontendCall<Ref: Sendable>: Sendable {
    /// The other frontend, as the project calls it.
    package var name: String
    /// A build file for it; `nil` is the caller's own.
    package var file: (name: String, content: [UInt8])?
    package var options: [String: String]
    /// Trees of the caller.
    package var inputs: [String: FrontendBuildRequest<Ref>.Input]

    package init(
        name: String,
        file: (name: String, content: [UInt8])?,
        options: [String: String],
        inputs: [String: FrontendBuildRequest<Ref>.Input]
    ) {
        self.name = name
        self.file = file
        self.options = options
        self.inputs = inputs
    }
}
