// SPDX-License-Identifier: Apache-2.0

internal import OCI

extension LockFile {
    /// The file's bytes; equal locks give equal bytes.
    ///
    /// Sorted keys, two spaces of indent, one value a line, a line end at the end.
    package var json: [UInt8] {
        var text = "{\n  \"lockVersion\": \(Self.version),\n  \"minReader\": \"\(Self.minimumReader)\""
        text += section("frontends", frontends.map { ($0.key.text, members(of: $0.value)) })
        text += section("sources", sources.map { ($0.key.text, members(of: $0.value)) })
        return Array((text + "\n}\n").utf8)
    }

    private func section(_ name: String, _ entries: [(String, [Member])]) -> String {
        guard !entries.isEmpty else { return "" }
        let entries = entries.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
        let members = entries.map { Member(name: $0.0, value: .object($0.1)) }
        return ",\n  \(jsonString(name)): " + object(members, indent: "  ")
    }

    private func members(of frontend: Frontend) -> [Member] {
        var members = [
            Member(name: "constraint", value: .text(jsonString(frontend.constraint))),
            Member(name: "permissions", value: .text(line(frontend.permissions))),
            Member(
                name: "platforms",
                value: .object(
                    frontend.platforms.map { Member(name: $0.key, value: .text(jsonString($0.value.description))) }
                )
            ),
            Member(name: "protocol", value: .text(jsonString(frontend.protocolText))),
            Member(name: "release", value: .text(jsonString(frontend.release.description))),
            Member(name: "source", value: .text(jsonString(frontend.source))),
            Member(name: "version", value: .text(jsonString(frontend.version.description))),
        ]
        if let package = frontend.package {
            members.append(Member(name: "package", value: .text(jsonString(package.text))))
        }
        return members
    }

    private func members(of source: LockedSource) -> [Member] {
        switch source {
        case .image(let digest, let platforms):
            [
                Member(name: "digest", value: .text(jsonString(digest.description))),
                Member(
                    name: "platforms",
                    value: .object(
                        platforms.map { Member(name: $0.key, value: .text(jsonString($0.value.description))) }
                    )
                ),
            ]
        case .git(let commit, let remote):
            [Member(name: "commit", value: .text(jsonString(commit)))]
                + (remote.map { [Member(name: "remote", value: .text(jsonString($0)))] } ?? [])
        case .http(let digest): [Member(name: "digest", value: .text(jsonString(digest.description)))]
        }
    }

    /// Permissions are read together: they stand on one line.
    ///
    /// What was added later is written only where it is asked for.
    private func line(_ grant: Grant) -> String {
        func list(_ texts: [String]) -> String {
            "[" + Set(texts).sorted().map(jsonString).joined(separator: ", ") + "]"
        }
        var parts = ["\"entitlements\": \(list(grant.entitlements))", "\"exec\": \(grant.exec)"]
        if !grant.frontends.isEmpty { parts.append("\"frontends\": \(list(grant.frontends))") }
        if grant.hostRuntime { parts.append("\"host-runtime\": true") }
        parts += ["\"network\": \(grant.network)", "\"secrets\": \(list(grant.secrets))"]
        return "{" + parts.joined(separator: ", ") + "}"
    }

    private struct Member {
        enum Value {
            case text(String)
            case object([Member])
        }

        let name: String
        let value: Value
    }

    private func object(_ members: [Member], indent: String) -> String {
        guard !members.isEmpty else { return "{}" }
        let inner = indent + "  "
        let lines = members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }.map { member in
            let value =
                switch member.value {
                case .text(let text): text
                case .object(let members): object(members, indent: inner)
                }
            return "\(inner)\(jsonString(member.name)): \(value)"
        }
        return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    }
}

/// A text as a JSON string.
func jsonString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\r": result += "\\r"
        default:
            if scalar.value < 0x20 || scalar.value == 0x7F {
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }
    return result + "\""
}
