// SPDX-License-Identifier: Apache-2.0

extension ImageConfig {
    /// Reads an image config.
    ///
    /// Members that this type does not know are dropped.
    ///
    /// - Throws: `invalidJSON`, or `invalidImageConfig` with the member that has the wrong shape.
    public init(parsing bytes: [UInt8]) throws(OCIError) {
        let document = ConfigReader(try JSONValue(parsing: bytes), path: "")
        try document.requireObject()
        self.init(
            created: try document.timestamp("created"),
            author: try document.string("author"),
            platform: Platform(
                os: try document.string("os"),
                architecture: try document.string("architecture"),
                variant: try document.optionalString("variant"),
                osVersion: try document.optionalString("os.version"),
                osFeatures: try document.optionalStrings("os.features")
            ),
            rootFS: try RootFS(document.object("rootfs")),
            history: try document.objects("history", HistoryEntry.init),
            config: try ContainerConfig(document.object("config"))
        )
    }

    /// The document, byte for byte what Go's `encoding/json` writes for BuildKit's structure of the same content, so that
    /// equal images have equal identifiers under both.
    public var encoded: [UInt8] { json.encoded }

    /// The document as a value.
    public var json: JSONValue {
        var members = ConfigWriter()
        members.add("created", created)
        members.add("author", author)
        members.members += platform.jsonMembers
        members.members.append(JSONMember("rootfs", rootFS.json))
        if !history.isEmpty {
            members.members.append(JSONMember("history", .array(history.map(\.json))))
        }
        members.members.append(JSONMember("config", config.json))
        return .object(members.members)
    }
}

extension ImageConfig.RootFS {
    fileprivate init(_ value: ConfigReader?) throws(OCIError) {
        guard let value else {
            self.init(type: "")
            return
        }
        var digests: [Digest]?
        if let texts = try value.optionalStrings("diff_ids") {
            digests = []
            for text in texts {
                guard let digest = Digest(text) else {
                    throw value.failure("diff_ids", "\"\(text)\" is no digest")
                }
                digests?.append(digest)
            }
        }
        self.init(type: try value.string("type"), diffIDs: digests)
    }

    fileprivate var json: JSONValue {
        .object([
            JSONMember("type", .string(type)),
            JSONMember("diff_ids", diffIDs.map { .strings($0.map(\.description)) } ?? .null),
        ])
    }
}

extension ImageConfig.HistoryEntry {
    fileprivate init(_ value: ConfigReader) throws(OCIError) {
        self.init(
            created: try value.timestamp("created"),
            createdBy: try value.string("created_by"),
            author: try value.string("author"),
            comment: try value.string("comment"),
            emptyLayer: try value.bool("empty_layer")
        )
    }

    fileprivate var json: JSONValue {
        var members = ConfigWriter()
        members.add("created", created)
        members.add("created_by", createdBy)
        members.add("author", author)
        members.add("comment", comment)
        members.add("empty_layer", emptyLayer)
        return .object(members.members)
    }
}

extension ContainerConfig {
    fileprivate init(_ value: ConfigReader?) throws(OCIError) {
        self.init()
        guard let value else { return }
        user = try value.string("User")
        exposedPorts = try value.keys("ExposedPorts")
        environment = try value.optionalStrings("Env") ?? []
        entrypoint = try value.optionalStrings("Entrypoint") ?? []
        command = try value.optionalStrings("Cmd") ?? []
        volumes = try value.keys("Volumes")
        workingDirectory = try value.string("WorkingDir")
        labels = try value.stringMap("Labels")
        stopSignal = try value.string("StopSignal")
        argsEscaped = try value.bool("ArgsEscaped")
        onBuild = try value.optionalStrings("OnBuild") ?? []
        shell = try value.optionalStrings("Shell") ?? []
        if let check = try value.object("Healthcheck") {
            healthcheck = Healthcheck(
                test: try check.optionalStrings("Test") ?? [],
                interval: try check.integer("Interval"),
                timeout: try check.integer("Timeout"),
                startPeriod: try check.integer("StartPeriod"),
                startInterval: try check.integer("StartInterval"),
                retries: try check.integer("Retries")
            )
        }
    }

    /// The `config` member as a value.
    public var json: JSONValue {
        var members = ConfigWriter()
        members.add("User", user)
        members.add("ExposedPorts", keys: exposedPorts)
        members.add("Env", environment)
        members.add("Entrypoint", entrypoint)
        members.add("Cmd", command)
        members.add("Volumes", keys: volumes)
        members.add("WorkingDir", workingDirectory)
        if !labels.isEmpty { members.members.append(JSONMember("Labels", .map(labels))) }
        members.add("StopSignal", stopSignal)
        members.add("ArgsEscaped", argsEscaped)
        if let healthcheck { members.members.append(JSONMember("Healthcheck", healthcheck.json)) }
        members.add("OnBuild", onBuild)
        members.add("Shell", shell)
        return .object(members.members)
    }
}

