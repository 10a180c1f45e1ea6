// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import OCI
import RegistryTestSupport
import SystemPackage
import Testing

/// Frontends that run in an image, which a registry serves and which is all that they see.
@Suite(
    .enabled(if: RegistryProcess.isInstalled, "docker-registry is not installed"),
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "python3 is not installed")
)
struct FrontendRuntimeTests {
    @Test func `a frontend runs in the image its manifest names, is tested in it, and needs it once`() async throws {
        let scratch = try Scratch()
        defer { withExtendedLifetime(scratch) {} }
        let registry = try await RegistryProcess(scratch)
        let workspace = try Workspace()
        let image = "\(registry.host)/runtimes/python:3"
        let digest = try await pushRuntime(image, workspace)

        try await run(["frontend", "new", "--lang", "python", "acme/hello", "-d", workspace.path("hello")], workspace)
        let manifest = try workspace.read("hello/frontend.toml")
        try workspace.write(
            "hello/frontend.toml",
            manifest.replacing("runtime = \"host\"", with: "runtime = \"\(image)@\(digest)\"")
        )
        let tested = try await run(["frontend", "test", "--suite", "framing", workspace.path("hello")], workspace)
        #expect(tested.error.contains(" 0 failed"), "\(tested.error)")

        try workspace.write("project/Buildfile", "# syntax=acme/hello:0\n/made in an image\n")
        try await run(
            ["frontend", "publish", "layout:\(workspace.path("releases"))", workspace.path("hello")],
            workspace
        )
        try await run(
            [
                "frontend", "add", "acme/hello@0.1", "--source", "layout:../releases", "--project",
                workspace.path("project"),
            ],
            workspace
        )
        let build = [
            "build", "--progress", "plain", "-f", workspace.path("project/Buildfile"), "-o", workspace.path("out"),
            workspace.path("project"),
        ]
        // No right was granted: an image is not this machine's.
        try await run(build + ["--locked"], workspace)
        #expect(try workspace.read("out/made") == "in an image\n")

        registry.kill()
        try await run(build + ["--locked", "--offline"], workspace)
        let elsewhere = try await Kiln.shared.start(
            build + ["--offline"],
            state: workspace.path("another-state")
        ).result()
        #expect(elsewhere.status != 0)
        #expect(
            elsewhere.error.contains("it is not in the store, and this build is offline"),
            "\(elsewhere.error)"
        )
    }

    @Test func `a runtime without a digest is refused, and says how to write it`() async throws {
        let workspace = try Workspace()
        try await run(["frontend", "new", "--lang", "python", "acme/hello", "-d", workspace.path("hello")], workspace)
        let manifest = try workspace.read("hello/frontend.toml")
        try workspace.write(
            "hello/frontend.toml",
            manifest.replacing("runtime = \"host\"", with: "runtime = \"python:3\"")
        )
        let result = try await Kiln.shared.run("frontend", "test", workspace.path("hello"), state: workspace.state)
        #expect(result.status != 0)
        #expect(
            result.error.contains("frontend.toml:12:11: runtime \"python:3\" has no digest; write REF@sha256:…"),
            "\(result.error)"
        )
    }

    @discardableResult
    private func run(
        _ arguments: [String],
        _ workspace: Workspace,
        at location: SourceLocation = #_sourceLocation
    ) async throws -> CommandResult {
        let result = try await Kiln.shared.start(arguments, state: workspace.state).result()
        try #require(
            result.status == 0,
            "kiln \(arguments.joined(separator: " ")): \(result.error)",
            sourceLocation: location
        )
        return result
    }

    /// Pushes an image with this machine's Python and nothing else; gives its digest.
    private func pushRuntime(_ name: String, _ workspace: Workspace) async throws -> String {
        let python = try FilePath(FileManager.default.destinationOfSymbolicLink(atPath: "/usr/bin/python3"))
        let version = try #require(python.lastComponent?.string)
        let libraries = try await runTool("/usr/bin/ldd", "/usr/bin/\(version)").outputText
            .split { $0 == " " || $0 == "\n" || $0 == "\t" }
            .filter { $0.hasPrefix("/") }
            .map { $0.hasPrefix("/usr/") ? String($0.dropFirst(5)) : String($0.dropFirst()) }
        var lines = [
            "FROM scratch", "COPY --from=usr bin/\(version) /usr/bin/python3",
            "COPY --from=usr --exclude=**/test --exclude=**/__pycache__ lib/\(version) /usr/lib/\(version)",
        ]
        for library in libraries { lines.append("COPY --from=usr \(library) /\(library)") }
        try workspace.write("runtime/Dockerfile", lines.joined(separator: "\n") + "\n")
        try await run(
            [
                "build", "--progress", "plain", "--build-context", "usr=/usr", "-t", name, "--push", "--metadata-file",
                workspace.path("runtime.json"), workspace.path("runtime"),
            ],
            workspace
        )
        let metadata = try JSONValue(parsing: workspace.read("runtime.json"))
        return try #require(metadata["containerimage.digest"]?.text)
    }
}
