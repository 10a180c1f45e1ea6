// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import SystemPackage

/// Content of `/etc/resolv.conf` for sandboxes.
package enum ResolverConfiguration {
    /// Largest file read, in bytes.
    private static let byteLimit = 1 << 20
    /// Used when the host names no server a sandbox could reach.
    private static let publicServers = ["8.8.8.8", "8.8.4.4"]

    /// The host's configuration, as a process in the given network can use it.
    ///
    /// With the host's network it is the host's file, or systemd-resolved's own where that file only names its stub. In a
    /// network of its own a sandbox cannot reach loopback servers: they are left out.
    package static func host(for network: SandboxSpec.Network) -> [UInt8] {
        var bytes = read("/etc/resolv.conf") ?? []
        if nameServers(in: bytes) == ["127.0.0.53"],
            let upstream = read("/run/systemd/resolve/resolv.conf")
        {
            bytes = upstream
        }
        return network == .host ? bytes : withoutLoopback(bytes)
    }

    /// Drops name servers on the loopback device; names public ones when none is left.
    package static func withoutLoopback(_ bytes: [UInt8]) -> [UInt8] {
        var lines: [String] = []
        var hasServer = false
        for line in String(decoding: bytes, as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        ) {
            if let server = nameServer(in: line) {
                if server.hasPrefix("127.") || server == "::1" { continue }
                hasServer = true
            }
            lines.append(String(line))
        }
        if !hasServer {
            while lines.last?.isEmpty == true { lines.removeLast() }
            lines += publicServers.map { "nameserver \($0)" }
            lines.append("")
        }
        return Array(lines.joined(separator: "\n").utf8)
    }

    private static func read(_ path: FilePath) -> [UInt8]? {
        try? Descriptor.open(host: path).readToEnd(byteLimit: byteLimit)
    }

    private static func nameServers(in bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap {
            nameServer(in: $0)
        }
    }

    private static func nameServer(in line: Substring) -> String? {
        let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
        return words.count >= 2 && words[0] == "nameserver" ? String(words[1]) : nil
    }
}

extension SandboxSpec {
    /// `/etc/resolv.conf` and `/etc/hosts`, where the profile has them.
    var generatedMounts: [Mount] {
        if !hasGeneratedNames || profile == .frontend { return [] }
        let resolver = resolverConfiguration ?? ResolverConfiguration.host(for: network)
        return [
            Self.generatedFile(resolver, at: "/etc/resolv.conf"),
            Self.generatedFile(hostsFile, at: "/etc/hosts"),
        ]
    }

    /// Content of `/etc/hosts`.
    var hostsFile: [UInt8] {
        var text = "127.0.0.1\tlocalhost \(hostName)\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        for host in extraHosts { text += "\(host.address)\t\(host.name)\n" }
        return Array(text.utf8)
    }

    private static func generatedFile(_ bytes: [UInt8], at target: String) -> Mount {
        var mount = Mount(.file(bytes, mode: 0o644), at: target, isReadOnly: true)
        mount.allowsExecution = false
        return mount
    }
}