extension ContainerConfig.Healthcheck {
    fileprivate var json: JSONValue {
        var members = ConfigWriter()
        members.add("Test", test)
        members.add("Interval", interval)
        members.add("Timeout", timeout)
        members.add("StartPeriod", startPeriod)
        members.add("StartInterval", startInterval)
        members.add("Retries", retries)
        return .object(members.members)
    }
}

/// Collects members, leaving out those that are empty, as Go's `omitempty` does.
private struct ConfigWriter {
    var members: [JSONMember] = []

    mutating func add(_ name: String, _ value: String) {
        if !value.isEmpty { members.append(JSONMember(name, .string(value))) }
    }

    mutating func add(_ name: String, _ value: [String]) {
        if !value.isEmpty { members.append(JSONMember(name, .strings(value))) }
    }

    mutating func add(_ name: String, _ value: Bool) {
        if value { members.append(JSONMember(name, .bool(true))) }
    }

    mutating func add(_ name: String, _ value: Int64) {
        if value != 0 { members.append(JSONMember(name, .integer(value))) }
    }

    mutating func add(_ name: String, _ value: Timestamp?) {
        if let value { members.append(JSONMember(name, .string(value.description))) }
    }

    mutating func add(_ name: String, keys: Set<String>) {
        guard !keys.isEmpty else { return }
        let sorted = keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        members.append(JSONMember(name, .object(sorted.map { JSONMember($0, .object([])) })))
    }
}

/// Reads members of an image config as Go's decoder does: names in any case, `null` as absent, a wrong type refused.
private struct ConfigReader {
    let value: JSONValue
    let path: String

    init(_ value: JSONValue, path: String) {
        self.value = value
        self.path = path
    }

    func failure(_ name: String, _ reason: String) -> OCIError {
        OCIError(
            .invalidImageConfig,
            "cannot read image config: member \"\(path)\(name)\": \(reason)"
        )
    }

    func requireObject() throws(OCIError) {
        guard case .object = value else {
            throw OCIError(.invalidImageConfig, "cannot read image config: it is no JSON object")
        }
    }

    func optionalString(_ name: String) throws(OCIError) -> String? {
        guard let member = value.member(ignoringCase: name) else { return nil }
        guard let text = member.text else { throw failure(name, "expected a string") }
        return text.isEmpty ? nil : text
    }

    func string(_ name: String) throws(OCIError) -> String { try optionalString(name) ?? "" }

    func bool(_ name: String) throws(OCIError) -> Bool {
        guard let member = value.member(ignoringCase: name) else { return false }
        guard let truth = member.truth else { throw failure(name, "expected true or false") }
        return truth
    }

    func integer(_ name: String) throws(OCIError) -> Int64 {
        guard let member = value.member(ignoringCase: name) else { return 0 }
        guard let number = member.integer else { throw failure(name, "expected a whole number") }
        return number
    }

    func timestamp(_ name: String) throws(OCIError) -> Timestamp? {
        guard let text = try optionalString(name) else { return nil }
        return try Timestamp(parsing: text)
    }

    func optionalStrings(_ name: String) throws(OCIError) -> [String]? {
        guard let member = value.member(ignoringCase: name) else { return nil }
        guard let elements = member.elements else {
            throw failure(name, "expected a list of strings")
        }
        var texts: [String] = []
        for element in elements {
            if element == .null {
                texts.append("")
                continue
            }
            guard let text = element.text else { throw failure(name, "expected a list of strings") }
            texts.append(text)
        }
        return texts
    }

    func object(_ name: String) throws(OCIError) -> ConfigReader? {
        guard let member = value.member(ignoringCase: name) else { return nil }
        guard case .object = member else { throw failure(name, "expected an object") }
        return ConfigReader(member, path: path + name + ".")
    }

    func objects<Element>(
        _ name: String,
        _ read: (ConfigReader) throws(OCIError) -> Element
    ) throws(OCIError) -> [Element] {
        guard let member = value.member(ignoringCase: name) else { return [] }
        guard let elements = member.elements else {
            throw failure(name, "expected a list of objects")
        }
        var result: [Element] = []
        for (index, element) in elements.enumerated() {
            guard case .object = element else { throw failure(name, "expected a list of objects") }
            result.append(try read(ConfigReader(element, path: "\(path)\(name)[\(index)].")))
        }
        return result
    }

    func keys(_ name: String) throws(OCIError) -> Set<String> {
        guard let object = try object(name) else { return [] }
        return Set(object.value.members.map(\.name))
    }

    func stringMap(_ name: String) throws(OCIError) -> [String: String] {
        guard let object = try object(name) else { return [:] }
        var map: [String: String] = [:]
        for member in object.value.members {
            guard let text = member.value == .null ? "" : member.value.text else {
                throw object.failure(member.name, "expected a string")
            }
            map[member.name] = text
        }
        return map
    }
}
