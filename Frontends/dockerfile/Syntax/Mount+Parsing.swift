// SPDX-License-Identifier: Apache-2.0

extension Mount {
    /// The keys of `--mount`, aliases included.
    static let keys = [
        "type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro",
        "readwrite", "rw",
        "required", "size", "id", "sharing", "mode", "uid", "gid", "env",
    ]

    /// The value of `from`, or empty: all that can be known before variables are.
    ///
    /// - Throws: `badMount` if it holds a variable, which `from` does not support unless ``Extensions/expandsOrigins`` says so.
    static func origin(in text: String, allowsVariables: Bool) throws(DockerfileError) -> String {
        var origin = ""
        for field in try csvFields(text) {
            guard let (key, value) = cut(field, at: "="), key.lowercased() == "from" else {
                continue
            }
            if !allowsVariables, let index = value.utf8.firstIndex(of: UInt8(ascii: "$")),
                value.utf8.index(after: index) != value.endIndex
            {
                throw DockerfileError(
                    .badMount,
                    "from of --mount cannot hold a variable: \(excerpt(value)); name a stage with FROM and use its name"
                )
            }
            origin = value
        }
        return origin
    }

    /// Reads a mount, each value expanded first.
    ///
    /// Keys are read in order: `required` and `size` are judged by the type named before them.
    ///
    /// - Parameter origin: Holds in place of what `from` says, where it is given; nil otherwise.
    init(
        parsing text: String,
        origin: String? = nil,
        expanding expand: (String) throws(DockerfileError) -> String
    ) throws(DockerfileError) {
        self.init()
        var isAccessGiven = false
        for field in try csvFields(text) {
            if let (key, value) = cut(field, at: "=") {
                let key = key.lowercased()
                let value = if key == "from", let origin { origin } else { try expand(value) }
                try set(key, to: value, isAccessGiven: &isAccessGiven)
            } else {
                try setFlag(field, isAccessGiven: &isAccessGiven)
            }
        }
        try check()
        if !isAccessGiven { isReadOnly = kind != .cache && kind != .tmpfs }
    }

    private mutating func setFlag(
        _ field: String,
        isAccessGiven: inout Bool
    ) throws(DockerfileError) {
        switch field.lowercased() {
        case "readonly", "ro": (isReadOnly, isAccessGiven) = (true, true)
        case "readwrite", "rw": (isReadOnly, isAccessGiven) = (false, true)
        case "required": try setRequired(true)
        default: throw Self.bad("invalid field \"\(excerpt(field))\": it must be key=value")
        }
    }

    private mutating func set(
        _ key: String,
        to value: String,
        isAccessGiven: inout Bool
    ) throws(DockerfileError) {
        switch key {
        case "type": kind = try Self.choice(value, "mount type")
        case "from": from = value
        case "source", "src": source = value
        case "target", "dst", "destination": target = value
        case "readonly", "ro":
            isReadOnly = try Self.boolean(value, key)
            isAccessGiven = true
        case "readwrite", "rw":
            isReadOnly = try !Self.boolean(value, key)
            isAccessGiven = true
        case "required": try setRequired(Self.boolean(value, key))
        case "size":
            guard kind == .tmpfs else { throw unexpected(key) }
            guard let size = parseByteSize(value) else {
                throw Self.bad("invalid value for size: \(excerpt(value))")
            }
            sizeLimit = size
        case "id": id = value
        case "sharing": sharing = try Self.choice(value, "sharing mode")
        case "mode": mode = try Self.number(value, key, radix: 8)
        case "uid": uid = try Self.number(value, key, radix: 10)
        case "gid": gid = try Self.number(value, key, radix: 10)
        case "env": environmentName = value
        default:
            var error = Self.bad("unexpected key \"\(excerpt(key))\"")
            error.suggestion = nearestWord(to: key, among: Self.keys)
            throw error
        }
    }

    private mutating func setRequired(_ value: Bool) throws(DockerfileError) {
        guard kind == .secret || kind == .ssh else { throw unexpected("required") }
        isRequired = value
    }

    /// The rules between keys.
    private func check() throws(DockerfileError) {
        if kind == .bind || kind == .tmpfs {
            for (key, value) in [("mode", mode), ("uid", uid), ("gid", gid)] where value != nil {
                throw unexpected(key)
            }
        }
        if kind == .secret {
            if !from.isEmpty { throw unexpected("from") }
            if source.isEmpty, target.isEmpty, id.isEmpty {
                throw Self.bad("a secret needs an id, source or target")
            }
            if !source.isEmpty, !id.isEmpty {
                throw Self.bad("source and id of a secret mean the same; give one of them")
            }
        }
        if sharing != nil, kind != .cache { throw unexpected("sharing") }
    }

