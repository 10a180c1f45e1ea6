// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import ProjectFiles
internal import SystemPackage

struct FrontendPackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack",
        abstract: "Makes a release of a directory with a frontend.toml.",
        discussion: """
            The same files make the same release, on any machine at any time. The result is an OCI layout; several \
            releases can stand in one.
            """
    )

    @Argument(help: "The package's directory.", completion: .directory)
    var directory = "."

    @Option(
        name: [.short, .customLong("output")],
        help: ArgumentHelp(
            "Where the release goes: layout:DIR or bundle:FILE; without a scheme, FILE.tar is a bundle.",
            valueName: "output"
        )
    )
    var output: String?

    @Option(
        name: .customLong("sign"),
        help: ArgumentHelp("Sign with this ed25519 key in PEM.", valueName: "key"),
        completion: .file()
    )
    var key: String?

    @OptionGroup var state: StateOptions

    func run() async throws {
        let (directory, signingKey) = (FilePath(directory), try key.map(readSigningKey))
        let output = try output.map { text in
            try FrontendOrigin(parsing: Self.withScheme(text), relativeTo: currentDirectory())
        }
        try await runWithService(state) { service in
            let packed = try await service.pack(directory, signedBy: signingKey)
            if let output { try await service.publish(packed, to: output) }
            writeOutput("\(packed.release.name) \(packed.release.version) \(packed.release.digest)\n")
            for variant in packed.release.variants { writeOutput("\(variant.platform) \(variant.tree)\n") }
        }
    }

    private static func withScheme(_ text: String) -> String {
        if text.hasPrefix("layout:") || text.hasPrefix("bundle:") { return text }
        return text.hasSuffix(".tar") ? "bundle:\(text)" : "layout:\(text)"
    }
}

/// Reads the key a release is signed with.
func readSigningKey(_ path: String) throws -> SigningKey {
    let bytes = try readFile(path, what: "the signing key")
    return try SigningKey(pem: String(decoding: bytes, as: UTF8.self))
}
