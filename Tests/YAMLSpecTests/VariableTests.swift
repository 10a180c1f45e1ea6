// SPDX-License-Identifier: Apache-2.0

import OCI
import Testing
import YAMLSpec

struct VariableTests {
    private func spec(_ variables: String, _ value: String) -> String {
        "variables:\n\(variables)\nimages:\n  app:\n    base: alpine:3\n    env: {V: \"\(value)\"}\n"
    }

    @Test func `values come from the command line, else from defaults that may use others`() async throws {
        let text = spec("  a: one\n  b: \"${a}-two\"", "${b}/${target.arch}/${build.platform}")
        let plain = try await convert(text, platform: arm64)
        #expect(plain.config.config.environment.last == "V=one-two/arm64/linux/amd64")
        let given = try await convert(text, arguments: ["a": "1"], platform: arm64)
        #expect(given.config.config.environment.last == "V=1-two/arm64/linux/amd64")
    }

    @Test func `text stays as it was written: versions lose no zero, no is not false`() async throws {
        let text = spec("  v: 3.10\n  n: no", "${v} ${n}")
        #expect(try await convert(text).config.config.environment.last == "V=3.10 no")
    }

    @Test func `two dollars are one`() async throws {
        let text = spec("  a: x", "$${a} $a $ $$ ${a}")
        #expect(try await convert(text).config.config.environment.last == "V=${a} $a $ $$ x")
    }

    @Test func `a value that breaks a rule of its variable is refused with the rule`() async {
        let text = spec(
            "  a: {default: v1, pattern: 'v\\d+'}\n  b: {default: x, one-of: [x, y]}\n  c: {type: integer, default: 1}\n"
                + "  d: {type: boolean, default: false}\n  e: {required: true, description: the key}",
            "${a}${b}${c}${d}${e}"
        )
        let message = await complaint(text, arguments: ["a": "w1", "b": "z", "c": "1.5", "d": "yes"])
        #expect(message.contains("image.yaml:2:3: a cannot be \"w1\": expected something like v\\d+"))
        #expect(message.contains("b cannot be \"z\": expected one of x, y"))
        #expect(message.contains("c cannot be \"1.5\": expected a whole number"))
        #expect(message.contains("d cannot be \"yes\": expected true or false"))
        #expect(message.contains("variable \"e\" (the key) needs a value"))
        #expect(message.contains("--build-arg e=…"))
        #expect(message.hasSuffix("5 problems"))
    }

    @Test func `defaults obey the rules as well`() async {
        let message = await complaint(spec("  a: {default: z, one-of: [x, y]}", "${a}"))
        #expect(message.contains("the default of a is \"z\": expected one of x, y"))
    }

    @Test func `an unknown name is marked where it stands, with the nearest known one`() async {
        let message = await complaint("variables: {version: 1}\nimages:\n  app:\n    base: alpine:${verison}\n")
        #expect(message.contains("image.yaml:4:18: unknown variable \"verison\"; did you mean \"version\"?"))
        #expect(message.contains("|                  ^^^^^^^^^^"))
    }

    @Test func `variables that need each other are refused`() async {
        let message = await complaint(spec("  a: \"${b}\"\n  b: \"${a}\"", "${a}"))
        #expect(message.contains("variables need each other: a → b → a"))
    }

    @Test func `defaults cannot grow without bound`() async {
        var lines = "  v0: xxxxxxxxxxxxxxxx"
        for index in 1...20 { lines += "\n  v\(index): \"" + String(repeating: "${v\(index - 1)}", count: 16) + "\"" }
        #expect(await complaint(spec(lines, "${v20}")).contains("longer than 4096 bytes"))
    }

    @Test func `values cannot grow texts without bound`() async {
        let value = String(repeating: "x", count: 4096)
        let text =
            "variables: {a: 1}\nimages:\n  app:\n    base: alpine:3\n    env: {V: \"\(String(repeating: "${a}", count: 100))\"}\n"
        #expect(await complaint(text, arguments: ["a": value]).contains("too long once its variables are replaced"))
    }

    @Test(arguments: [
        ("a+", "aaa", true), ("a+", "", false), ("(ab|c)*d?", "ababcd", true), ("[a-c\\d_-]{2,3}", "a-", true),
        ("[^x]", "x", false), ("\\w+\\.\\w+", "v1.2", true), ("^v\\d+$", "v12", true), ("v\\d+", "xv12", false),
        ("a{3}", "aa", false), ("a{2,}", "aaaa", true), (".", "é", true), ("(?:a|b)c", "bc", true), ("", "", true),
    ])
    func `patterns match whole values`(pattern: String, value: String, isMatch: Bool) throws {
        #expect(try TextPattern(pattern).matches(value) == isMatch)
    }

    @Test(arguments: [
        "(", ")", "[", "*a", "a{2,1}", "a{x}", "\\", "[z-a]", "\\q", "(((a{1000}){1000}){1000})",
        "((((){1000}){1000}){1000}){1000}",
    ])
    func `patterns that mean nothing are refused`(pattern: String) {
        #expect(throws: TextPattern.Failure.self) { try TextPattern(pattern) }
    }

    @Test func `no pattern takes long`() throws {
        let pattern = try TextPattern("(a+)+b|(a|aa)+c")
        let clock = ContinuousClock()
        let value = String(repeating: "a", count: 4000)
        let duration = clock.measure { #expect(!pattern.matches(value)) }
        #expect(duration < .seconds(5))
    }
}
