// SPDX-License-Identifier: Apache-2.0

import OCI
import ProjectFiles
import Testing

/// The vectors of `Protocol/vectors/resolve`.
struct ResolveVectorTests {
    static let bundled = [
        "dockerfile": SemanticVersion(1, 20, 0), "yaml": SemanticVersion(1, 0, 0), "llb": SemanticVersion(1, 0, 0),
    ]

    @Test(arguments: try Vectors.toml("resolve/request.toml") + Vectors.toml("resolve/project.toml"))
    func `a build file gets its frontend, or the very text of its error`(_ test: Vectors.Case) throws {
        let expected = try #require(test.table("expect"))
        do {
            let resolution = try resolve(test)
            #expect(expected["error"] == nil, "\(resolution.plan)")
            try check(resolution, expected)
        } catch let error as ProjectError {
            check(error, expected)
        }
    }

    private func resolve(_ test: Vectors.Case) throws -> FrontendResolution {
        let resolver = FrontendResolver(
            project: try test.string("project").map { try ProjectFile(toml: Array($0.utf8)) },
            lock: try test.flag("noLock") ? nil : test.string("lock").map { try LockFile(json: Array($0.utf8)) },
            localOverrides: try test.string("local").map { try LocalOverrides(toml: Array($0.utf8)) },
            bundled: Self.bundled,
            isLocked: test.flag("locked"),
            platform: try Platform(parsing: test.string("platform") ?? "linux/amd64"),
            isRemote: test.flag("remote"),
            canAsk: test.flag("ask")
        )
        if let called = test.string("calls") {
            return try resolver.resolveNested(
                called,
                callers: try test.strings("callers")?.map { try FrontendName(parsing: $0) } ?? [],
                allowed: test.strings("allowed") ?? []
            )
        }
        var overrides: [FrontendName: String] = [:]
        for member in test.table("overrides")?.members ?? [] {
            guard case .string(let path) = member.node.value else { continue }
            overrides[try FrontendName(parsing: member.key)] = path
        }
        return try resolver.resolve(
            FrontendRequest(
                option: test.string("frontend"),
                syntaxArgument: test.string("syntaxArgument"),
                fileName: "Buildfile",
                filePath: test.string("path"),
                file: Array((test.string("buildfile") ?? "").utf8),
                overrides: overrides
            )
        )
    }

    private func check(_ resolution: FrontendResolution, _ expected: ConfigTable) throws {
        var found: [String: String] = [:]
        switch resolution.plan {
        case .bundled(let name, let version):
            found = ["plan": "bundled", "name": name, "version": version.description]
        case .package(let locked):
            found = [
                "plan": "package", "name": locked.name.text, "package": locked.package.text,
                "version": locked.version.description, "tree": locked.tree.description,
                "release": locked.release.description, "source": locked.source,
            ]
            #expect(locked.grant == resolution.grant)
        case .developer(let name, let path, let isOverride):
            found = ["plan": "developer", "path": path]
            found["name"] = name?.text
            #expect(expected["override"]?.value == .boolean(isOverride))
        case .unlisted(let reference): found = ["plan": "unlisted", "reference": reference.text]
        }
        for key in ["plan", "name", "package", "version", "tree", "release", "source", "path", "reference"] {
            #expect(found[key] == expected.string(key), "\(key)")
        }
        #expect(resolution.commandLine == expected.string("commandLine"))
        #expect(resolution.channel == expected.string("channel"))
        #expect((resolution.refusal != nil) == (expected["consent"]?.value == .boolean(true)))
        #expect(resolution.warnings == expected["warnings"].flatMap { Vectors.Case.strings($0.value) } ?? [])
        #expect(resolution.grant == grant(expected["grant"]))
    }

    private func check(_ error: ProjectError, _ expected: ConfigTable) {
        #expect(error.code.rawValue == expected.string("error"), "\(error)")
        #expect(error.message == expected.string("message"))
        #expect(error.place == expected.string("place"), "\(error)")
        if error.code.rawValue.hasPrefix("F2") {
            #expect(error.description.hasPrefix(error.code.rawValue + " "))
        }
    }

    private func grant(_ node: ConfigNode?) -> Grant {
        guard case .table(let table) = node?.value else { return .nothing }
        func list(_ key: String) -> [String] { table[key].flatMap { Vectors.Case.strings($0.value) } ?? [] }
        func flag(_ key: String) -> Bool { table[key]?.value == .boolean(true) }
        return Grant(
            secrets: list("secrets"),
            entitlements: list("entitlements"),
            frontends: list("frontends"),
            network: flag("network"),
            exec: flag("exec"),
            hostRuntime: flag("host-runtime")
        )
    }

    @Test(arguments: try Vectors.toml("resolve/manifest.toml"))
    func `a manifest fits the engine and the grant, or not`(_ test: Vectors.Case) throws {
        let expected = try #require(test.table("expect"))
        let manifest = try FrontendManifest(toml: Array((test.string("manifest") ?? "").utf8))
        let offer = EngineOffer(
            protocolVersions: ["1.0", "2.0"],
            capabilities: ["solve", "readFile"],
            disabledCapabilities: ["exec"]
        )
        do {
            try manifest.check(
                as: manifest.name,
                offer: offer,
                grant: grant(test.own["grant"]),
                previous: try test.string("previous").map { try SemanticVersion(parsing: $0) }
            )
            #expect(expected["ok"]?.value == .boolean(true))
        } catch let error as ProjectError {
            check(error, expected)
        }
    }

    @Test(arguments: try Vectors.toml("resolve/files.toml"))
    func `a wrong file is named with line, column and a way out`(_ test: Vectors.Case) throws {
        let expected = try #require(test.table("expect"))
        let bytes = Array(try #require(test.string("text")).utf8)
        do {
            switch test.string("file") {
            case "kiln.toml": _ = try ProjectFile(toml: bytes)
            case "kiln.local.toml": _ = try LocalOverrides(toml: bytes)
            case "kiln.lock": _ = try LockFile(json: bytes)
            default: _ = try FrontendManifest(toml: bytes)
            }
            Issue.record("it was read")
        } catch {
            check(error, expected)
        }
    }
}
