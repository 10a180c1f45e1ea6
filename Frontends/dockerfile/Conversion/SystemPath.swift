// SPDX-License-Identifier: Apache-2.0

internal import LLB

/// Paths of instructions under the operating system of the image: `\` and drive letters on Windows, nothing special
/// elsewhere.
struct SystemPath {
    let isWindows: Bool

    init(os: String) { isWindows = os == "windows" }

    /// `PATH` of an image that sets none.
    var defaultSearchPath: String {
        isWindows
            ? #"c:\Windows\System32;c:\Windows;C:\Windows\System32\WindowsPowerShell\v1.0"#
            : State.defaultPath
    }

    func toSlash(_ path: String) -> String {
        isWindows ? String(path.map { $0 == "\\" ? "/" : $0 }) : path
    }

    private func fromSlash(_ path: String) -> String {
        isWindows ? String(path.map { $0 == "/" ? "\\" : $0 }) : path
    }

    /// Whether a path begins at the root once its drive letter is gone.
    func isAbsolute(_ path: String) -> Bool {
        guard let path = try? withoutDrive(path, keepsSlash: false) else { return false }
        return SlashPath.isAbsolute(toSlash(path))
    }

    /// The absolute path, with slashes and without drive; a relative one begins at `parent`.
    ///
    /// An absolute path is not cleaned.
    func normalize(parent: String, _ path: String, keepsSlash: Bool) throws -> String {
        let original = toSlash(path)
        var parent = try withoutDrive(
            parent.isEmpty ? "/" : toSlash(parent),
            keepsSlash: keepsSlash
        )
        if !isAbsolute(parent) { parent = SlashPath.join("/", parent) }
        var result = try withoutDrive(original.isEmpty ? parent : original, keepsSlash: keepsSlash)
        if !isAbsolute(result) { result = SlashPath.join(parent, result) }
        if keepsSlash {
            if original.hasSuffix("/"), !result.hasSuffix("/") {
                result += "/"
            } else if original.hasSuffix("/.") {
                result += result == "/" ? "." : "/."
            }
        }
        return toSlash(result)
    }

    /// The working directory after WORKDIR, as the image config holds it.
    func workingDirectory(current: String, _ path: String) throws -> String {
        fromSlash(try normalize(parent: current, path, keepsSlash: false))
    }

    /// The path without `C:`; other drives and UNC paths are refused.
    func withoutDrive(_ path: String, keepsSlash: Bool) throws -> String {
        guard isWindows else { return path }
        func refuse(_ reason: String) -> ConversionError {
            ConversionError(.badInstruction, "cannot use path \"\(path)\": \(reason)")
        }
        if path.count == 2, path.hasSuffix(":") {
            throw refuse("it names a drive and no directory")
        }
        if toSlash(path).hasPrefix("//") { throw refuse("UNC paths are not supported") }
        let parts = path.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count > 1 else { return clean(path, keepsSlash: keepsSlash) }
        guard parts[0].lowercased() == "c" else { throw refuse("it is not on the system drive C:") }
        return clean(String(parts[1]), keepsSlash: keepsSlash)
    }

    private func clean(_ path: String, keepsSlash: Bool) -> String {
        let path = toSlash(path)
        let cleaned = SlashPath.clean(path)
        return keepsSlash && cleaned.count > 1 && path.hasSuffix("/") ? cleaned + "/" : cleaned
    }
}
