// SPDX-License-Identifier: Apache-2.0

package import OCI

/// How a container of the image starts, as the friendly form says it.
///
/// What is not said comes from the image that is inherited, else it is empty.
package struct ImageSettings: Sendable {
    /// The operation with the image to begin with.
    package let inherited: String?
    private let environment: [String]
    private let set: @Sendable (inout ContainerConfig) -> Void
    private let author: String?

    static let members = [
        "inherit", "entrypoint", "cmd", "env", "user", "workdir", "labels", "ports", "volumes", "stopSignal", "shell",
        "healthcheck", "onBuild", "author",
    ]

    /// Reads the member `image`; problems are reported to the node's reading.
    init?(_ node: Node) {
        guard node.members("an object that says how the image starts") != nil else { return nil }
        node.allow(Self.members, in: "an image")
        inherited = node["inherit"]?.string("the name of an operation")
        environment = node["env"].map(OperationReader.environment) ?? []
        author = node["author"]?.string()
        let entrypoint = node["entrypoint"].flatMap(Self.command)
        let command = node["cmd"].flatMap(Self.command)
        let user = node["user"]?.string()
        let directory = node["workdir"]?.string()
        let labels = node["labels"]?.stringMap() ?? [:]
        let ports = (node["ports"]?.elements("a list of ports") ?? []).compactMap(Self.port)
        let volumes = node["volumes"]?.strings() ?? []
        let signal = node["stopSignal"]?.string()
        let shell = node["shell"]?.strings()
        let triggers = node["onBuild"]?.strings()
        let healthcheck = node["healthcheck"].flatMap(Self.healthcheck)
        set = { config in
            if let entrypoint {
                config.entrypoint = entrypoint
                // An inherited command is meant for the inherited entry point.
                if command == nil { config.command = [] }
            }
            if let command { config.command = command }
            if let user { config.user = user }
            if let directory { config.workingDirectory = directory }
            config.labels.merge(labels) { $1 }
            config.exposedPorts.formUnion(ports)
            config.volumes.formUnion(volumes)
            if let signal { config.stopSignal = signal }
            if let shell { config.shell = shell }
            if let triggers { config.onBuild = triggers }
            if let healthcheck { config.healthcheck = healthcheck }
        }
    }

    /// The image config for a platform.
    ///
    /// - Parameter base: The config that is inherited.
    package func config(on base: ImageConfig?, platform: Platform) -> ImageConfig {
        var config = base ?? ImageConfig(platform: platform.normalized)
        if base == nil {
            config.config.environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        }
        // Layers and history belong to the base; the engine writes those of the result.
        config.rootFS = ImageConfig.RootFS()
        config.history = []
        config.created = nil
        config.config.onBuild = []
        if let author { config.author = author }
        for assignment in environment {
            let name = assignment.prefix { $0 != "=" }
            if let index = config.config.environment.firstIndex(where: { $0.hasPrefix(name + "=") }) {
                config.config.environment[index] = assignment
            } else {
                config.config.environment.append(assignment)
            }
        }
        set(&config.config)
        return config
    }

    /// A list of arguments, or a line for the shell.
    private static func command(_ node: Node) -> [String]? {
        node.isString ? node.string().map { ["/bin/sh", "-c", $0] } : node.strings()
    }

    /// `8080`, `"8080"` or `"53/udp"`.
    private static func port(_ node: Node) -> String? {
        if case .number = node.value.content { return node.integer(UInt16.self).map { "\($0)/tcp" } }
        guard let text = node.string("a port such as 8080 or \"53/udp\"") else { return nil }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard UInt16(parts[0]) != nil, parts.count == 1 || ["tcp", "udp", "sctp"].contains(parts[1]) else {
            node.report("\"\(text.prefix(40))\" is no port: expected 8080, \"8080/tcp\" or \"53/udp\"")
            return nil
        }
        return parts.count == 1 ? text + "/tcp" : text
    }

    private static func healthcheck(_ node: Node) -> ContainerConfig.Healthcheck? {
        var check = ContainerConfig.Healthcheck()
        if node.isNull {
            check.test = ["NONE"]
            return check
        }
        guard node.members("an object with cmd and times, or null") != nil else { return nil }
        let times = ["interval", "timeout", "startPeriod", "startInterval"]
        node.allow(["cmd", "retries"] + times, in: "a health check")
        if let command = node["cmd"] {
            check.test =
                command.isString ? ["CMD-SHELL", command.string() ?? ""] : ["CMD"] + (command.strings() ?? [])
        } else {
            node.report("a health check needs \"cmd\"")
        }
        check.interval = node["interval"].flatMap(duration) ?? 0
        check.timeout = node["timeout"].flatMap(duration) ?? 0
        check.startPeriod = node["startPeriod"].flatMap(duration) ?? 0
        check.startInterval = node["startInterval"].flatMap(duration) ?? 0
        check.retries = node["retries"]?.integer(Int64.self) ?? 0
        return check
    }

    /// Nanoseconds from `500ms`, `30s`, `5m` or `1h`.
    private static func duration(_ node: Node) -> Int64? {
        guard let text = node.string("a duration such as \"30s\"") else { return nil }
        let units: [(String, Int64)] = [
            ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
        ]
        for (unit, size) in units where text.hasSuffix(unit) {
            guard let count = Int64(text.dropLast(unit.count)), count >= 0 else { continue }
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            if !overflow { return product }
        }
        node.report("\"\(text.prefix(40))\" is no duration: expected a number and ms, s, m or h")
        return nil
    }
}
