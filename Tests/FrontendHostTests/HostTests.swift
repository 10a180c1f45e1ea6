// SPDX-License-Identifier: Apache-2.0

import FrontendHost
import FrontendProtocol
import LLB
import LinuxSystem
import OCI
import SystemPackage
import Testing

/// The host with the frontend that comes with it, for real.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(1)))
struct HostTests {
    private func build(
        _ dockerfile: String,
        options: [String: String] = [:],
        inputs: [String: FrontendBuildRequest<Int>.Input] = [:],
        program: String = "kiln-frontend-dockerfile"
    ) async throws -> (FrontendResult<Int>, RecordingBridge) {
        let fixture = try HostFixture.shared.get()
        let bridge = RecordingBridge()
        let result = try await FrontendHost(
            launcher: fixture.launcher,
            engine: .init(name: "test", version: "0")
        ).build(
            FrontendProgram(
                name: "dockerfile",
                content: .file(fixture.products.appending(program)),
                isBundled: true
            ),
            request: FrontendBuildRequest<Int>(
                fileName: "Dockerfile",
                fileContent: Array(dockerfile.utf8),
                options: options,
                inputs: inputs,
                workerPlatforms: [Platform(os: "linux", architecture: "amd64")]
            ),
            bridge: bridge
        )
        return (result, bridge)
    }

    /// P-INPUT-02: what it copies is a local source.
    @Test func `a Dockerfile becomes a tree and an image config`() async throws {
        let (result, bridge) = try await build(
            "FROM scratch\nCOPY a /b\nENV X=1\n",
            options: ["platform": "linux/amd64,linux/arm64"]
        )
        #expect(result.frontend.name == "dockerfile")
        #expect(result.isIndex)
        #expect(result.platforms.map(\.id) == ["linux/amd64", "linux/arm64"])
        for platform in result.platforms {
            #expect(platform.ref != nil)
            let config = String(decoding: platform.config ?? [], as: UTF8.self)
            #expect(config.contains("\"X=1\""))
        }
        let record = bridge.record
        let kept = Set(result.platforms.compactMap(\.ref))
        #expect(kept.count == 2)
        #expect(kept.isDisjoint(with: record.released))
        #expect(kept.count + record.released.count == record.refCount)
    }

    /// P-INPUT-01.
    @Test func `inputs are lent, never released`() async throws {
        let definition = try State.scratch.file(
            {
                var actions = FileActions()
                actions.makeDirectory("/d", mode: 0o755)
                return actions
            }()
        ).definition()
        let (_, bridge) = try await build(
            "FROM scratch\nCOPY --from=x d /d\n",
            options: ["context:x": "input:x"],
            inputs: ["x": .init(ref: 4711, definition: definition)]
        )
        #expect(!bridge.record.released.contains(4711))
    }

    @Test func `an error of the build file is the frontend's own words`() async throws {
        let error = await #expect(throws: FrontendHostError.self) {
            try await build("FROM scratch\nFORM x\n")
        }
        #expect(error?.code == .buildFailed)
        #expect(error?.fault == .input)
        #expect(error?.message.contains("FORM") == true)
        #expect(error?.message.contains("F116") == false)
    }

    @Test func `a failed request keeps the engine's kind of failure`() async throws {
        let error = await #expect(throws: FrontendHostError.self) {
            try await build("FROM nowhere/image:1\n")
        }
        #expect(error?.code == .buildFailed)
        #expect(error?.cause is ProtocolFailure)
        #expect((error?.cause as? ProtocolFailure)?.kind == .notFound)
    }

    @Test func `a program that is none cannot be started`() async throws {
        for (program, text) in [
            ("kiln-no-such-program", "no such file or directory"), ("", "cannot"),
        ] {
            let error = await #expect(throws: FrontendHostError.self) {
                try await build("FROM scratch\n", program: program)
            }
            #expect(error?.code == .notStarted)
            #expect(error?.message.contains("F115 dockerfile cannot be started") == true)
            #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `many builds at once do not disturb each other`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    let (result, _) = try await build("FROM scratch\nENV N=\(number)\n")
                    let config = String(decoding: result.platforms[0].config ?? [], as: UTF8.self)
                    #expect(config.contains("\"N=\(number)\""))
                }
            }
            try await group.waitForAll()
        }
    }
}
