// SPDX-License-Identifier: Apache-2.0

/// At most 200 characters of an address, with `xxxxx` for the login that it may hold: for messages and for what is kept.
func withoutLogin(_ address: String) -> String {
    guard let separator = address.firstRange(of: "://") else { return String(address.prefix(200)) }
    let rest = address[separator.upperBound...]
    let authority = rest.prefix { $0 != "/" }
    guard let at = authority.lastIndex(of: "@") else { return String(address.prefix(200)) }
    return String((address[..<separator.upperBound] + "xxxxx" + rest[at...]).prefix(200))
}
