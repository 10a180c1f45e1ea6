// SPDX-License-Identifier: Apache-2.0

import FrontendHost
import LinuxSystem
import SystemPackage
import Testing

/// Which executable a build file's frontend is.
struct FrontendLocatorTests {
    private func withFrontends<Value>(
        _ body: (FrontendLocator, FilePath) throws -> Value
    ) throws -> Value {
        let name = "kiln-locator-\(randomToken())"
        let root = try Directory(host: FilePath("/tmp/\(name)"), createMode: 0o755)
        defer { try? Directory(host: "/tmp").removeTree(name: name) }
        for (folder, frontend) in [
            ("home", "dockerfile"), ("more", "acme"), ("more", "dockerfile"),
        ] {
            _ = try root.makeDirectories(folder).createFile(
                "kiln-frontend-\(frontend)",
                mode: 0o755
            )
        }
        _ = try root.createFile("plain", mode: 0o644)
        let path = FilePath("/tmp/\(name)")
        let locator = FrontendLocator(
            home: path.appending("home"),
            searchPath: [path.appending("more")]
        )
        return try body(locator, path)
    }

    @Test(arguments: [
        "FROM a", "# syntax=docker/dockerfile", "# syntax=docker/dockerfile:1",
        "# syntax=docker/dockerfile:1.7-labs", "# syntax=docker.io/docker/dockerfile:1",
        "# syntax=docker/dockerfile-upstream:master", "# syntax=dockerfile",
        "# syntax=index.docker.io/docker/dockerfile:1", "// syntax=docker/dockerfile:1 x",
    ])
    func `means the built-in frontend`(_ file: String) throws {
        try withFrontends { locator, path in
            let choice = try locator.choose(fileName: "Dockerfile", file: Array(file.utf8))
            #expect(choice.program.name == "dockerfile")
            #expect(choice.program.isBundled)
            #expect(choice.program.content == .file(path.appending("home/kiln-frontend-dockerfile")))
        }
    }

    @Test func `the option wins over the argument, the argument over the file`() throws {
        try withFrontends { locator, path in
            let file = Array("# syntax=acme/other".utf8)
            let byName = try locator.choose(requested: "acme", fileName: "f", file: file)
            #expect(byName.program.content == .file(path.appending("more/kiln-frontend-acme")))
            #expect(!byName.program.isBundled)
            let byPath = try locator.choose(
                requested: "\(path)/more/kiln-frontend-acme",
                fileName: "f",
                file: file
            )
            #expect(byPath.program.name == "kiln-frontend-acme")
            let byArgument = try locator.choose(
                syntaxArgument: "docker/dockerfile:1 x",
                fileName: "f",
                file: file
            )
            #expect(byArgument.program.name == "dockerfile")
            #expect(byArgument.commandLine == "docker/dockerfile:1 x")
        }
    }

    @Test func `what cannot be run is named with its place and a way out`() throws {
        try withFrontends { locator, path in
            for (file, requested, code, text) in [
                ("\n", "nothing", .unknownFrontend, "no kiln-frontend-nothing in \(path)/home"),
                ("\n", "\(path)/plain", .unknownFrontend, "no executable file"),
                ("\n", "\(path)/home", .unknownFrontend, "no executable file"),
                (
                    "# escape=`\n# syntax=acme/spec:1", nil, .unknownFrontend,
                    "F202 Buildfile:2: frontend \"acme/spec:1\""
                ),
                (
                    "# syntax=acme/Spec:1", nil, .badReference,
                    "F201 Buildfile:1: cannot parse syntax \"acme/Spec:1\""
                ),
                (
                    "# syntax=docker/dockerfile@sha256:\(String(repeating: "a", count: 64))", nil,
                    .unknownFrontend, "is pinned to an image by digest"
                ),
            ] as [(String, String?, FrontendHostError.Code, String)] {
                let error = #expect(throws: FrontendHostError.self) {
                    try locator.choose(
                        requested: requested,
                        fileName: "Buildfile",
                        file: Array(file.utf8)
                    )
                }
                #expect(error?.code == code)
                #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
                #expect(error?.fault == .input)
            }
        }
    }
}
