// SPDX-License-Identifier: Apache-2.0

extension Wire {
    /// A program's name and version, for messages; using it for logic is an error.
    package struct Program: WireRepresentable {
        package var name: String
        package var version: String

        package init(name: String, version: String) {
            self.name = name
            self.version = version
        }

        package init(members: MemberReader) throws(MemberError) {
            name = try members.string("name")
            version = try members.string("version")
        }

        package var members: WireObject {
            ["name": .string(name), "version": .string(version)]
        }
    }

    /// The first request of a session, from the engine.
    package struct Initialize: WireRequest {
        package static let method = Method.initialize

        /// The newest minor of each major the engine speaks.
        package var versions: [ProtocolVersion]
        package var engine: Program
        package var capabilities: [EngineCapability]
        /// Which operations and attributes of LLB the engine knows, by BuildKit's names (`source.image`, …).
        package var llbCapabilities: [String]
        package var limits: ProtocolLimits

        package init(
            versions: [ProtocolVersion] = ProtocolVersion.spoken,
            engine: Program,
            capabilities: [EngineCapability],
            llbCapabilities: [String] = [],
            limits: ProtocolLimits
        ) {
            self.versions = versions
            self.engine = engine
            self.capabilities = capabilities
            self.llbCapabilities = llbCapabilities
            self.limits = limits
        }

        package init(members: MemberReader) throws(MemberError) {
            // Versions of a later grammar are none we could choose.
            versions = try members.strings("protocol").compactMap { ProtocolVersion($0) }
            engine = try Program(members: members.reader("engine"))
            capabilities = try members.strings("capabilities").map {
                EngineCapability(rawValue: $0)
            }
            llbCapabilities = try members.optionalStrings("llb") ?? []
            limits = try ProtocolLimits(members: members.reader("limits"))
        }

        package var members: WireObject {
            [
                "protocol": .array(versions.map { .string($0.description) }),
                "engine": .object(engine.members),
                "capabilities": .array(capabilities.map { .string($0.rawValue) }),
                "llb": .array(llbCapabilities.map { .string($0) }),
                "limits": .object(limits.members),
            ]
        }

        /// What the frontend says about itself.
        package struct Answer: WireRepresentable {
            /// The version the session runs at, one of what was offered.
            package var version: ProtocolVersion
            package var frontend: Program
            /// Methods beyond `build` that the frontend answers.
            package var provides: [String]

            package init(version: ProtocolVersion, frontend: Program, provides: [String] = []) {
                self.version = version
                self.frontend = frontend
                self.provides = provides
            }

            package init(members: MemberReader) throws(MemberError) {
                let text = try members.string("protocol")
                guard let version = ProtocolVersion(text) else {
                    throw members.invalid("protocol", "is \"\(text.prefix(80))\", expected \"1.0\"")
                }
                self.version = version
                frontend = try Program(members: members.reader("frontend"))
                provides = try members.optionalStrings("provides") ?? []
            }

            package var members: WireObject {
                [
                    "protocol": .string(version.description),
                    "frontend": .object(frontend.members),
                    "provides": .array(provides.map { .string($0) }),
                ]
            }
        }
    }
}

extension ProtocolLimits: WireRepresentable {
    package init(members: MemberReader) throws(MemberError) {
        func limit(_ name: String) throws(MemberError) -> Int {
            guard let value = Int(exactly: try members.integer(name)), value > 0 else {
                throw members.invalid(name, "is not positive")
            }
            return value
        }
        self.init(
            frameBytes: try limit("frame"),
            messageBytes: try limit("message"),
            blobBytes: try limit("blob"),
            inFlight: try limit("inFlight"),
            refs: try limit("refs")
        )
    }

    package var members: WireObject {
        [
            "frame": .integer(Int64(frameBytes)), "message": .integer(Int64(messageBytes)),
            "blob": .integer(Int64(blobBytes)), "inFlight": .integer(Int64(inFlight)),
            "refs": .integer(Int64(refs)),
        ]
    }
}
