// SPDX-License-Identifier: Apache-2.0

import LLB
import LLBMessages
import OCI
import SwiftProtobuf
import Testing

/// Vectors are bytes BuildKit's own client wrote.
@Suite struct EncodingTests {
    @Test func `writes a oneof last, as Go does`() throws {
        var operation = Pb_Op()
        operation.inputs = [Pb_Input.with { $0.digest = "d" }]
        operation.platform.os = "linux"
        operation.constraints = Pb_WorkerConstraints()
        operation.source.identifier = "a"
        // inputs (1), platform (10), constraints (11), source (3)
        #expect(
            try operation.canonicalBytes() == [
                0x0a, 0x03, 0x0a, 0x01, 0x64, 0x52, 0x07, 0x12, 0x05, 0x6c, 0x69, 0x6e, 0x75, 0x78,
                0x5a, 0x00, 0x1a,
                0x03, 0x0a, 0x01, 0x61,
            ]
        )
    }

    @Test func `sorts attributes and keeps unknown fields`() throws {
        var operation = Pb_Op()
        operation.source.identifier = "local://x"
        operation.source.attrs = ["b": "1", "a": "2", "c": "3"]
        let bytes = try operation.canonicalBytes()
        for _ in 0..<5 { #expect(try operation.canonicalBytes() == bytes) }
        let unknown: [UInt8] = [0xf8, 0x01, 0x01]
        let again = try Pb_Op(serializedBytes: bytes + unknown).canonicalBytes()
        #expect(again == bytes + unknown)
    }

    @Test func `gives an image source and a command BuildKit's digests`() throws {
        let busybox = "docker.io/library/busybox:latest"
        let image = try State.image(
            "\(busybox)@\(Digest.of(busybox))",
            constraints: Constraints(platform: Platform(os: "linux", architecture: "amd64"))
        )
        var options = MarshalOptions(capabilities: Capability.all)
        options.platform = Platform(os: "linux", architecture: "amd64")
        let environment = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        let state = image.settingEnvironment("PATH", environment)
            .run(RunOptions(arguments: ["/bin/sh", "-c", "ls"])).root
        let head = try state.definition(options).head()
        #expect(
            head?.vertex.hex == "875620b6acbb9efc4651591edfb8e4b8b694656562706b188b776a8e9bbd4127"
        )
    }

    @Test func `gives a copy from a local directory BuildKit's digest`() throws {
        var local = State.LocalOptions(session: "golden-session")
        local.followPaths = ["foo"]
        local.sharedKeyHint = "context"
        var copy = CopyOptions()
        copy.createsDestinationPath = true
        copy.followsSymlinks = true
        copy.copiesDirectoryContents = true
        copy.allowsWildcard = true
        copy.allowsEmptyWildcard = true
        var actions = FileActions()
        actions.copy(from: .local("context", options: local), "/foo", to: "/", options: copy)
        let head = try State.scratch.file(actions).definition().head()
        #expect(
            head?.vertex.hex == "c4f64611413f4cf32656b197cb5d2717bdb890767949fadbd944de0b64641c59"
        )
    }
}
