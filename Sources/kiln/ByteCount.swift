// SPDX-License-Identifier: Apache-2.0

/// A number of bytes as people read it: `512B`, `1.50kB`, `23.4MB`, in powers of 1000 as `docker` shows sizes.
func readableByteCount(_ bytes: Int64) -> String {
    var value = Double(bytes)
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if value < 1000 || unit == "TB" {
            return unit == "B" ? "\(bytes)B" : decimals(value, value < 10 ? 2 : value < 100 ? 1 : 0) + unit
        }
        value /= 1000
    }
    return "\(bytes)B"
}

/// Reads `512`, `10MB`, `1.5GiB`; `nil` when it is no size or does not fit.
func parseByteCount(_ text: String) -> Int64? {
    let digits = text.prefix { $0.isNumber || $0 == "." }
    guard let value = Double(digits), value.isFinite, value >= 0 else { return nil }
    let factors: [String: Double] = [
        "": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12,
        "tb": 1e12, "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824, "tib": 1_099_511_627_776,
    ]
    guard let factor = factors[text.dropFirst(digits.count).lowercased()] else { return nil }
    return Int64(exactly: (value * factor).rounded())
}

/// Reads `90s`, `15m`, `24h`, `7d`, or such parts one after another, into seconds; `nil` when it is no duration.
func parseSeconds(_ text: String) -> Int64? {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
    var total: Int64 = 0
    var rest = Substring(text)
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
        let digits = rest.prefix { $0.isNumber }
        rest = rest.dropFirst(digits.count)
        guard let count = Int64(digits), let unit = rest.popFirst(), let factor = units[unit] else {
            return nil
        }
        let (product, overflow) = count.multipliedReportingOverflow(by: factor)
        let (sum, overflowSum) = total.addingReportingOverflow(product)
        if overflow || overflowSum { return nil }
        total = sum
    }
    return total
}

/// A number with a fixed count of decimals.
func decimals(_ value: Double, _ count: Int) -> String {
    var factor = 1.0
    for _ in 0..<count { factor *= 10 }
    let scaled = (value * factor).rounded()
    guard count > 0, scaled.isFinite, abs(scaled) < 1e15 else {
        return scaled.isFinite && abs(scaled) < 1e15 ? String(Int64(scaled)) : String(value)
    }
    let whole = Int64(scaled)
    let unit = Int64(factor)
    let fraction = String(abs(whole) % unit)
    let sign = whole < 0 ? "-" : ""
    let padding = String(repeating: "0", count: count - fraction.count)
    return "\(sign)\(abs(whole) / unit).\(padding)\(fraction)"
}
