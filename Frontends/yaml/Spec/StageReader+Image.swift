// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import OCI

extension StageReader {
    /// How containers of an image start.
    func settings(_ fields: SpecReader.Fields) -> ImageSettings {
        var settings = ImageSettings()
        if let node = fields["user"], let user = reader.text(node, "user") {
            if isOwner(user) {
                settings.user = user
            } else {
                reader.report("user is \"\(shortened(user))\", expected a user or user:group", at: node.place)
            }
        }
        if let node = fields["entrypoint"] { settings.entrypoint = command(node, "entrypoint") }
        if let node = fields["cmd"] { settings.command = command(node, "cmd") }
        if let node = fields["labels"] { settings.labels = labels(node) }
        if let node = fields["ports"] {
            settings.ports = reader.elements(node, "ports").compactMap(port)
        }
        if let node = fields["volumes"] {
            settings.volumes = reader.elements(node, "volumes").compactMap { reader.absolutePath($0, "volumes") }
        }
        if let node = fields["healthcheck"] { settings.healthcheck = healthcheck(node) }
        if let node = fields["stop-signal"] { settings.stopSignal = signal(node) }
        return settings
    }

    func labels(_ node: YAMLNode) -> [(name: String, value: String)] {
        reader.entries(node, "labels").compactMap { entry in
            guard !entry.key.isEmpty else {
                reader.report("a label has no name", at: entry.keyPlace)
                return nil
            }
            if entry.value.isNull { return (entry.key, "") }
            return reader.text(entry.value, "label \(entry.key)").map { (entry.key, $0) }
        }
    }

    /// `8080`, `8080/tcp`, `53/udp`.
    private func port(_ node: YAMLNode) -> String? {
        guard let text = reader.text(node, "ports") else { return nil }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let kind = parts.count > 1 ? String(parts[1]) : "tcp"
        guard let number = UInt16(parts[0]), number > 0, ["tcp", "udp", "sctp"].contains(kind) else {
            reader.report(
                "ports holds \"\(shortened(text))\", expected a number up to 65535, with /udp or /sctp where it is not tcp",
                at: node.place
            )
            return nil
        }
        return "\(number)/\(kind)"
    }

    private func healthcheck(_ node: YAMLNode) -> ImageSettings.Healthcheck? {
        if case .scalar(let text, _) = node.content {
            if text == "none" { return ImageSettings.Healthcheck.none }
            reader.report(
                "healthcheck is \"\(shortened(text))\", expected none, or a mapping with run:",
                at: node.place
            )
            return nil
        }
        let keys = ["run", "interval", "timeout", "start-period", "start-interval", "retries"]
        guard let fields = reader.fields(node, "healthcheck", keys) else { return nil }
        var check = ContainerConfig.Healthcheck()
        func time(_ key: String) -> Int64 { fields[key].flatMap { duration($0, key) } ?? 0 }
        check.interval = time("interval")
        check.timeout = time("timeout")
        check.startPeriod = time("start-period")
        check.startInterval = time("start-interval")
        if let retries = fields["retries"] { check.retries = reader.integer(retries, "retries", in: 1...1000) ?? 0 }
        guard let run = fields["run"] else {
            reader.report("healthcheck has no run:", at: node.place)
            return nil
        }
        return command(run, "healthcheck run").map { .check(check, command: $0) }
    }

    private func signal(_ node: YAMLNode) -> String? {
        guard let text = reader.text(node, "stop-signal") else { return nil }
        if let number = Int(text), (1...64).contains(number) { return text }
        let name = text.hasPrefix("SIG") ? text : "SIG" + text
        let known = [
            "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1",
            "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP",
            "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH",
            "SIGIO", "SIGPWR", "SIGSYS",
        ]
        let isRealTime = name.hasPrefix("SIGRTMIN+") || name.hasPrefix("SIGRTMAX-") || name == "SIGRTMIN"
        guard known.contains(name) || isRealTime else {
            reader.report(
                "stop-signal is \"\(shortened(text))\", expected a signal such as SIGTERM or a number"
                    + reader.suggestion(for: name, among: known),
                at: node.place
            )
            return nil
        }
        return name
    }

    /// `user`, `user:group`, by names or numbers.
    func isOwner(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return (1...2).contains(parts.count)
            && parts.allSatisfy { part in
                !part.isEmpty && part.utf8.count <= 64
                    && part.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
            }
    }
}
