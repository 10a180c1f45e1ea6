// SPDX-License-Identifier: Apache-2.0

internal import LLB

extension GitReference {
    /// Reads a source of a Dockerfile; `nil` when it is no git repository.
    ///
    /// - Throws: `badSource` when it is one, with a query that means nothing.
    init?(source text: String) throws(ConversionError) {
        do throws(Refusal) {
            guard let reference = try GitReference(parsing: text) else { return nil }
            self = reference
        } catch {
            throw ConversionError(.badSource, error.message)
        }
    }
}

/// Whether ADD downloads a source rather than copying it or cloning it.
func isHTTPSource(_ source: String) -> Bool {
    (source.hasPrefix("http://") || source.hasPrefix("https://")) && !isGitSource(source)
}

/// Whether a source is a git repository.
func isGitSource(_ source: String) -> Bool { (try? GitReference(parsing: source)) != nil }

/// The name a download gets: the last component of the URL's path.
func downloadName(_ url: String) -> String {
    let unnamed = "__unnamed__"
    guard let scheme = url.firstRange(of: "://") else { return unnamed }
    let location = url[scheme.upperBound...].prefix { $0 != "#" && $0 != "?" }
    guard let slash = location.firstIndex(of: "/") else { return unnamed }
    var bytes: [UInt8] = []
    var rest = Array(location[slash...].utf8)[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            guard byte >= 0x20, byte != 0x7f else { return unnamed }
            bytes.append(byte)
            continue
        }
        let digits = String(decoding: rest.prefix(2), as: UTF8.self)
        guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit),
            let value = UInt8(digits, radix: 16)
        else {
            return unnamed
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
    }
    let base = SlashPath.base(String(decoding: bytes, as: UTF8.self))
    return base == "." || base == "/" ? unnamed : base
}
