// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import OCI
import RegistryTestSupport
import Testing

@Suite(.enabled(if: RegistryProcess.isInstalled, "docker-registry is not installed"))
struct RegistryTests {
    @Test func `a pushed image is what skopeo finds, and serves as a base that is pulled once`()
        async throws
    {
        let scratch = try Scratch()
        defer { withExtendedLifetime(scratch) {} }
        let registry = try await RegistryProcess(scratch)
        let name = "\(registry.host)/team/tool:1"
        let project = try await Project(
            "FROM busybox\nRUN echo from-the-registry >/tool\nLABEL made=here\n"
        )
        let workspace = project.workspace
        try await project.build(
            "-t",
            name,
            "--push",
            "--metadata-file",
            workspace.path("metadata.json")
        )
        let inspected = try await runTool(
            "/usr/bin/skopeo",
            "inspect",
            "--tls-verify=false",
            "docker://" + name
        )
        let image = try JSONValue(parsing: inspected.outputText)
        #expect(image["Labels"]?["made"]?.text == "here")
        let metadata = try JSONValue(parsing: workspace.read("metadata.json"))
        #expect(image["Digest"]?.text == metadata["containerimage.digest"]?.text)

        // A state directory of its own: nothing is there yet.
        let user = try await Project("FROM \(name)\nRUN cp /tool /copy\n")
        let tree = user.workspace.path("tree")
        try await user.build("-o", "type=local,dest=\(tree)")
        #expect(try user.workspace.read("tree/copy") == "from-the-registry\n")
        // By its digest the image is known for good: it builds without the registry.
        let digest = try #require(image["Digest"]?.text)
        try user.workspace.write(
            "context/Dockerfile",
            "FROM \(name)@\(digest)\nRUN cp /tool /copy\n"
        )
        registry.kill()
        try await user.build("-o", "type=local,dest=\(tree)")
    }

    @Test
    func
        `a registry that goes away in the middle fails the build clearly, and the next one succeeds`()
        async throws
    {
        let scratch = try Scratch()
        defer { withExtendedLifetime(scratch) {} }
        let registry = try await RegistryProcess(scratch)
        let name = "\(registry.host)/team/big:1"
        let maker = try await Project("FROM busybox\nCOPY big /big\n")
        try maker.workspace.write(
            "context/big",
            (0..<24_000_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
        )
        try await maker.build("-t", name, "--push")
        let user = try await Project("FROM \(name)\nRUN wc -c </big >/size\n")
        let command = try user.start("-o", "type=local,dest=\(user.workspace.path("tree"))")
        try await command.waitForError("\"current\"")
        registry.kill()
        let result = try await command.result()
        if result.status != 0 {
            #expect(result.status == 75)
            #expect(try BuildReport(result.error).message.contains(registry.host))
        }
        try registry.start()
        try await registry.waitUntilReady()
        try await user.build("-o", "type=local,dest=\(user.workspace.path("tree"))")
        #expect(try user.workspace.read("tree/size") == "24000000\n")
    }

    @Test func `a registry that is not there is the machine's fault, named with its address`()
        async throws
    {
        let project = try await Project("FROM 127.0.0.1:1/no/such:image\nRUN true\n")
        let message = try await project.failure(status: 75)
        #expect(message.contains("127.0.0.1:1"))
    }

    @Test func `an image the registry does not have is the build file's fault`() async throws {
        let scratch = try Scratch()
        defer { withExtendedLifetime(scratch) {} }
        let registry = try await RegistryProcess(scratch)
        let project = try await Project("FROM \(registry.host)/no/such:image\n")
        let message = try await project.failure()
        #expect(message.contains("\(registry.host)/no/such:image"))
        #expect(message.contains("Dockerfile:1"))
    }
}
