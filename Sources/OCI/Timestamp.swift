// SPDX-License-Identifier: Apache-2.0

/// A moment with the offset it was written with, as image configs hold it (RFC 3339).
///
/// Two timestamps are equal when moment and offset are, so that a config survives reading and writing byte by byte.
public struct Timestamp: Hashable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z.
    public let seconds: Int64
    /// 0 to 999 999 999.
    public let nanoseconds: Int32
    /// Seconds east of UTC, a multiple of 60.
    public let offset: Int32

    /// A moment; the nanoseconds are clamped to 0...999 999 999.
    public init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.init(seconds: seconds, nanoseconds: nanoseconds, offset: 0)
    }

    private init(seconds: Int64, nanoseconds: Int32, offset: Int32) {
        self.seconds = seconds
        self.nanoseconds = min(max(nanoseconds, 0), 999_999_999)
        self.offset = offset
    }

    /// Reads `2026-08-21T10:20:30.123456789Z` or the same with an offset such as `+02:00`.
    ///
    /// - Throws: `invalidTimestamp`.
    public init(parsing text: String) throws(OCIError) {
        guard let value = Timestamp.parse(Array(text.utf8)) else {
            throw OCIError(
                .invalidTimestamp,
                "cannot read time \"\(text)\": expected the form 2006-01-02T15:04:05Z"
            )
        }
        self = value
    }

    private static func parse(_ bytes: [UInt8]) -> Timestamp? {
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[range] {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        func has(_ character: Character, at index: Int) -> Bool {
            index < bytes.count && bytes[index] == character.asciiValue
        }
        guard let year = number(0..<4), has("-", at: 4), let month = number(5..<7), has("-", at: 7),
            let day = number(8..<10), has("T", at: 10), let hour = number(11..<13),
            has(":", at: 13),
            let minute = number(14..<16), has(":", at: 16), let second = number(17..<19),
            (1...12).contains(month), day >= 1, day <= daysInMonth(month, year: year),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var position = 19
        var nanoseconds: Int32 = 0
        if has(".", at: position) {
            position += 1
            let start = position
            var scale: Int32 = 100_000_000
            while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 {
                nanoseconds += Int32(bytes[position] - 0x30) * scale
                scale /= 10
                position += 1
            }
            guard position > start else { return nil }
        }
        var offset: Int32 = 0
        if has("Z", at: position) {
            position += 1
        } else if has("+", at: position) || has("-", at: position) {
            guard let hours = number(position + 1..<position + 3), has(":", at: position + 3),
                let minutes = number(position + 4..<position + 6), hours < 24, minutes < 60
            else { return nil }
            offset = Int32(hours * 3600 + minutes * 60) * (has("-", at: position) ? -1 : 1)
            position += 6
        }
        guard position > 19, position == bytes.count, bytes.count > 19,
            bytes[bytes.count - 1] != 0x2e
        else {
            return nil
        }
        let seconds =
            days(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second
        let last = bytes[bytes.count - 1]
        guard last == UInt8(ascii: "Z") || bytes.count >= 25 else { return nil }
        return Timestamp(seconds: seconds - Int64(offset), nanoseconds: nanoseconds, offset: offset)
    }

    private static func daysInMonth(_ month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin with March.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 with as many fraction digits as are needed.
    public var description: String {
        let local = seconds + Int64(offset)
        var days = local / 86_400
        var rest = local % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        let (year, month, day) = Timestamp.date(days: days)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let yearText = String(repeating: "0", count: max(0, 4 - "\(year)".count)) + "\(year)"
        var text = "\(yearText)-\(two(month))-\(two(day))"
        text += "T\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
        if nanoseconds > 0 {
            let digits = "\(nanoseconds)"
            var fraction = String(repeating: "0", count: 9 - digits.count) + digits
            while fraction.hasSuffix("0") { fraction.removeLast() }
            text += "." + fraction
        }
        guard offset != 0 else { return text + "Z" }
        let minutes = Int64(abs(offset)) / 60
        return text + (offset < 0 ? "-" : "+") + two(minutes / 60) + ":" + two(minutes % 60)
    }
}
