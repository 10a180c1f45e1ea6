// SPDX-License-Identifier: Apache-2.0

/// The dates and times of TOML, which are those of RFC 3339 and parts of them.
enum TOMLDateTime {
    /// Whether a text is an offset date-time, a local date-time, a local date or a local time.
    static func isValid(_ text: [UInt8]) -> Bool {
        var rest = text[...]
        if rest.count >= 3, rest[rest.startIndex + 2] == UInt8(ascii: ":") {
            return takeTime(&rest) && rest.isEmpty
        }
        guard takeDate(&rest) else { return false }
        guard let separator = rest.popFirst() else { return true }
        guard separator == 0x20 || separator | 0x20 == UInt8(ascii: "t"), takeTime(&rest) else { return false }
        return rest.isEmpty || takeOffset(&rest) && rest.isEmpty
    }

    private static func takeDate(_ rest: inout ArraySlice<UInt8>) -> Bool {
        guard let year = takeNumber(&rest, digits: 4), take("-", &rest), let month = takeNumber(&rest, digits: 2),
            take("-", &rest), let day = takeNumber(&rest, digits: 2), (1...12).contains(month), day >= 1
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return day <= lengths[month - 1]
    }

    private static func takeTime(_ rest: inout ArraySlice<UInt8>) -> Bool {
        guard let hour = takeNumber(&rest, digits: 2), take(":", &rest), let minute = takeNumber(&rest, digits: 2),
            take(":", &rest), let second = takeNumber(&rest, digits: 2), hour < 24, minute < 60, second < 61
        else { return false }
        guard take(".", &rest) else { return true }
        let fraction = rest.prefix(while: isDigit)
        rest = rest.dropFirst(fraction.count)
        return !fraction.isEmpty
    }

    private static func takeOffset(_ rest: inout ArraySlice<UInt8>) -> Bool {
        if take("Z", &rest) || take("z", &rest) { return true }
        guard take("+", &rest) || take("-", &rest), let hour = takeNumber(&rest, digits: 2), take(":", &rest),
            let minute = takeNumber(&rest, digits: 2)
        else { return false }
        return hour < 24 && minute < 60
    }

    private static func take(_ character: Unicode.Scalar, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard let first = rest.first, Unicode.Scalar(first) == character else { return false }
        rest = rest.dropFirst()
        return true
    }

    private static func takeNumber(_ rest: inout ArraySlice<UInt8>, digits: Int) -> Int? {
        let text = rest.prefix(digits)
        guard text.count == digits, text.allSatisfy(isDigit) else { return nil }
        rest = rest.dropFirst(digits)
        return text.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}
