// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials

/// Values of HTTP headers.
enum HTTPText {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Seconds since 1970 of `Wed, 21 Oct 2015 07:28:00 GMT`; `nil` for another form.
    static func seconds(_ date: String) -> Int64? {
        let parts = date.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[5] == "GMT", let day = Int64(parts[1]), (1...31).contains(day),
            let month = months.firstIndex(of: parts[2]), let year = Int64(parts[3]), (1600...9999).contains(year)
        else { return nil }
        let clock = parts[4].split(separator: ":").map { Int64($0) }
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
            (0..<24).contains(hour), (0..<60).contains(minute), (0...60).contains(second)
        else { return nil }
        // Days from the civil calendar; years begin in March, so that the leap day is the last.
        let shifted = month >= 2 ? year : year - 1
        let monthFromMarch = Int64((month + 10) % 12)
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return (era * 146_097 + dayOfEra - 719_468) * 86_400 + hour * 3600 + minute * 60 + second
    }

    /// The file name of a `Content-Disposition`, without directories; `nil` when it has none that can be used.
    static func filename(disposition: String) -> String? {
        for part in disposition.split(separator: ";").dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1).map { $0.trimmed }
            guard pair.count == 2, pair[0].lowercased() == "filename" else { continue }
            var value = pair[1]
            if value.hasPrefix("\""), value.hasSuffix("\""), value.utf8.count >= 2 {
                value = String(value.dropFirst().dropLast()).replacing("\\\"", with: "\"").replacing("\\\\", with: "\\")
            }
            if !value.hasSuffix("/"), let name = base(of: value) { return name }
        }
        return nil
    }

    /// The last component of a path; `nil` when that is no file's name.
    static func base(of path: String) -> String? {
        guard let name = path.split(separator: "/").last.map(String.init), name != ".", name != "..",
            !name.utf8.contains(0), name.utf8.count <= 255
        else { return nil }
        return name
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
