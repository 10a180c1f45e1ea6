// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// Annotations asked for by keys `annotation[-<place>][[<platform>]].<key>`.
struct Annotations: Sendable {
    /// What an annotation is put on.
    enum Place: String, Sendable, CaseIterable {
        case manifest
        case manifestDescriptor = "manifest-descriptor"
        case index
        case indexDescriptor = "index-descriptor"
    }

    /// One annotation; `platform` is `nil` for all.
    private struct Entry: Sendable {
        var place: Place
        var platform: String?
        var key: String
        var value: String
    }

    private var entries: [Entry] = []

    /// Takes annotations out of attributes; later calls win over earlier ones.
    ///
    /// - Returns: `false` when the name is none of an annotation.
    /// - Throws: ``ExportError``, `invalidAttribute`, for a place or platform that does not exist.
    mutating func take(_ name: String, _ value: String) throws -> Bool {
        guard let (place, platform, key) = try Self.parse(name) else { return false }
        entries.append(Entry(place: place, platform: platform, key: key, value: value))
        return true
    }

    /// The annotations of a place; those for the very platform win over those for all.
    func on(_ place: Place, _ platform: Platform? = nil) -> [String: String] {
        var found: [String: String] = [:]
        for entry in entries where entry.place == place && entry.platform == nil {
            found[entry.key] = entry.value
        }
        guard let identifier = platform?.identifier else { return found }
        for entry in entries where entry.place == place && entry.platform == identifier {
            found[entry.key] = entry.value
        }
        return found
    }

    /// Whether anything but plain manifest annotations was asked for, which Docker's types have no
    /// room for.
    var needsOCITypes: Bool { entries.contains { $0.place != .manifest } }

    /// Platforms that annotations name.
    var platforms: Set<String> { Set(entries.compactMap(\.platform)) }

    private static func parse(_ name: String) throws -> (Place, String?, String)? {
        var rest = Substring(name)
        guard rest.hasPrefix("annotation") else { return nil }
        rest = rest.dropFirst("annotation".count)
        var place = Place.manifest
        if rest.first == "-" {
            rest = rest.dropFirst()
            let word = rest.prefix { $0 != "[" && $0 != "." }
            guard let named = Place(rawValue: String(word)) else {
                let places = Place.allCases.map(\.rawValue).joined(separator: ", ")
                throw ExportError(
                    .invalidAttribute,
                    "cannot annotate by \"\(name)\": \"\(word)\" is no place; use one of \(places)"
                )
            }
            place = named
            rest = rest.dropFirst(word.count)
        }
        var platform: String?
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            let text = rest[rest.index(after: rest.startIndex)..<end]
            do {
                platform = try Platform(parsing: String(text)).normalized.identifier
            } catch {
                throw ExportError(
                    .invalidAttribute,
                    "cannot annotate by \"\(name)\": \(error)",
                    cause: error
                )
            }
            rest = rest[rest.index(after: end)...]
        }
        guard rest.first == ".", rest.count > 1 else { return nil }
        let key = String(rest.dropFirst())
        if key.contains(where: \.isWhitespace) { return nil }
        return (place, platform, key)
    }
}
