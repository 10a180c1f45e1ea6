// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import OCI
import RegistryTestSupport
import Testing

struct OutputTests {
    private static func project() async throws -> Project {
        try await Project(
            """
            FROM busybox AS base
            ARG WORD=none
            RUN --mount=type=secret,id=token echo "$WORD $(cat /run/secrets/token 2>/dev/null)" >/word
            FROM base AS other
            RUN echo other >/other
            FROM base AS final
            LABEL made=here
            ENTRYPOINT ["cat", "/word"]
            """
        )
    }

    @Test
    func
        `arguments, secrets and the target reach the build, and the secret stays out of the image`()
        async throws
    {
        let project = try await Self.project()
        let workspace = project.workspace
        let secret = try workspace.write("secret", "s3cr3t-of-the-test")
        let layout = workspace.path("image")
        try await project.build(
            "--build-arg",
            "WORD=given",
            "--secret",
            "id=token,src=\(secret)",
            "--target",
            "other",
            "-o",
            "type=oci,tar=false,dest=\(layout)",
            "-o",
            "type=local,dest=\(workspace.path("tree"))"
        )
        #expect(try workspace.read("tree/word") == "given s3cr3t-of-the-test\n")
        #expect(try workspace.read("tree/other") == "other\n")
        #expect(!workspace.exists("tree/run/secrets/token"))
        let config = try await blocking { try BuiltImage(layout: layout).config.encodedText }
        #expect(!config.contains("s3cr3t"))
    }

    @Test func `a tar, a docker archive and an OCI archive hold the same tree`() async throws {
        let project = try await Self.project()
        let workspace = project.workspace
        try await project.build(
            "-t",
            "example/word:1",
            "-o",
            "type=tar,dest=\(workspace.path("tree.tar"))",
            "-o",
            "type=docker,dest=\(workspace.path("docker.tar"))",
            "-o",
            "type=oci,dest=\(workspace.path("oci.tar"))"
        )
        let names = try await runTool("/usr/bin/tar", "-tf", workspace.path("tree.tar")).outputText
        #expect(names.split(separator: "\n").contains("word"))
        let docker = try await runTool(
            "/usr/bin/skopeo",
            "inspect",
            "docker-archive:" + workspace.path("docker.tar")
        )
        let oci = try await runTool(
            "/usr/bin/skopeo",
            "inspect",
            "oci-archive:" + workspace.path("oci.tar")
        )
        #expect(try JSONValue(parsing: docker.outputText)["Labels"]?["made"]?.text == "here")
        #expect(try JSONValue(parsing: oci.outputText)["Labels"]?["made"]?.text == "here")
        #expect(docker.outputText.contains("\"RepoTags\""))
    }

    @Test func `the image runs under runc as umoci unpacks it`() async throws {
        let project = try await Self.project()
        let workspace = project.workspace
        try await project.build(
            "--build-arg",
            "WORD=runs",
            "-t",
            "latest",
            "-o",
            "type=oci,tar=false,name=latest,dest=\(workspace.path("image"))"
        )
        let index = try JSONValue(parsing: workspace.read("image/index.json"))
        let annotations = index["manifests"]?.elements?.first?["annotations"]
        let name = try #require(annotations?["org.opencontainers.image.ref.name"]?.text)
        try await runTool(
            "/usr/bin/umoci",
            "unpack",
            "--image",
            workspace.path("image") + ":" + name,
            workspace.path("bundle")
        )
        #expect(try workspace.read("bundle/rootfs/word") == "runs \n")
        // No terminal here, and the host of the tests may not let a container have control groups of its own.
        var config = try #require(
            JSONSerialization.jsonObject(with: Data(workspace.bytes("bundle/config.json")))
                as? [String: Any]
        )
        var process = try #require(config["process"] as? [String: Any])
        process["terminal"] = false
        config["process"] = process
        try workspace.write("bundle/config.json", JSONSerialization.data(withJSONObject: config))
        let container = "kiln-test-" + randomToken(count: 8)
        let result = try await Command(
            "/usr/sbin/runc",
            [
                "--root", workspace.path("runc"), "run", "--bundle", workspace.path("bundle"),
                container,
            ]
        ).result()
        if result.status != 0, result.error.contains("cgroup") {
            print("running the image under runc is skipped: \(result.error)")
            return
        }
        #expect(result.status == 0, "\(result.error)")
        #expect(result.outputText == "runs \n")
    }

    @Test func `--iidfile, --metadata-file and quiet tell the digest that the layout has`()
        async throws
    {
        let project = try await Self.project()
        let workspace = project.workspace
        let arguments = project.arguments(
            [
                "--iidfile", workspace.path("id"), "--metadata-file",
                workspace.path("metadata.json"),
                "-o", "type=oci,tar=false,dest=\(workspace.path("image"))",
            ],
            progress: "quiet"
        )
        let result = try await project.kiln.start(arguments, state: workspace.state).result()
        #expect(result.status == 0)
        #expect(result.error == "")
        let metadata = try JSONValue(parsing: workspace.read("metadata.json"))
        let index = try JSONValue(parsing: workspace.read("image/index.json"))
        let digest = try #require(index["manifests"]?.elements?.first?["digest"]?.text)
        #expect(result.outputText == digest + "\n")
        #expect(metadata["containerimage.digest"]?.text == digest)
        #expect(metadata["containerimage.descriptor"]?["digest"]?.text == digest)
        #expect(
            try workspace.read("id") == digest
                || workspace.read("id") == metadata["containerimage.config.digest"]?.text
        )
    }

    @Test func `plain progress names each step, its output and its end, then says CACHED`()
        async throws
    {
        let project = try await Project("FROM busybox\nRUN echo said-by-the-step\n")
        let arguments = project.arguments([], progress: "plain")
        let first = try await project.kiln.start(arguments, state: project.workspace.state).result()
        #expect(first.status == 0)
        #expect(first.error.contains("RUN echo said-by-the-step\n"))
        #expect(first.error.contains(" said-by-the-step\n"))
        #expect(first.error.contains(" DONE "))
        #expect(!first.error.contains("\u{1b}"))
        let second = try await project.kiln.start(arguments, state: project.workspace.state)
            .result()
        #expect(second.error.contains(" CACHED\n"))
        // Once, in the step's name.
        #expect(second.error.components(separatedBy: "said-by-the-step").count == 2)
    }

    @Test func `prune gives back all that du shows, and the next build works`() async throws {
        let project = try await Self.project()
        let state = project.workspace.state
        try await project.build()
        #expect(try await reportedUsage(project.kiln, state: state) > 0)
        let result = try await project.kiln.run("prune", "--all", state: state)
        #expect(result.status == 0, "\(result.error)")
        #expect(try await reportedUsage(project.kiln, state: state) == 0)
        #expect(try diskUsage(ofState: state) == 0)
        try await project.build("-o", "type=local,dest=\(project.workspace.path("tree"))")
        #expect(try project.workspace.read("tree/word") == "none \n")
    }
}