    private func unexpected(_ key: String) -> DockerfileError {
        Self.bad("key \(key) is not allowed for mounts of type \(kind.rawValue)")
    }

    private static func bad(_ reason: String) -> DockerfileError {
        DockerfileError(.badMount, "cannot read --mount: \(reason)")
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ value: String,
        _ what: String
    ) throws(DockerfileError) -> Choice {
        if let choice = Choice(rawValue: value.lowercased()) { return choice }
        let words = Choice.allCases.map(\.rawValue)
        var error = bad(
            "unsupported \(what) \"\(excerpt(value))\"; allowed are \(words.joined(separator: ", "))"
        )
        error.suggestion = nearestWord(to: value, among: words)
        throw error
    }

    private static func boolean(_ value: String, _ key: String) throws(DockerfileError) -> Bool {
        guard let flag = parseBoolean(value) else {
            throw bad("invalid value for \(key): \(excerpt(value)); write true or false")
        }
        return flag
    }

    private static func number(
        _ value: String,
        _ key: String,
        radix: Int
    ) throws(DockerfileError) -> UInt32 {
        guard value.utf8.first != UInt8(ascii: "+"), let number = UInt32(value, radix: radix) else {
            throw bad(
                "invalid value for \(key): \(excerpt(value))\(radix == 8 ? "; write octal digits" : "")"
            )
        }
        return number
    }
}

/// The fields of one line of comma-separated values; a quoted field may hold commas, and `""` for a
/// quote.
func csvFields(_ text: String) throws(DockerfileError) -> [String] {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty else {
        throw DockerfileError(.badFlag, "cannot read an empty list of options")
    }
    let quote = UInt8(ascii: "\"")
    let comma = UInt8(ascii: ",")
    var fields: [String] = []
    var index = 0
    while true {
        var field: [UInt8] = []
        if index < bytes.count, bytes[index] == quote {
            index += 1
            var isClosed = false
            while index < bytes.count, !isClosed {
                if bytes[index] != quote {
                    field.append(bytes[index])
                    index += 1
                } else if index + 1 < bytes.count, bytes[index + 1] == quote {
                    field.append(quote)
                    index += 2
                } else {
                    index += 1
                    isClosed = true
                }
            }
            guard isClosed, index == bytes.count || bytes[index] == comma else {
                throw DockerfileError(
                    .badFlag,
                    "cannot read \"\(excerpt(text))\": a quoted field does not end"
                )
            }
        } else {
            while index < bytes.count, bytes[index] != comma {
                guard bytes[index] != quote else {
                    throw DockerfileError(
                        .badFlag,
                        "cannot read \"\(excerpt(text))\": a quote stands within an unquoted field"
                    )
                }
                field.append(bytes[index])
                index += 1
            }
        }
        fields.append(String(decoding: field, as: UTF8.self))
        guard index < bytes.count else { return fields }
        index += 1
    }
}

/// Bytes of a size like `64m`, `1.5GiB` or `4096`; units are powers of 1024.
///
/// Nil if it is none.
func parseByteSize(_ text: String) -> Int64? {
    let scalars = Array(text.utf8)
    guard
        let last = scalars.lastIndex(where: {
            ($0 >= 0x30 && $0 <= 0x39) || $0 == UInt8(ascii: ".") || $0 == 0x20
        })
    else { return nil }
    let isSpace = scalars[last] == 0x20
    let number = String(decoding: scalars[..<(isSpace ? last : last + 1)], as: UTF8.self)
    let suffix = String(decoding: scalars[(last + 1)...], as: UTF8.self).lowercased()
    guard let value = Double(number), value >= 0 else { return nil }
    let multiplier: Double
    switch suffix {
    case "", "b": multiplier = 1
    case "k", "kb", "kib": multiplier = 1024
    case "m", "mb", "mib": multiplier = 1_048_576
    case "g", "gb", "gib": multiplier = 1_073_741_824
    case "t", "tb", "tib": multiplier = 1_099_511_627_776
    case "p", "pb", "pib": multiplier = 1_125_899_906_842_624
    default: return nil
    }
    return Int64(exactly: (value * multiplier).rounded(.towardZero))
}
