// SPDX-License-Identifier: Apache-2.0

/// The flags of one instruction, checked against those it may have.
struct FlagSet {
    enum Kind {
        /// `--name`, `--name=true` or `--name=false`.
        case boolean
        /// `--name=value`, at most once.
        case string
        /// `--name=value`, any number of times.
        case strings
    }

    private var values: [String: [Word]] = [:]
    private var booleans: [String: Bool] = [:]

    /// - Throws: `unknownFlag` or `badFlag`, at the flag.
    init(_ node: Node, allowed: [String: Kind] = [:]) throws(DockerfileError) {
        for flag in node.flags {
            try add(flag, allowed: allowed, instruction: node.name)
        }
    }

    private mutating func add(
        _ flag: Word,
        allowed: [String: Kind],
        instruction: String
    ) throws(DockerfileError) {
        let parts = cut(flag.text, at: "=")
        let dashed = parts?.before ?? flag.text
        let name = String(dashed.unicodeScalars.dropFirst(2))
        guard dashed.utf8.starts(with: "--".utf8), let kind = allowed[name] else {
            throw DockerfileError(
                .unknownFlag,
                "unknown flag \(excerpt(dashed)) of \(instruction)",
                suggestion: nearestWord(to: name, among: allowed.keys).map { "--" + $0 },
                range: flag.range
            )
        }
        if kind != .strings, values[name] != nil || booleans[name] != nil {
            throw DockerfileError(
                .badFlag,
                "duplicate flag \(dashed) of \(instruction)",
                range: flag.range
            )
        }
        guard let value = parts?.after else {
            guard kind == .boolean else { throw Self.missingValue(dashed, instruction, flag) }
            booleans[name] = true
            return
        }
        guard kind == .boolean else {
            values[name, default: []].append(Word(value, flag.range))
            return
        }
        switch value.lowercased() {
        case "": throw Self.missingValue(dashed, instruction, flag)
        case "true": booleans[name] = true
        case "false": booleans[name] = false
        default:
            throw DockerfileError(
                .badFlag,
                "flag \(dashed) of \(instruction) must be true or false, not \(excerpt(value))",
                range: flag.range
            )
        }
    }

    private static func missingValue(
        _ flag: String,
        _ instruction: String,
        _ word: Word
    ) -> DockerfileError {
        DockerfileError(
            .badFlag,
            "missing a value for flag \(flag) of \(instruction)",
            range: word.range
        )
    }

    func string(_ name: String) -> String { values[name]?.first?.text ?? "" }

    func word(_ name: String) -> Word? { values[name]?.first }

    func words(_ name: String) -> [Word] { values[name] ?? [] }

    /// nil when the flag is not given.
    func boolean(_ name: String) -> Bool? { booleans[name] }

    /// Sorted.
    var usedNames: [String] { (Array(values.keys) + booleans.keys).sorted() }
}
