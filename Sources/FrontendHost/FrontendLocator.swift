// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
package import SystemPackage

/// Decides which frontend reads a build file, and finds its executable.
///
/// The order is: the `--frontend` option, the build argument `BUILDKIT_SYNTAX`, the file's `# syntax=` directive, and else
/// the built-in `dockerfile`. `docker/dockerfile` with any tag means the built-in one. Nothing is ever fetched here.
package struct FrontendLocator: Sendable {
    /// A frontend that was chosen.
    package struct Choice: Sendable {
        package let program: FrontendProgram
        /// The whole directive or argument that chose it, for the frontend.
        package let commandLine: String?
    }

    /// The built-in frontend.
    package static let builtIn = "dockerfile"
    /// Repositories that mean the built-in frontend.
    private static let aliases: Set<String> = [
        "docker.io/docker/dockerfile", "docker.io/docker/dockerfile-upstream",
    ]
    /// What the executable of the frontend `name` is called.
    private static let prefix = "kiln-frontend-"

    /// The directory of the running program; built-in frontends stand there.
    private let home: FilePath?
    /// Further directories, in order.
    private let searchPath: [FilePath]

    package init(home: FilePath?, searchPath: [FilePath] = []) {
        self.home = home
        self.searchPath = searchPath
    }

    /// Looks beside the running program, then in the directories of `KILN_FRONTEND_PATH`, separated by colons.
    package static func standard() -> FrontendLocator {
        let listed = unsafe getenv("KILN_FRONTEND_PATH").map { unsafe String(cString: $0) } ?? ""
        return FrontendLocator(
            home: programDirectory,
            searchPath: listed.split(separator: ":").map { FilePath(String($0)) }
        )
    }

    /// Where the running program stands.
    package static var programDirectory: FilePath? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return nil }
        let program = buffer.prefix(count).map { UInt8(bitPattern: $0) }
        return FilePath(String(decoding: program, as: UTF8.self)).removingLastComponent()
    }

    /// Chooses the frontend of a build.
    ///
    /// - `requested`: The `--frontend` option: a path (with a slash) or a name.
    /// - `syntaxArgument`: The build argument `BUILDKIT_SYNTAX`.
    /// - `fileName`: The build file's name, for messages.
    /// - `file`: The build file.
    ///
    /// - Throws: `FrontendHostError` with `badReference` or `unknownFrontend`.
    package func choose(
        requested: String? = nil,
        syntaxArgument: String? = nil,
        fileName: String,
        file: [UInt8]
    ) throws(FrontendHostError) -> Choice {
        if let requested {
            return Choice(program: try executable(requested), commandLine: nil)
        }
        if let syntaxArgument, !syntaxArgument.isEmpty {
            let reference = String(syntaxArgument.prefix { $0 != " " })
            let name = try name(reference, from: "build argument BUILDKIT_SYNTAX")
            return Choice(program: try executable(name), commandLine: syntaxArgument)
        }
        if let directive = SyntaxDirective.detect(file) {
            let name = try name(directive.reference, from: "\(fileName):\(directive.line)")
            return Choice(program: try executable(name), commandLine: directive.commandLine)
        }
        return Choice(program: try executable(Self.builtIn), commandLine: nil)
    }

    /// The local name behind a reference of a build file.
    private func name(_ text: String, from place: String) throws(FrontendHostError) -> String {
        if text == Self.builtIn || text == "dockerfile.v0" { return Self.builtIn }
        let reference: Reference
        do {
            reference = try Reference(parsing: text)
        } catch {
            throw FrontendHostError(
                .badReference,
                "F201 \(place): cannot parse syntax \"\(printable(text.utf8.prefix(200)))\": \(error)",
                fault: .input
            )
        }
        let shown = printable(text.utf8)
        // A digest names exact bytes, so it is never another program.
        guard reference.digest == nil else {
            throw FrontendHostError(
                .unknownFrontend,
                """
                F202 \(place): frontend "\(shown)" is pinned to an image by digest, and this version of kiln runs no \
                frontend images; write \(reference.familiarName) without the digest for the built-in one, or \
                give a local executable with --frontend PATH
                """,
                fault: .input
            )
        }
        guard Self.aliases.contains(reference.name) else {
            throw FrontendHostError(
                .unknownFrontend,
                """
                F202 \(place): frontend "\(shown)" is not one of this project; frontends other than "dockerfile" are \
                listed in a kiln.toml, which this version of kiln does not read yet; \
                give a local executable with --frontend PATH
                """,
                fault: .input
            )
        }
        return Self.builtIn
    }

    /// The executable of a path or a local name.
    private func executable(_ text: String) throws(FrontendHostError) -> FrontendProgram {
        if text.contains("/") {
            let path = FilePath(text)
            guard isExecutable(path) else {
                throw FrontendHostError(
                    .unknownFrontend,
                    "F202 --frontend \(text): no executable file",
                    fault: .input
                )
            }
            do {
                return try FrontendProgram(file: path)
            } catch {
                throw FrontendHostError(.unknownFrontend, "F202 --frontend \(text): \(error)", fault: .input)
            }
        }
        let directories = (home.map { [$0] } ?? []) + searchPath
        for (index, directory) in directories.enumerated() {
            let path = directory.appending(Self.prefix + text)
            guard isExecutable(path) else { continue }
            let isBundled = home != nil && index == 0
            return FrontendProgram(name: text, content: .file(path), isBundled: isBundled)
        }
        let places = directories.map(\.string).joined(separator: ", ")
        throw FrontendHostError(
            .unknownFrontend,
            """
            F202 frontend "\(printable(text.utf8.prefix(200)))" is not installed: no \(Self.prefix)\
            \(printable(text.utf8.prefix(200))) in \(places); KILN_FRONTEND_PATH may name more directories
            """,
            fault: text == Self.builtIn ? .environment : .input
        )
    }

    private func isExecutable(_ path: FilePath) -> Bool {
        guard let file = try? Descriptor.open(host: path), let status = try? file.status() else {
            return false
        }
        return status.isRegular && status.permissions & 0o111 != 0
    }
}

extension Reference {
    /// The short name without tag and digest.
    fileprivate var familiarName: String {
        var copy = self
        copy.tag = nil
        copy.digest = nil
        return copy.familiar
    }
}
