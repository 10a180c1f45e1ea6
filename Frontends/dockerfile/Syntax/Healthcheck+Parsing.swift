// SPDX-License-Identifier: Apache-2.0

extension Healthcheck {
    init(_ node: Node) throws(DockerfileError) {
        try Instruction.Body.requireArguments(node)
        let type = node.arguments[0].text.uppercased()
        let arguments = node.arguments.dropFirst().map(\.text)
        if type == "NONE" {
            guard arguments.isEmpty else {
                throw DockerfileError(.badArguments, "HEALTHCHECK NONE takes no arguments")
            }
            self.init(test: [type])
            return
        }
        let flags = try FlagSet(
            node,
            allowed: [
                "interval": .string, "timeout": .string, "start-period": .string,
                "start-interval": .string,
                "retries": .string,
            ]
        )
        guard type == "CMD" else {
            throw DockerfileError(
                .badArguments,
                "unknown type \(excerpt(node.arguments[0].text)) of HEALTHCHECK; allowed are CMD and NONE",
                suggestion: nearestWord(to: type, among: ["CMD", "NONE"]),
                range: node.arguments[0].range
            )
        }
        guard !arguments.isEmpty else {
            throw DockerfileError(.badArguments, "HEALTHCHECK CMD requires a command")
        }
        self.init(test: [node.isJSON ? "CMD" : "CMD-SHELL"] + arguments)
        interval = try Self.duration(flags, "interval")
        timeout = try Self.duration(flags, "timeout")
        startPeriod = try Self.duration(flags, "start-period")
        startInterval = try Self.duration(flags, "start-interval")
        if let flag = flags.word("retries"), !flag.text.isEmpty {
            guard let count = Int32(flag.text), count >= 0 else {
                throw DockerfileError(
                    .badFlag,
                    "--retries of HEALTHCHECK must be a number from 0 to \(Int32.max), not \(excerpt(flag.text))",
                    range: flag.range
                )
            }
            retries = count
        }
    }

    private static func duration(_ flags: FlagSet, _ name: String) throws(DockerfileError) -> Int64 {
        guard let flag = flags.word(name), !flag.text.isEmpty else { return 0 }
        guard let duration = parseDuration(flag.text) else {
            throw DockerfileError(
                .badFlag,
                "--\(name) of HEALTHCHECK must be a duration like 30s or 1m30s, not \(excerpt(flag.text))",
                range: flag.range
            )
        }
        let minimum: Int64 = 1_000_000
        guard duration == 0 || duration >= minimum else {
            throw DockerfileError(
                .badFlag,
                "--\(name) of HEALTHCHECK is \(flag.text), less than 1ms",
                range: flag.range
            )
        }
        return duration
    }
}

/// Nanoseconds of a duration in Go's notation: `1h30m`, `1.5s`, `-300ms`, `0`.
///
/// Nil if it is none, or too large.
func parseDuration(_ text: String) -> Int64? {
    var rest = Array(text.utf8)[...]
    var isNegative = false
    if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
        isNegative = sign == UInt8(ascii: "-")
        rest = rest.dropFirst()
    }
    if rest.elementsEqual("0".utf8) { return 0 }
    guard !rest.isEmpty else { return nil }
    var total: UInt64 = 0
    let limit = UInt64(1) << 63
    while !rest.isEmpty {
        let digits = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }
        rest = rest.dropFirst(digits.count)
        var fraction: ArraySlice<UInt8> = []
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            fraction = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }
            rest = rest.dropFirst(fraction.count)
        }
        guard !digits.isEmpty || !fraction.isEmpty else { return nil }
        let unitText = rest.prefix { $0 != UInt8(ascii: ".") && !($0 >= 0x30 && $0 <= 0x39) }
        rest = rest.dropFirst(unitText.count)
        let unit: UInt64
        switch String(decoding: unitText, as: UTF8.self) {
        case "ns": unit = 1
        case "us", "µs", "μs": unit = 1_000
        case "ms": unit = 1_000_000
        case "s": unit = 1_000_000_000
        case "m": unit = 60_000_000_000
        case "h": unit = 3_600_000_000_000
        default: return nil
        }
        guard let whole = digits.isEmpty ? 0 : UInt64(String(decoding: digits, as: UTF8.self))
        else { return nil }
        var (value, overflow) = whole.multipliedReportingOverflow(by: unit)
        if overflow || value > limit { return nil }
        // More digits than a nanosecond of an hour needs change nothing.
        let significant = fraction.prefix(18)
        if let part = UInt64(String(decoding: significant, as: UTF8.self)), part > 0 {
            var scale = 1.0
            for _ in significant { scale *= 10 }
            value += UInt64(Double(part) * (Double(unit) / scale))
        }
        (total, overflow) = total.addingReportingOverflow(value)
        if overflow || total > limit { return nil }
    }
    if isNegative { return total == limit ? Int64.min : -Int64(total) }
    return Int64(exactly: total)
}
