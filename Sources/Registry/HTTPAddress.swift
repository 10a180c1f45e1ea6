// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials

/// Reads an address that may be relative to another; only `http` and `https` with a host count.
func address(_ text: String, relativeTo base: URL) -> URL? {
    guard text.utf8.count <= 16 << 10, let url = URL(string: text, relativeTo: base)?.absoluteURL,
        let scheme = url.scheme?.lowercased(), scheme == "http" || scheme == "https",
        let host = url.host(percentEncoded: true), !host.isEmpty
    else { return nil }
    return url
}

/// Whether two addresses have scheme, host and port in common.
func sameOrigin(_ left: URL, _ right: URL) -> Bool {
    func port(_ url: URL) -> Int { url.port ?? (url.scheme?.lowercased() == "https" ? 443 : 80) }
    return left.scheme?.lowercased() == right.scheme?.lowercased()
        && left.host(percentEncoded: true)?.lowercased()
            == right.host(percentEncoded: true)?.lowercased()
        && port(left) == port(right)
}

/// A server in the words of an error: host and port, never path or query, which may hold a
/// signature.
func hostText(_ url: URL) -> String {
    let host = url.host(percentEncoded: false) ?? "the server"
    guard let port = url.port else { return host }
    return "\(host.contains(":") ? "[\(host)]" : host):\(port)"
}
