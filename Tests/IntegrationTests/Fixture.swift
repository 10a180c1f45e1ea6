// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import OCI
import SystemPackage
import Testing

/// One build below `Tests/Fixtures/dockerfiles`; the README there gives the meaning of `expect.json`.
struct Fixture: Sendable, CustomTestStringConvertible {
    static let directory = Kiln.repository.appending("Tests/Fixtures/dockerfiles")

    /// All of them, by name.
    static let all: [Fixture] =
        ((try? FileManager.default.contentsOfDirectory(atPath: directory.string)) ?? [])
        .sorted()
        .filter {
            FileManager.default.fileExists(atPath: directory.appending("\($0)/expect.json").string)
        }
        .map { Fixture(name: $0) }

    /// Specs of the YAML frontend, below `Tests/Fixtures/yaml`: each `expect*.json` of a folder is a build of its own.
    static let specs: [Fixture] = {
        let directory = Kiln.repository.appending("Tests/Fixtures/yaml")
        func names(_ path: FilePath) -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: path.string)) ?? []).sorted()
        }
        return names(directory).flatMap { name in
            names(directory.appending(name)).filter { $0.hasPrefix("expect") && $0.hasSuffix(".json") }
                .map { Fixture(name: name, folder: directory, expectationFile: $0, frontend: "yaml") }
        }
    }()

    let name: String
    var folder = Self.directory
    var expectationFile = "expect.json"
    /// `nil` for the one that reads Dockerfiles.
    var frontend: String?

    var testDescription: String { expectationFile == "expect.json" ? name : "\(name)/\(expectationFile)" }
    var path: FilePath { folder.appending(name) }

    /// What must come of the build.
    func expectation() throws -> JSONValue {
        let data = try Data(contentsOf: URL(filePath: path.appending(expectationFile).string))
        return try JSONValue(parsing: [UInt8](data))
    }

    /// What the build finds on the web; `nil` where the fixture asks for nothing.
    func server(_ options: JSONValue?) async throws -> GitServer? {
        let repositories = options?["repositories"]?.members ?? []
        guard options?["serve"] != nil || !repositories.isEmpty else { return nil }
        let server = try GitServer(files: path.appending(options?["serve"]?.text ?? ".").string)
        for repository in repositories {
            let folder = path.appending(repository.value.text ?? "").string
            var files: [String: String] = [:]
            for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
                if let data = FileManager.default.contents(atPath: folder + "/" + name) {
                    files[name] = String(decoding: data, as: UTF8.self)
                }
            }
            try await server.makeRepository(repository.name, files)
            try await server.git(repository.name, "tag", "v1")
        }
        return server
    }

    /// Arguments of `kiln` that build the fixture into an OCI layout.
    func arguments(
        _ options: JSONValue?,
        into layout: String,
        _ kiln: Kiln,
        _ workspace: Workspace,
        server: String? = nil
    ) throws -> [String] {
        ["build", "--progress", "rawjson", "-o", "type=oci,tar=false,dest=\(layout)"]
            + (try inputs(options, kiln, workspace, server: server))
    }

    /// Arguments of `kiln build` that say what is built from what.
    ///
    /// - Parameter base: The OCI layout of the base image; without one that which the run made.
    func inputs(
        _ options: JSONValue?,
        _ kiln: Kiln,
        _ workspace: Workspace,
        server: String? = nil,
        base: String? = nil
    ) throws -> [String] {
        let base = base ?? kiln.base
        var result: [String] = []
        let usualFile = frontend == nil ? "Dockerfile" : "image.yaml"
        result += ["-f", path.appending(options?["file"]?.text ?? usualFile).string]
        if let frontend { result += ["--frontend", frontend] }
        result += ["--build-context", "busybox=oci-layout://\(base)"]
        for name in ["target", "platform"] {
            if let value = options?[name]?.text { result += ["--\(name)", value] }
        }
        for member in options?["build-args"]?.members ?? [] {
            result += ["--build-arg", "\(member.name)=\(member.value.text ?? "")"]
        }
        if let server { result += ["--build-arg", "SERVER=\(server)"] }
        for member in options?["labels"]?.members ?? [] {
            result += ["--label", "\(member.name)=\(member.value.text ?? "")"]
        }
        for member in options?["contexts"]?.members ?? [] {
            let place = member.value.text ?? ""
            let value = place == "@base" ? "oci-layout://\(base)" : path.appending(place).string
            result += ["--build-context", "\(member.name)=\(value)"]
        }
        for entitlement in options?["allow"]?.elements ?? [] { result += ["--allow", entitlement.text ?? ""] }
        for member in options?["secrets"]?.members ?? [] {
            let file = try workspace.write("secret-\(member.name)", member.value.text ?? "")
            result += ["--secret", "id=\(member.name),src=\(file)"]
        }
        return result + [path.appending(options?["context"]?.text ?? ".").string]
    }
}

/// What differs between what is expected and what was found: objects are compared member by member, everything else
/// whole, and `null` means that the member is absent or null.
func differences(_ expected: JSONValue, _ found: JSONValue?, _ path: String) -> [String] {
    if case .object(let members) = expected {
        return members.flatMap { differences($0.value, found?[$0.name], "\(path).\($0.name)") }
    }
    let found = found ?? .null
    if expected == found { return [] }
    return ["\(path) is \(found.encodedText), expected \(expected.encodedText)"]
}
