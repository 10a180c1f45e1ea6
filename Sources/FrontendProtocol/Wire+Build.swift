// SPDX-License-Identifier: Apache-2.0

package import OCI

extension Wire {
    /// A named input of a build: a tree the frontend may read, and the definition that makes it.
    package struct Input: WireRepresentable {
        /// `nil`: an empty tree.
        package var ref: String?
        /// The definition to build upon, where the engine knows one.
        package var definition: Definition?

        package init(ref: String?, definition: Definition? = nil) {
            self.ref = ref
            self.definition = definition
        }

        package init(members: MemberReader) throws(MemberError) {
            ref = try members.nullableString("ref")
            if members.object["definition"] != nil {
                definition = try Definition(members, "definition")
            }
        }

        package var members: WireObject {
            var members: WireObject = ["ref": ref.map { .string($0) } ?? .null]
            members["definition"] = definition?.value
            return members
        }
    }

    /// The work: everything a frontend is told stands here, nothing in its environment.
    package struct Build: WireRequest {
        package static let method = Method.build

        /// The build file's name, for messages.
        package var fileName: String
        /// The build file.
        package var fileContent: [UInt8]
        /// Options as BuildKit's frontends know them, such as `target` and `build-arg:NAME`.
        package var options: [String: String]
        /// Named trees beside the local sources.
        package var inputs: [String: Input]
        /// The platform of the machine that runs the steps.
        package var workerPlatforms: [Platform]
        /// What the build file's directive said after its first space, or the whole directive; may be empty.
        package var commandLine: String?
        /// How long the engine waits for the answer, in milliseconds.
        package var deadlineMilliseconds: Int64?

        package init(
            fileName: String,
            fileContent: [UInt8],
            options: [String: String],
            inputs: [String: Input] = [:],
            workerPlatforms: [Platform],
            commandLine: String? = nil,
            deadlineMilliseconds: Int64? = nil
        ) {
            self.fileName = fileName
            self.fileContent = fileContent
            self.options = options
            self.inputs = inputs
            self.workerPlatforms = workerPlatforms
            self.commandLine = commandLine
            self.deadlineMilliseconds = deadlineMilliseconds
        }

        package init(members: MemberReader) throws(MemberError) {
            let file = try members.reader("buildFile")
            fileName = try file.string("name")
            fileContent = try file.bytes("content")
            options = try members.stringMap("options")
            inputs = try members.inputs()
            workerPlatforms = []
            for reader in try members.objects("workerPlatforms") {
                workerPlatforms.append(try Platform(members: reader))
            }
            commandLine = try members.optionalString("commandLine")
            deadlineMilliseconds = try members.optionalInteger("deadlineMs")
        }

        package var members: WireObject {
            var members: WireObject = [
                "buildFile": ["name": .string(fileName), "content": .bytes(fileContent)],
                "options": .object(WireObject(sorted: options)),
                "inputs": .object(WireObject(sorted: inputs.mapValues { .object($0.members) })),
                "workerPlatforms": .array(workerPlatforms.map { .object($0.members) }),
            ]
            members["commandLine"] = commandLine.map { .string($0) }
            members["deadlineMs"] = deadlineMilliseconds.map { .wide($0) }
            return members
        }

        /// What came out.
        package struct Answer: WireRepresentable {
            /// One image or tree for each platform, in the order an index lists them.
            package var results: [BuiltPlatform]
            /// Whether the image is to be an index, even of one platform.
            package var isIndex: Bool
            /// Values about the whole result, such as annotations or a subrequest's answer.
            package var metadata: [String: [UInt8]]

            package init(
                results: [BuiltPlatform],
                isIndex: Bool,
                metadata: [String: [UInt8]] = [:]
            ) {
                self.results = results
                self.isIndex = isIndex
                self.metadata = metadata
            }

            package init(members: MemberReader) throws(MemberError) {
                results = []
                for reader in try members.objects("refs") {
                    results.append(try BuiltPlatform(members: reader))
                }
                isIndex = try members.optionalBool("index") ?? (results.count > 1)
                metadata = try members.byteMap("metadata")
            }

            package var members: WireObject {
                [
                    "refs": .array(results.map { .object($0.members) }),
                    "index": .bool(isIndex),
                    "metadata": .object(WireObject(sorted: metadata.mapValues { .bytes($0) })),
                ]
            }
        }
    }

    /// One platform's part of a result.
    package struct BuiltPlatform: WireRepresentable {
        /// The name that options and metadata use, as `linux/arm64`; unique in a result.
        package var id: String
        /// `nil`: the result does not depend on a platform.
        package var platform: Platform?
        /// `nil`: the empty tree.
        package var ref: String?
        /// The image config, JSON by the OCI image specification.
        package var config: [UInt8]?
        package var metadata: [String: [UInt8]]

        package init(
            id: String,
            platform: Platform?,
            ref: String?,
            config: [UInt8]? = nil,
            metadata: [String: [UInt8]] = [:]
        ) {
            self.id = id
            self.platform = platform
            self.ref = ref
            self.config = config
            self.metadata = metadata
        }

        package init(members: MemberReader) throws(MemberError) {
            id = try members.string("id")
            if let reader = try members.optionalObject("platform") {
                platform = try Platform(members: reader)
            }
            ref = try members.nullableString("ref")
            config = try members.optionalBytes("config")
            metadata = try members.byteMap("metadata")
        }

        package var members: WireObject {
            var members: WireObject = [
                "id": .string(id),
                "ref": ref.map { .string($0) } ?? .null,
                "metadata": .object(WireObject(sorted: metadata.mapValues { .bytes($0) })),
            ]
            members["platform"] = platform.map { .object($0.members) }
            members["config"] = config.map { .bytes($0) }
            return members
        }
    }
}

extension MemberReader {
    /// The member `inputs`; empty when it is missing.
    func inputs() throws(MemberError) -> [String: Wire.Input] {
        var inputs: [String: Wire.Input] = [:]
        guard let reader = try optionalObject("inputs") else { return inputs }
        for member in reader.object.members {
            inputs[member.name] = try Wire.Input(members: reader.reader(member.name))
        }
        return inputs
    }
}

extension Platform: WireRepresentable {
    package init(members: MemberReader) throws(MemberError) {
        self.init(
            os: try members.string("os"),
            architecture: try members.string("architecture"),
            variant: try members.optionalString("variant"),
            osVersion: try members.optionalString("os.version"),
            osFeatures: try members.optionalStrings("os.features")
        )
    }

    package var members: WireObject {
        var members: WireObject = [
            "os": .string(os), "architecture": .string(architecture),
        ]
        members["variant"] = variant.map { .string($0) }
        members["os.version"] = osVersion.map { .string($0) }
        members["os.features"] = osFeatures.map { .array($0.map { .string($0) }) }
        return members
    }
}
