// SPDX-License-Identifier: Apache-2.0

/// What kind of mistake an error is about, told by words that its text has in BuildKit or here.
///
/// The corpus holds BuildKit's texts; ours say the same better, so that only the kind can be compared.
struct ErrorClass: Hashable {
    private let index: Int

    private static let words = [
        ["unknown instruction"],
        ["unknown flag"],
        ["missing a value on flag", "missing a value for flag"],
        ["no build stage in current context", "before the first FROM"],
        ["circular dependency"],
        ["failed to parse stage name", "cannot parse image reference"],
        ["base name ("],
        ["variable expansion is not supported for --from"],
        ["doesn't support variable expansion", "cannot hold a variable"],
        ["invalid name for build stage"],
        ["invalid chmod parameter"],
        ["cannot copy from stage"],
        ["requires at least one argument"],
        ["requires either one or three arguments"],
        ["must have two arguments"],
        ["device feature", "--device is not supported"],
        ["must be a key=value pair", "it must be key=value"],
        ["failed to parse platform", "cannot parse platform"],
        ["empty platform value"],
        ["matching single-quote", "single quote is not closed"],
        ["matching double-quote", "double quote is not closed"],
        ["SOURCE_DATE_EPOCH stage"],
        ["invalid SOURCE_DATE_EPOCH"],
        ["lint violation found"],
        ["unexpected key"],
        ["unsupported mount type"],
        ["comprised of strings only", "must hold strings only"],
        ["source can't be a URL"],
        ["not allowed to be unset"],
        ["invalid escape token", "invalid escape character"],
        ["greater than max allowed size", "at most 65535 are allowed"],
    ]

    /// `nil` for a text of no kind that is known here.
    init?(of text: String) {
        guard let index = Self.words.firstIndex(where: { $0.contains { text.contains($0) } }) else { return nil }
        self.index = index
    }
}
