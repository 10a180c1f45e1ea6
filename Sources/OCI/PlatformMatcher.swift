// SPDX-License-Identifier: Apache-2.0

/// Which platforms can run where one platform is wanted, best first.
public struct PlatformMatcher: Sendable {
    /// The accepted platforms in falling order of preference, normalized.
    public let candidates: [Platform]

    /// Accepts `platform` and what its processors run as well: `amd64/v2` takes `amd64` and `386`, `arm64` takes `arm/v8`
    /// down to `arm/v5`.
    public init(running platform: Platform) {
        candidates = PlatformMatcher.vector(platform.normalized)
    }

    /// Accepts `platform` alone.
    public init(exactly platform: Platform) {
        candidates = [platform.normalized]
    }

    /// Whether a platform is accepted.
    public func accepts(_ platform: Platform) -> Bool { rank(platform) != nil }

    /// The position of the best accepted platform; the earlier of equals; `nil` when none is accepted.
    public func bestIndex(of platforms: [Platform]) -> Int? {
        var best: (rank: Int, featureCount: Int, index: Int)?
        for (index, platform) in platforms.enumerated() {
            guard let rank = rank(platform) else { continue }
            let featureCount = platform.osFeatures?.count ?? 0
            if let best, (best.rank, -best.featureCount) <= (rank, -featureCount) { continue }
            best = (rank, featureCount, index)
        }
        return best?.index
    }

    private func rank(_ platform: Platform) -> Int? {
        let wanted = platform.normalized
        return candidates.firstIndex { candidate in
            candidate.os == wanted.os && candidate.architecture == wanted.architecture
                && candidate.variant == wanted.variant
                && Set(candidate.osFeatures ?? []).isSuperset(of: wanted.osFeatures ?? [])
                && PlatformMatcher.sameWindows(candidate, wanted)
        }
    }

    /// Windows images run only on the release and build they were made for.
    private static func sameWindows(_ candidate: Platform, _ wanted: Platform) -> Bool {
        guard candidate.os == "windows", let left = candidate.osVersion,
            let right = wanted.osVersion
        else {
            return true
        }
        return left.split(separator: ".").prefix(3) == right.split(separator: ".").prefix(3)
    }

    private static func vector(_ platform: Platform) -> [Platform] {
        func with(_ architecture: String, _ variant: String?) -> Platform {
            var copy = platform
            copy.architecture = architecture
            copy.variant = variant
            return copy.normalized
        }
        let level = platform.variant.flatMap {
            Int($0.hasPrefix("v") ? String($0.dropFirst()) : $0)
        }
        switch platform.architecture {
        case "amd64":
            let lower =
                (level ?? 1) > 1 && (level ?? 1) <= 4
                ? stride(from: (level ?? 1) - 1, to: 0, by: -1).map { $0 } : []
            return [platform] + lower.map { with("amd64", "v\($0)") } + [with("386", nil)]
        case "arm":
            guard let level, level > 5, level <= 8 else { return [platform] }
            return [platform]
                + stride(from: level - 1, through: 5, by: -1).map { with("arm", "v\($0)") }
        case "arm64": return arm64Vector(platform, with)
        default: return [platform]
        }
    }

    private static func arm64Vector(
        _ platform: Platform,
        _ with: (String, String?) -> Platform
    ) -> [Platform] {
        let parts = (platform.variant ?? "v8").dropFirst().split(separator: ".").compactMap {
            Int($0)
        }
        guard let major = parts.first, (8...9).contains(major),
            (0...9).contains(parts.count > 1 ? parts[1] : 0)
        else { return [platform] }
        let minor = parts.count > 1 ? parts[1] : 0
        func names(_ major: Int, from minor: Int) -> [Platform] {
            stride(from: minor, through: 0, by: -1).map {
                with("arm64", $0 == 0 ? "v\(major)" : "v\(major).\($0)")
            }
        }
        // Each v9.n contains v8.(n+5).
        let own =
            major == 9
            ? names(9, from: minor) + names(8, from: min(9, minor + 5)) : names(8, from: minor)
        return own + vector(with("arm", "v8"))
    }
}
