// SPDX-License-Identifier: Apache-2.0

/// Takes the keys of one table, checks their kinds, and finds the keys that nobody knows.
///
/// Ask for every key the table may have, then call ``finish()``.
struct ConfigReader {
    let source: SourceText
    let table: ConfigTable
    /// What messages call the table: `[frontends]`; empty for the whole file.
    let name: String
    let offset: Int
    private var known: [String] = []

    init(source: SourceText, table: ConfigTable, name: String = "", offset: Int = 0) {
        self.source = source
        self.table = table
        self.name = name
        self.offset = offset
    }

    /// Reads a TOML file.
    init(toml bytes: [UInt8], file: String) throws(ProjectError) {
        let table = try TOMLReader.parse(bytes, file: file)
        self.init(source: SourceText(file: file, bytes: bytes), table: table)
    }

    // MARK: Keys

    /// The value of a key, whatever it is.
    mutating func take(_ key: String) -> ConfigTable.Member? {
        known.append(key)
        return table.member(key)
    }

    mutating func string(_ key: String, byteLimit: Int = 1024) throws(ProjectError) -> String? {
        guard let member = take(key) else { return nil }
        return try string(member.node, what: "\"\(key)\"", byteLimit: byteLimit)
    }

    /// Reads a string and makes a value of it; what that refuses is told with its place.
    mutating func value<Value>(
        _ key: String,
        _ make: (String) throws(ProjectError) -> Value
    ) throws(ProjectError) -> Value? {
        guard let member = take(key) else { return nil }
        return try value(member.node, what: "\"\(key)\"", make)
    }

    mutating func boolean(_ key: String) throws(ProjectError) -> Bool? {
        guard let member = take(key) else { return nil }
        guard case .boolean(let flag) = member.node.value else {
            throw wrongKind(member.node, "\"\(key)\"", "true or false")
        }
        return flag
    }

    mutating func integer(_ key: String) throws(ProjectError) -> Int64? {
        guard let member = take(key) else { return nil }
        guard case .integer(let number) = member.node.value else {
            throw wrongKind(member.node, "\"\(key)\"", "an integer")
        }
        return number
    }

    mutating func strings(_ key: String, countLimit: Int = 256) throws(ProjectError) -> [String]? {
        guard let nodes = try array(key, countLimit: countLimit) else { return nil }
        var result: [String] = []
        for node in nodes { result.append(try string(node, what: "an element of \"\(key)\"")) }
        return result
    }

    mutating func array(_ key: String, countLimit: Int = 256) throws(ProjectError) -> [ConfigNode]? {
        guard let member = take(key) else { return nil }
        guard case .array(let nodes) = member.node.value else {
            throw wrongKind(member.node, "\"\(key)\"", "an array")
        }
        guard nodes.count <= countLimit else {
            throw tooMany(nodes.count, countLimit, "elements of \"\(key)\"", member.keyOffset)
        }
        return nodes
    }

    /// A table of which each key is to be read in its turn.
    mutating func table(_ key: String) throws(ProjectError) -> ConfigReader? {
        guard let member = take(key) else { return nil }
        return try reader(member, name: name.isEmpty ? "[\(key)]" : "\(name).\(key)")
    }

    /// The members of a table whose keys are names of the user.
    mutating func members(_ key: String, countLimit: Int) throws(ProjectError) -> [ConfigTable.Member] {
        guard let reader = try table(key) else { return [] }
        guard reader.table.members.count <= countLimit else {
            throw tooMany(reader.table.members.count, countLimit, "entries in [\(key)]", reader.offset)
        }
        return reader.table.members
    }

    func reader(_ member: ConfigTable.Member, name: String) throws(ProjectError) -> ConfigReader {
        guard case .table(let table) = member.node.value else {
            throw wrongKind(member.node, "\"\(shown(member.key))\"", "a table")
        }
        return ConfigReader(source: source, table: table, name: name, offset: member.keyOffset)
    }

    /// Fails on the first key that was not asked for.
    func finish() throws(ProjectError) {
        guard let member = table.members.first(where: { !known.contains($0.key) }) else { return }
        let place = name.isEmpty ? "" : " in \(name)"
        let remedy =
            nearestWord(to: member.key, among: known).map { "did you mean \"\($0)\"?" }
            ?? "known are \(known.sorted().joined(separator: ", "))"
        throw failure("unknown key \"\(shown(member.key))\"\(place); \(remedy)", at: member.keyOffset)
    }

    // MARK: Values

    func string(_ node: ConfigNode, what: String, byteLimit: Int = 1024) throws(ProjectError) -> String {
        guard case .string(let text) = node.value else {
            let isNumber =
                if case .integer = node.value { true } else if case .float = node.value { true } else { false }
            throw wrongKind(node, what, isNumber ? "a string, in quotes" : "a string")
        }
        guard text.utf8.count <= byteLimit else {
            throw ProjectError(
                .limit,
                "\(what) has \(text.utf8.count) bytes, at most \(byteLimit) are allowed",
                file: source.file,
                position: source.position(node.offset)
            )
        }
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw failure("\(what) holds a control character", at: node.offset)
        }
        return text
    }

    func value<Value>(
        _ node: ConfigNode,
        what: String,
        _ make: (String) throws(ProjectError) -> Value
    ) throws(ProjectError) -> Value {
        let text = try string(node, what: what)
        do {
            return try make(text)
        } catch {
            throw failure(error.message, at: node.offset)
        }
    }

    /// Reads a name that stands as a key.
    func frontendName(key member: ConfigTable.Member) throws(ProjectError) -> FrontendName {
        do {
            return try FrontendName(parsing: member.key)
        } catch {
            throw failure("\"\(shown(member.key))\" is no frontend: \(error.message)", at: member.keyOffset)
        }
    }

    /// A key that must be there; where one that nobody knows is near to it, that one is the fault.
    func missing(_ key: String, _ remedy: String) -> ProjectError {
        let misspelt = table.members.first { !known.contains($0.key) && nearestWord(to: $0.key, among: [key]) != nil }
        if let misspelt {
            let place = name.isEmpty ? "" : " in \(name)"
            let words = "unknown key \"\(shown(misspelt.key))\"\(place); did you mean \"\(key)\"?"
            return failure(words, at: misspelt.keyOffset)
        }
        return failure("\(name.isEmpty ? "the file" : name) lacks \"\(key)\"; \(remedy)", at: offset)
    }

    func failure(_ reason: String, at offset: Int) -> ProjectError {
        ProjectError(.content, reason, file: source.file, position: source.position(offset))
    }

    func line(of offset: Int) -> Int { source.position(offset).line }

    private func wrongKind(_ node: ConfigNode, _ what: String, _ wanted: String) -> ProjectError {
        failure("\(what) is \(node.kindName); expected \(wanted)", at: node.offset)
    }

    private func tooMany(_ count: Int, _ limit: Int, _ what: String, _ offset: Int) -> ProjectError {
        ProjectError(
            .limit,
            "there are \(count) \(what), at most \(limit) are allowed",
            file: source.file,
            position: source.position(offset)
        )
    }
}
