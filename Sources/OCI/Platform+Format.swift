// SPDX-License-Identifier: Apache-2.0

extension Platform {
    /// The platform this program was compiled for.
    public static let host = Platform(os: "linux", architecture: hostArchitecture)

    private static let hostArchitecture: String = {
        #if arch(x86_64)
        "amd64"
        #elseif arch(arm64)
        "arm64"
        #elseif arch(powerpc64le)
        "ppc64le"
        #elseif arch(s390x)
        "s390x"
        #elseif arch(riscv64)
        "riscv64"
        #elseif arch(arm)
        "arm"
        #else
        "386"
        #endif
    }()

    /// Reads `os`, `architecture`, `os/architecture` or `os/architecture/variant`; a version and features of the
    /// operating system may follow its name in parentheses: `windows(10.0.17763+win32k)/amd64`.
    ///
    /// What is missing comes from ``host``. Names are folded as containerd does (`x86_64` → `amd64`, `arm64` →
    /// `arm64/v8` when a variant was asked for).
    ///
    /// - Throws: `invalidPlatform`.
    public init(parsing specifier: String) throws(OCIError) {
        func refuse(_ reason: String) -> OCIError {
            OCIError(.invalidPlatform, "cannot parse platform \"\(specifier)\": \(reason)")
        }
        let parts = specifier.split(separator: "/", omittingEmptySubsequences: false).map(
            String.init
        )
        guard parts.count <= 3 else {
            throw refuse("it has \(parts.count) components, at most 3 are allowed")
        }
        let system: OSSpecifier
        do {
            system = try OSSpecifier(parsing: parts[0])
        } catch {
            throw refuse(error.message)
        }
        for part in parts.dropFirst() where !OSSpecifier.isWord(part, extra: "_.-") {
            throw refuse("component \"\(part)\" may hold letters, digits, '_', '.' and '-' only")
        }
        self.init(
            os: Platform.normalizedOS(system.name),
            architecture: "",
            osVersion: system.version,
            osFeatures: system.features
        )
        if parts.count == 1 {
            if Platform.knownSystems.contains(os) {
                architecture = Platform.hostArchitecture
                return
            }
            (architecture, variant) = Platform.normalizedArchitecture(parts[0], nil)
            if architecture == "arm", variant == "v7" { variant = nil }
            guard Platform.knownArchitectures.contains(architecture) else {
                throw refuse(
                    "unknown operating system or architecture; write it as os/architecture"
                )
            }
            os = "linux"
            return
        }
        (architecture, variant) = Platform.normalizedArchitecture(
            parts[1],
            parts.count > 2 ? parts[2] : nil
        )
        if parts.count == 2 {
            if architecture == "arm", variant == "v7" { variant = nil }
        } else if architecture == "arm64", variant == nil {
            variant = "v8"
        }
    }

    /// The same platform under containerd's canonical names: `aarch64/v8` becomes `arm64`, `arm` becomes `arm/v7`.
    public var normalized: Platform {
        let (architecture, variant) = Platform.normalizedArchitecture(
            self.architecture,
            self.variant
        )
        let features = osFeatures.map { features in
            features.sorted().reduce(into: [String]()) { if $0.last != $1 { $0.append($1) } }
        }
        return Platform(
            os: Platform.normalizedOS(os),
            architecture: architecture,
            variant: variant,
            osVersion: osVersion,
            osFeatures: features
        )
    }

    static func normalizedOS(_ os: String) -> String {
        switch os.lowercased() {
        case "": "linux"
        case "macos": "darwin"
        case let name: name
        }
    }

