// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import LinuxSystem
internal import SystemPackage

/// What `kiln frontend new` makes a package of, for one language: a small frontend that works, with the SDK it vendors.
///
/// Templates are files, so that people can look at them and change them. `sdk.list` in a template's folder, if it is there,
/// names the files of the SDK that go with it, a line each: where it stands below `sdk`, and where it goes. A file called
/// `gitignore` gets its dot. In every file `{{NAME}}` stands for the frontend's name, `{{KILN}}` for the path of Kiln's own
/// sources.
struct FrontendTemplate {
    /// Templates are small; a longer file is none of theirs.
    private static let fileByteLimit = 4 << 20
    private static let sdkList = "sdk.list"

    private let files: Directory
    private let kits: Directory
    /// Kiln's own sources, when the templates stand among them.
    private let sources: FilePath?

    /// Finds the template of a language.
    ///
    /// - Throws: `UsageError` that names the languages there are, or where templates were sought.
    init(language: String) throws {
        let home = try Self.home()
        let all = try Directory(host: home).directory("templates")
        let languages = try all.entries().map(\.name).sorted()
        guard languages.contains(language) else {
            throw UsageError("unknown language \"\(language)\"; there are: \(languages.joined(separator: ", "))")
        }
        files = try all.directory(language)
        kits = try Directory(host: home).directory("sdk")
        let above = home.removingLastComponent()
        let isSourceTree = (try? Descriptor.open(host: above.appending("Package.swift"))) != nil
        sources = isSourceTree ? above : nil
    }

    /// Where templates and SDKs stand: `../share/kiln` beside the program, or `Frontends` in the sources it was built of.
    private static func home() throws -> FilePath {
        guard let program = FrontendProgram.ownDirectory else {
            throw UsageError("cannot find the templates: this process does not see its own path")
        }
        var candidates = [program.removingLastComponent().appending("share/kiln"), program.appending("share/kiln")]
        var above = program
        while !above.components.isEmpty {
            candidates.append(above.appending("Frontends"))
            above.removeLastComponent()
        }
        for candidate in candidates where (try? Directory(host: candidate.appending("templates"))) != nil {
            return candidate
        }
        throw UsageError(
            "cannot find the templates: they stand in \(candidates[0]), with \"make install\", or in Kiln's sources"
        )
    }

    /// Writes the package.
    ///
    /// - Returns: The paths of its files, sorted.
    func write(name: String, to package: Directory) throws -> [String] {
        var written = try copy(files, "", name: name, to: package)
        guard try files.statusIfExists(name: Self.sdkList) != nil else { return written.sorted() }
        let list = try String(
            decoding: files.open(Self.sdkList).readToEnd(byteLimit: Self.fileByteLimit),
            as: UTF8.self
        )
        for line in list.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 2 else { throw UsageError("\(Self.sdkList) of the template has the line \"\(line)\"") }
            let bytes = try kits.open(words[0]).readToEnd(byteLimit: Self.fileByteLimit)
            try write(bytes, to: words[1], mode: 0o644, in: package)
            written.append(words[1])
        }
        return written.sorted()
    }

    private func copy(_ source: Directory, _ prefix: String, name: String, to package: Directory) throws -> [String] {
        var written: [String] = []
        for entry in try source.entries().map(\.name).sorted() where prefix + entry != Self.sdkList {
            let status = try source.status(name: entry)
            if status.isDirectory {
                written += try copy(source.directory(entry), prefix + entry + "/", name: name, to: package)
            } else if status.isRegular {
                let path = prefix + (entry == "gitignore" ? ".gitignore" : entry)
                let text = try String(
                    decoding: source.open(entry).readToEnd(byteLimit: Self.fileByteLimit),
                    as: UTF8.self
                )
                let bytes = try [UInt8](filled(text, name: name).utf8)
                try write(bytes, to: path, mode: status.permissions & 0o111 == 0 ? 0o644 : 0o755, in: package)
                written.append(path)
            }
        }
        return written
    }

    private func filled(_ text: String, name: String) throws -> String {
        let named = text.split(separator: "{{NAME}}", omittingEmptySubsequences: false).joined(separator: name)
        let parts = named.split(separator: "{{KILN}}", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return named }
        guard let sources else {
            throw UsageError("frontends in Swift are built with Kiln's sources: run kiln from its source tree")
        }
        return parts.joined(separator: sources.string)
    }

    private func write(_ bytes: [UInt8], to path: String, mode: UInt32, in package: Directory) throws {
        let components = path.split(separator: "/").map(String.init)
        let directory = try package.makeDirectories(components.dropLast().joined(separator: "/"))
        try directory.createFile(components.last ?? path, mode: mode).write(bytes)
    }
}
