// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import OCI
import SystemPackage
import Testing

/// The schemas: they hold what they describe, and a published one never changes.
struct SchemaTests {
    /// Whether Debian's python3-jsonschema, or a later one, is there.
    private static let hasValidator = (try? hasModule()) ?? false

    private static func hasModule() throws -> Bool {
        let process = try ChildProcess(
            .path("/usr/bin/python3"),
            arguments: ["python3", "-c", "import jsonschema"],
            environment: ["PATH=/usr/local/bin:/usr/bin:/bin"],
            descriptors: [nil, nil, nil]
        )
        return try process.wait() == .exited(0)
    }

    @Test(.enabled(if: hasValidator, "python3-jsonschema is not installed: dev/setup"))
    func `transcripts, vectors and manifests hold against the schemas`() throws {
        let (exit, output) = try ProtocolFolder.run("protocol-validate")
        #expect(exit == .exited(0), "\(output)")
    }

    @Test func `the lock takes names with the port of a registry, and nothing that is no name`() throws {
        let schema = try JSONValue(parsing: ProtocolFolder.bytes("schema/1.0/kiln-lock.schema.json"))
        let text = try #require(schema["properties"]?["frontends"]?["propertyNames"]?["pattern"]?.text)
        let pattern = try Regex(text)
        for name in ["dockerfile", "acme/spec", "registry.example:5000/acme/spec", "localhost:1/x"] {
            #expect(try pattern.firstMatch(in: name) != nil, "\(name)")
        }
        for name in ["", "a:5000", "acme/spec:1", ":5000/x", "a:b/x", "a:500000/x", "Acme/x", "a//x"] {
            #expect(try pattern.firstMatch(in: name) == nil, "\(name)")
        }
    }

    /// A file of a released version is never changed: a correction is a file in the folder of a new version.
    @Test func `the schemas of a version are the files they were`() throws {
        var found: [String: String] = [:]
        for name in try ProtocolFolder.names(in: "schema/1.0", ending: ".schema.json") {
            found[name] = Digest.of(try ProtocolFolder.bytes("schema/1.0/\(name).schema.json")).hex
        }
        #expect(found == schemaDigests)
    }
}
