// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import OCI

extension ConformanceCase {
    /// The case as the file of `Protocol/conformance/cases` that ``init(toml:file:)`` reads.
    package var toml: String {
        var text = "name    = \(quoted(name))\nrules   = \(list(rules))\nsummary = \(quoted(summary))\n"
        text += "build   = \(quoted(build.rawValue))\n"
        if work != "build" { text += "work    = \(quoted(work))\n" }
        text += table("engine", engine.lines)
        if !engine.failures.isEmpty {
            let lines = engine.failures.sorted { $0.key < $1.key }.map { "\(quoted($0.key)) = \(quoted($0.value))" }
            text += table("engine.failures", lines)
        }
        for message in messages { text += "\n[[send]]\n" + message.lines.map { $0 + "\n" }.joined() }
        return text + table("expect", expectation.lines)
    }

    /// The name of that file.
    package var fileName: String { name.replacing("/", with: "-") + ".toml" }
}

private func table(_ name: String, _ lines: [String]) -> String {
    lines.isEmpty ? "" : "\n[\(name)]\n" + lines.map { $0 + "\n" }.joined()
}

/// A TOML string; JSON's escapes are among TOML's.
private func quoted(_ text: String) -> String {
    JSONValue.string(text).encodedText
}

private func list(_ texts: [String]) -> String { "[" + texts.map(quoted).joined(separator: ", ") + "]" }

private func json(_ object: WireObject) -> String { quoted(String(decoding: object.json, as: UTF8.self)) }

extension EngineBehaviour {
    fileprivate var lines: [String] {
        let plain = EngineBehaviour()
        var lines: [String] = []
        func add(_ name: String, _ value: String?) {
            if let value { lines.append("\(name) = \(value)") }
        }
        if protocolVersions != plain.protocolVersions { add("protocol", list(protocolVersions)) }
        add("capabilities", capabilities.map(list))
        add("llb", llbCapabilities.map(list))
        if !members.isEmpty { add("members", json(members)) }
        if !answerMembers.isEmpty { add("answer-members", json(answerMembers)) }
        if limits != plain.limits {
            let members = zip(limits.members.members, plain.limits.members.members)
            let changed = members.filter { $0.0 != $0.1 }.map(\.0)
            let texts = changed.map { member in "\(member.name) = \(number(member.value))" }
            add("limits", "{ " + texts.joined(separator: ", ") + " }")
        }
        add("pipe", pipeByteCount.map(String.init))
        add("write", writeByteCount.map(String.init))
        add("read", readByteCount.map(String.init))
        add("blob-frame", blobFrameByteCount.map(String.init))
        if blobForm != plain.blobForm { add("blob", quoted(blobForm.rawValue)) }
        if jsonForm != plain.jsonForm { add("json", quoted(jsonForm.rawValue)) }
        if order != plain.order { add("order", quoted(order.rawValue)) }
        add("read-answer", readAnswerByteCount.map(String.init))
        add("pad-files", paddedFileByteCount.map(String.init))
        add("pad-directories", paddedDirectoryCount.map(String.init))
        add("pad-build", unknownFileByteCount.map(String.init))
        add("pad-messages", paddedMessageByteCount.map(String.init))
        if !arguments.isEmpty { add("arguments", list(arguments)) }
        add("close", close.map { quoted($0.rawValue) })
        add("pause", pauseMilliseconds.map(String.init))
        return lines
    }

    private func number(_ value: WireValue) -> String {
        if case .integer(let number) = value { String(number) } else { "0" }
    }
}

extension ExtraMessage {
    fileprivate var lines: [String] {
        var lines = ["at = \(quoted(moment.rawValue))"]
        switch content {
        case .request(let method, let params):
            lines += ["request = \(quoted(method))", "params = \(json(params))"]
        case .notification(let method, let params):
            lines += ["notification = \(quoted(method))", "params = \(json(params))"]
        case .raw(let bytes):
            let hex = bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
            lines.append("hex = \(quoted(hex))")
        case .abortedBuild: lines.append("abort = true")
        }
        return lines
    }
}

extension Expectation {
    fileprivate var lines: [String] {
        var lines: [String] = []
        if build != .any { lines.append("build = \(quoted(build.rawValue))") }
        if let protocolVersion { lines.append("protocol = \(quoted(protocolVersion))") }
        if let initializeFailure { lines.append("failure = \(quoted(initializeFailure))") }
        if let requestFailure { lines.append("request = \(quoted(requestFailure))") }
        if hasNoOutput { lines.append("output = \"none\"") }
        return lines
    }
}