    static func normalizedArchitecture(
        _ architecture: String,
        _ variant: String?
    ) -> (String, String?) {
        let variant = variant?.lowercased() ?? ""
        func some(_ text: String) -> String? { text.isEmpty ? nil : text }
        switch architecture.lowercased() {
        case "i386": return ("386", nil)
        case "x86_64", "x86-64", "amd64": return ("amd64", variant == "v1" ? nil : some(variant))
        case "aarch64", "arm64":
            switch variant {
            case "8", "v8", "v8.0": return ("arm64", nil)
            case "9", "9.0", "v9.0": return ("arm64", "v9")
            default: return ("arm64", some(variant))
            }
        case "armhf": return ("arm", "v7")
        case "armel": return ("arm", "v6")
        case "arm":
            switch variant {
            case "", "7": return ("arm", "v7")
            case "5", "6", "8": return ("arm", "v" + variant)
            default: return ("arm", variant)
            }
        case let name: return (name, some(variant))
        }
    }

    private static let knownSystems: Set<String> = [
        "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux",
        "nacl",
        "netbsd", "openbsd", "plan9", "solaris", "windows", "zos",
    ]

    private static let knownArchitectures: Set<String> = [
        "386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "ppc64", "ppc64le",
        "loong64", "mips",
        "mipsle", "mips64", "mips64le", "mips64p32", "mips64p32le", "ppc", "riscv", "riscv64",
        "s390", "s390x",
        "sparc", "sparc64", "wasm",
    ]
}

extension Platform: CustomStringConvertible {
    /// `os/architecture/variant` without the version of the operating system; `unknown` without a system.
    public var description: String {
        guard !os.isEmpty else { return "unknown" }
        return [os, architecture, variant ?? ""].filter { !$0.isEmpty }.joined(separator: "/")
    }

    /// Like ``description``, with version and features of the operating system in parentheses.
    ///
    /// Multi-platform results use it as the identifier of a platform.
    public var identifier: String {
        let version = OSSpecifier.escape(osVersion ?? "")
        let features = Set(osFeatures ?? []).filter { !$0.isEmpty }.sorted().map(OSSpecifier.escape)
        guard !os.isEmpty, !version.isEmpty || !features.isEmpty else { return description }
        let details = ([version] + features).joined(separator: "+")
        return ["\(os)(\(details))", architecture, variant ?? ""].filter { !$0.isEmpty }.joined(
            separator: "/"
        )
    }
}

/// The first component of a platform specifier: a name and, in parentheses, a version and features.
private struct OSSpecifier {
    var name: String
    var version: String?
    var features: [String]?

    init(parsing text: String) throws(OCIError) {
        guard let open = text.firstIndex(of: "(") else {
            name = text
            try OSSpecifier.check(name)
            return
        }
        name = String(text[..<open])
        try OSSpecifier.check(name)
        guard text.hasSuffix(")") else {
            throw OCIError(.invalidPlatform, "component \"\(text)\" lacks a closing parenthesis")
        }
        let inner = text[text.index(after: open)...].dropLast()
        let options = inner.split(separator: "+", omittingEmptySubsequences: false).map(String.init)
        var decoded: [String] = []
        for option in options {
            guard OSSpecifier.isWord(option, extra: "_.-%", allowEmpty: true),
                let plain = OSSpecifier.unescape(option)
            else {
                throw OCIError(.invalidPlatform, "invalid version or feature \"\(option)\"")
            }
            decoded.append(plain)
        }
        version = decoded[0].isEmpty ? nil : decoded[0]
        let rest = decoded.dropFirst().filter { !$0.isEmpty }
        features = rest.isEmpty ? nil : Array(rest)
    }

    private static func check(_ name: String) throws(OCIError) {
        guard isWord(name, extra: "_-") else {
            throw OCIError(
                .invalidPlatform,
                "operating system \"\(name)\" may hold letters, digits, '_' and '-' only"
            )
        }
    }

    static func isWord(_ text: String, extra: String, allowEmpty: Bool = false) -> Bool {
        (allowEmpty || !text.isEmpty)
            && text.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII
                    && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                    || extra.unicodeScalars.contains(scalar)
            }
    }

    static func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "%": result += "%25"
            case "+": result += "%2B"
            case "(": result += "%28"
            case ")": result += "%29"
            case "/": result += "%2F"
            default: result.append(character)
            }
        }
        return result
    }

    static func unescape(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
