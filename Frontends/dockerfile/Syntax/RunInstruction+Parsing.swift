// SPDX-License-Identifier: Apache-2.0

extension RunInstruction {
    init(_ node: Node, _ extensions: Extensions) throws(DockerfileError) {
        let flags = try FlagSet(
            node,
            allowed: [
                "mount": .strings, "network": .string, "security": .string, "device": .strings,
            ]
        )
        self.init(command: CommandLine(node))
        usedFlags = flags.usedNames
        mountFlags = flags.words("mount")
        for flag in mountFlags {
            do {
                mountOrigins.append(
                    try Mount.origin(in: flag.text, allowsVariables: extensions.expandsOrigins)
                )
            } catch {
                throw error.located(range: flag.range, lines: nil)
            }
        }
        if let flag = flags.word("network") {
            network = try Self.choice(flag, "network mode")
        }
        if let flag = flags.word("security") {
            security = try Self.choice(flag, "security mode")
        }
        for flag in flags.words("device") {
            do {
                devices.append(try Device(parsing: flag.text))
            } catch {
                throw error.located(range: flag.range, lines: nil)
            }
        }
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ flag: Word,
        _ what: String
    ) throws(DockerfileError) -> Choice {
        if let choice = Choice(rawValue: flag.text) { return choice }
        let words = Choice.allCases.map(\.rawValue)
        throw DockerfileError(
            .badFlag,
            "invalid \(what) \"\(excerpt(flag.text))\"; allowed are \(words.joined(separator: ", "))",
            suggestion: nearestWord(to: flag.text, among: words),
            range: flag.range
        )
    }
}

extension Device {
    /// Reads `vendor/class=name[,required[=bool]]`, or the same with `name=`.
    init(parsing text: String) throws(DockerfileError) {
        self.init(name: "", isRequired: false)
        for field in try csvFields(text) {
            guard let (rawKey, value) = cut(field, at: "=") else {
                if field.lowercased() == "required" {
                    isRequired = true
                } else if name.isEmpty {
                    name = field
                } else {
                    throw DockerfileError(
                        .badFlag,
                        "invalid field \(excerpt(field)) of --device: it must be key=value"
                    )
                }
                continue
            }
            switch rawKey.lowercased() {
            case "name":
                guard name.isEmpty else {
                    throw DockerfileError(
                        .badFlag,
                        "device name is already set to \(excerpt(name))"
                    )
                }
                name = value
            case "required":
                guard let flag = parseBoolean(value) else {
                    throw DockerfileError(
                        .badFlag,
                        "invalid value for required of --device: \(excerpt(value))"
                    )
                }
                isRequired = flag
            case let key:
                if name.isEmpty {
                    name = field
                    continue
                }
                throw DockerfileError(
                    .badFlag,
                    "unexpected key \(excerpt(key)) of --device",
                    suggestion: nearestWord(to: key, among: ["name", "required"])
                )
            }
        }
    }
}
