// SPDX-License-Identifier: Apache-2.0

package import DockerfileSyntax
package import LLB
package import LLBMessages
package import OCI

/// The options of a build, understood.
///
/// Their names and values are those of BuildKit's Dockerfile frontend.
package struct DockerfileOptions: Sendable {
    /// Stages whose steps ignore earlier results.
    package enum UncachedStages: Hashable, Sendable {
        case none, all
        /// In lower case.
        case named(Set<String>)

        func contains(_ name: String) -> Bool {
            switch self {
            case .none: false
            case .all: true
            case .named(let names): names.contains(name.lowercased())
            }
        }
    }

    /// The options as they came.
    package var raw: [String: String]
    package var buildArguments: [String: String]
    package var labels: [String: String]
    /// Empty for the last stage.
    package var target: String
    /// Path of the Dockerfile.
    package var filename: String
    /// Normalized; empty when the worker's is wanted.
    package var targetPlatforms: [Platform] = []
    /// What the workers run, never empty.
    package var buildPlatforms: [Platform]
    /// Whether the result is an index even for one platform.
    package var isMultiPlatform = false
    package var resolveMode = State.ImageResolveMode.default
    package var extraHosts: [Pb_HostIP] = []
    /// Bytes of `/dev/shm`; 0 for the default.
    package var sharedMemoryByteLimit: Int64 = 0
    package var resourceLimits: [Pb_Ulimit] = []
    package var resources: Pb_LinuxResources?
    package var network = Pb_NetMode.unset
    package var uncachedStages = UncachedStages.none
    package var cacheNamespace: String
    package var cgroupParent: String
    package var hostname: String
    /// Instead of the `check` directive of the file.
    package var lintOptions: LintOptions?
    /// Besides those the file asks for.
    package var extensions = Extensions()
    /// The client's session; `nil` for an engine without sessions.
    package var session: String?

    /// Reads the options.
    ///
    /// `workerPlatforms` are what the workers run, preferred one first; this host's when empty.
    /// - Throws: `badOption` with the option's name and value.
    package init(
        _ raw: [String: String],
        workerPlatforms: [Platform] = [],
        session: String? = nil
    ) throws {
        self.raw = raw
        self.session = session
        buildArguments = DockerfileOptions.below("build-arg:", raw)
        labels = DockerfileOptions.below("label:", raw)
        target = raw["target"] ?? ""
        filename = raw["filename"] ?? "Dockerfile"
        buildPlatforms = [workerPlatforms.first ?? Platform.host.normalized]
        cacheNamespace = raw["build-arg:BUILDKIT_CACHE_MOUNT_NS"] ?? ""
        cgroupParent = raw["cgroup-parent"] ?? ""
        let sandboxHostname = raw["build-arg:BUILDKIT_SANDBOX_HOSTNAME"] ?? ""
        hostname = sandboxHostname.isEmpty ? raw["hostname"] ?? "" : sandboxHostname
        if let removed = raw["override-copy-image"], !removed.isEmpty {
            throw ConversionError(
                .badOption,
                "option override-copy-image was removed; leave it out"
            )
        }
        for name in (raw["platform"] ?? "").split(separator: ",", omittingEmptySubsequences: true) {
            targetPlatforms.append(try DockerfileOptions.platform(String(name)).normalized)
        }
        try readEnumerations()
        try readLimits()
        if let value = raw["no-cache"] {
            let names = value.split(separator: ",").map { $0.lowercased() }
            uncachedStages = value.isEmpty ? .all : .named(Set(names))
        }
        if let check = raw["build-arg:BUILDKIT_DOCKERFILE_CHECK"] {
            lintOptions = try LintOptions(parsing: check)
        }
        if let list = buildArguments[Extensions.buildArgument] {
            do {
                extensions = try Extensions(parsing: list)
            } catch {
                throw DockerfileOptions.refusal("build-arg:" + Extensions.buildArgument, list, "\(error)")
            }
        }
    }

    /// The session that offers a directory; `nil` for an engine without sessions.
    package func session(of directory: String) -> String? {
        raw["local-sessionid:" + directory] ?? session
    }

    /// The client's directory with the Dockerfile and the ignore file that belongs to it.
    package var fileState: State {
        let directory = raw["dockerfilekey"] ?? "dockerfile"
        var local = State.LocalOptions(session: session(of: directory))
        local.followPaths = [filename, filename + ".dockerignore"]
        if SlashPath.base(filename) == "Dockerfile" {
            let folder = filename.dropLast("Dockerfile".count)
            local.followPaths.append(SlashPath.clean(folder + "dockerfile"))
        }
        local.sharedKeyHint = directory
        local.differ = "none"
        return .local(
            directory,
            options: local,
            constraints: Constraints(name: "[internal] load build definition from \(filename)")
        )
    }

    private mutating func readEnumerations() throws {
        if let mode = raw["image-resolve-mode"], !mode.isEmpty {
            guard let known = State.ImageResolveMode(rawValue: mode) else {
                throw DockerfileOptions.refusal(
                    "image-resolve-mode",
                    mode,
                    "expected default, pull or local"
                )
            }
            resolveMode = known
        }
        switch raw["force-network-mode"] ?? "" {
        case "", "sandbox": network = .unset
        case "none": network = .none
        case "host": network = .host
        case let other:
            throw DockerfileOptions.refusal(
                "force-network-mode",
                other,
                "expected none, host or sandbox"
            )
        }
        isMultiPlatform = targetPlatforms.count > 1
        let wish = raw["build-arg:BUILDKIT_MULTI_PLATFORM"].flatMap { $0.isEmpty ? nil : $0 }
        if let text = wish ?? raw["multi-platform"], !text.isEmpty {
            guard let value = parseBoolean(text) else {
                throw DockerfileOptions.refusal("multi-platform", text, "expected true or false")
            }
            if !value, isMultiPlatform {
                throw DockerfileOptions.refusal(
                    "multi-platform",
                    text,
                    "\(targetPlatforms.count) platforms are wanted"
                )
            }
            isMultiPlatform = value
        }
    }

    private mutating func readLimits() throws {
        if let text = raw["shm-size"], !text.isEmpty {
            guard let bytes = Int64(text), bytes >= 0 else {
                throw DockerfileOptions.refusal("shm-size", text, "expected a number of bytes")
            }
            sharedMemoryByteLimit = bytes
        }
        for field in try DockerfileOptions.fields(of: "add-hosts", raw) {
            guard let separator = field.firstIndex(of: "=") else {
                throw DockerfileOptions.refusal("add-hosts", field, "expected host=address")
            }
            let text = field[field.index(after: separator)...].lowercased()
            guard let address = canonicalAddress(text) else {
                throw DockerfileOptions.refusal("add-hosts", field, "\"\(text)\" is no IP address")
            }
            var host = Pb_HostIP()
            host.host = field[..<separator].lowercased()
            host.ip = address
            extraHosts.append(host)
        }
        for field in try DockerfileOptions.fields(of: "ulimit", raw) {
            resourceLimits.append(try DockerfileOptions.resourceLimit(field))
        }
        resources = try DockerfileOptions.resources(raw)
    }

    private static func below(_ prefix: String, _ raw: [String: String]) -> [String: String] {
        var result: [String: String] = [:]
        for (name, value) in raw where name.hasPrefix(prefix) {
            result[String(name.dropFirst(prefix.count))] = value
        }
        return result
    }

    private static func platform(_ text: String) throws -> Platform {
        do {
            return try Platform(parsing: text)
        } catch {
            throw ConversionError(.badOption, "option platform=\(text): \(error.message)")
        }
    }

    static func refusal(_ name: String, _ value: String, _ reason: String) -> ConversionError {
        ConversionError(.badOption, "option \(name)=\(value): \(reason)")
    }

    private static func fields(of name: String, _ raw: [String: String]) throws -> [String] {
        guard let text = raw[name], !text.isEmpty else { return [] }
        guard let fields = commaSeparatedFields(text) else {
            throw refusal(name, text, "expected comma-separated values")
        }
        return fields
    }

    private static let resourceLimitNames: Set<String> = [
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
        "rss", "rtprio",
        "rttime", "sigpending", "stack",
    ]

    private static func resourceLimit(_ field: String) throws -> Pb_Ulimit {
        let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, resourceLimitNames.contains(String(parts[0])) else {
            throw refusal("ulimit", field, "expected name=soft[:hard] with a known name")
        }
        let values = parts[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let soft = Int64(values[0]), let hard = values.count > 1 ? Int64(values[1]) : soft
        else {
            throw refusal("ulimit", field, "expected whole numbers")
        }
        guard hard == -1 || (soft != -1 && soft <= hard) else {
            throw refusal("ulimit", field, "soft limit \(soft) is above hard limit \(hard)")
        }
        var limit = Pb_Ulimit()
        limit.name = String(parts[0])
        limit.soft = soft
        limit.hard = hard
        return limit
    }

    private static func resources(_ raw: [String: String]) throws -> Pb_LinuxResources? {
        var resources = Pb_LinuxResources()
        func number<Number: FixedWidthInteger>(
            _ name: String,
            _ isValid: (Number) -> Bool
        ) throws -> Number {
            guard let text = raw[name], !text.isEmpty else { return 0 }
            guard let value = Number(text), isValid(value) else {
                throw refusal(name, text, "expected a number above 0")
            }
            return value
        }
        resources.memory = try number("memory") { $0 > 0 }
        resources.memorySwap = try number("memswap") { $0 == -1 || $0 > 0 }
        resources.cpuShares = try number("cpushares") { $0 > 0 }
        resources.cpuPeriod = try number("cpuperiod") { $0 > 0 }
        resources.cpuQuota = try number("cpuquota") { $0 > 0 }
        for (name, path) in [
            ("cpusetcpus", \Pb_LinuxResources.cpusetCpus),
            ("cpusetmems", \Pb_LinuxResources.cpusetMems),
        ] {
            guard let text = raw[name], !text.isEmpty else { continue }
            guard isCPUSet(text) else { throw refusal(name, text, "expected a list such as 0-3,5") }
            resources[keyPath: path] = text
        }
        return resources == Pb_LinuxResources() ? nil : resources
    }

    private static func isCPUSet(_ text: String) -> Bool {
        text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { part in
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
                .map { UInt16($0) }
            guard let first = ends[0] else { return false }
            guard ends.count > 1 else { return true }
            return ends[1].map { first <= $0 } ?? false
        }
    }
}
