// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import LinuxSystem
import Testing

struct CrashTests {
    /// How many moments are tried: KILN_CRASH_COUNT, else few.
    private static var count: Int {
        unsafe getenv("KILN_CRASH_COUNT").flatMap { Int(unsafe String(cString: $0)) } ?? 15
    }

    /// A build that goes through every phase: it unpacks a base, reads a context, runs steps and writes an archive.
    private static func project(_ marker: String) async throws -> Project {
        let project = try await Project(
            """
            FROM busybox AS one
            ARG NONCE
            COPY data /data
            RUN echo $NONCE >/nonce && cp /data /copy && : \(marker) && sleep 0.2
            FROM busybox AS two
            ARG NONCE
            RUN --mount=type=cache,target=/cache echo $NONCE >/cache/nonce && cp /cache/nonce /two && sleep 0.1
            FROM busybox
            COPY --from=one /copy /nonce /
            COPY --from=two /two /
            """
        )
        try project.workspace.write(
            "context/data",
            (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7919) }
        )
        return project
    }

    @Test func `a build killed at any moment loses nothing and succeeds the next time`()
        async throws
    {
        let marker = "kiln-crash-" + randomToken(count: 8)
        let project = try await Self.project(marker)
        func output(_ round: Int) -> String {
            "type=oci,tar=false,dest=\(project.workspace.path("image-\(round)"))"
        }
        let start = ContinuousClock.now
        try await project.build("--build-arg", "NONCE=first", "-o", output(-1))
        let whole = ContinuousClock.now - start
        for round in 0..<Self.count {
            let nonce = "NONCE=\(round)"
            let command = try project.start("--build-arg", nonce, "-o", output(round))
            // Every moment of the build is as likely.
            let moment = Double.random(in: 0...1)
            try await Task.sleep(for: whole * moment)
            command.signal(SIGKILL)
            _ = try await command.result()
            try await expectNoLeftovers(of: project.workspace, marker: marker)
            try await project.build("--build-arg", nonce, "-o", output(round))
            let image = try await blocking { [path = project.workspace.path("image-\(round)")] in
                try BuiltImage(layout: path)
            }
            let text = image.tree["nonce"].map { String(decoding: $0.content, as: UTF8.self) }
            #expect(text == "\(round)\n", "killed after \(moment) of \(whole)")
            let reported = try await reportedUsage(project.kiln, state: project.workspace.state)
            let onDisk = try diskUsage(ofState: project.workspace.state)
            #expect(reported == onDisk, "killed after \(moment) of \(whole)")
        }
        #expect(project.workspace.names(in: "state/tmp") == [])
    }

    @Test func `Ctrl-C ends everything a build started, with status 130`() async throws {
        let marker = "kiln-interrupt-" + randomToken(count: 8)
        let project = try await Project(
            """
            FROM busybox AS one
            RUN trap '' INT TERM; (: \(marker); sleep 300) & sleep 300
            FROM busybox AS two
            RUN echo running && sleep 300
            FROM scratch
            COPY --from=one /etc/passwd /
            COPY --from=two /etc/group /
            """
        )
        let command = try project.start()
        try await command.waitForError("cnVubmluZw")
        let start = ContinuousClock.now
        command.signal(SIGINT)
        let result = try await command.result()
        #expect(result.status == 130, "\(result.error)")
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(result.error.hasSuffix("kiln: interrupted\n"))
        try await expectNoLeftovers(of: project.workspace, marker: marker)
        let reported = try await reportedUsage(project.kiln, state: project.workspace.state)
        #expect(try reported == diskUsage(ofState: project.workspace.state))
    }

    @Test func `a failing step ends its siblings`() async throws {
        let marker = "kiln-siblings-" + randomToken(count: 8)
        let project = try await Project(
            """
            FROM busybox AS one
            RUN : \(marker); sleep 300
            FROM busybox AS two
            RUN sleep 1; exit 7
            FROM scratch
            COPY --from=one /etc/passwd /
            COPY --from=two /etc/group /
            """
        )
        let start = ContinuousClock.now
        let message = try await project.failure()
        #expect(message.contains("exit code: 7"))
        #expect(ContinuousClock.now - start < .seconds(60))
        try await expectNoLeftovers(of: project.workspace, marker: marker)
    }
}
