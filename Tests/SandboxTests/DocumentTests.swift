// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import SystemPackage
import Testing

@testable import Sandbox

/// How strictly the launcher reads what it is given, whoever wrote it.
@Suite(.enabled(if: isRoot, "the fixture needs root"))
struct DocumentTests {
    private static let valid = """
        {"version":1,"id":"x","profile":"insecure","root":{"kind":"empty","readOnly":false},"arguments":["a"],"environment":[],\
        "workingDirectory":"/","user":{"uid":0,"gid":0,"groups":[]},"hostname":"h","network":"none","mounts":[],"limits":[],\
        "deviceControl":true,"userxattr":false,"cgroupNamespace":false,"removeStubParents":false}
        """

    /// What the launcher says of a document, without anything passed to it.
    private func answer(_ document: String) throws -> String {
        let launcher = try LauncherExecutable(try LauncherFile(path: Fixture.shared.get().launcherPath))
        let file = try Descriptor.memory("spec")
        try file.write(document.utf8)
        let (read, process) = try start(launcher, file)
        let text = try read.readToEnd(byteLimit: 1 << 16)
        _ = try process.wait()
        return String(decoding: text, as: UTF8.self)
    }

    private func start(
        _ launcher: LauncherExecutable,
        _ document: Descriptor
    ) throws -> (Descriptor, ChildProcess) {
        let (status, statusEnd) = try Descriptor.pipe()
        let (livenessEnd, liveness) = try Descriptor.pipe()
        let null = try Descriptor.open(host: "/dev/null")
        let process = try ChildProcess(
            .open(launcher.file),
            arguments: ["kiln-sandbox"],
            descriptors: [null, null, null, document, statusEnd, livenessEnd]
        )
        withExtendedLifetime(liveness) {}
        return (status, process)
    }

    @Test func `reads a document without a mistake to its end`() throws {
        // Nobody holds the liveness pipe: the sandbox may be killed before its command is found to be missing.
        let text = try answer(Self.valid)
        #expect(!text.contains("\"stage\":\"read\""), "\(text)")
        #expect(text.contains("\"stage\":\"run\"") || text.contains("\"signal\":9"), "\(text)")
    }

    @Test(arguments: [
        ("\"version\":1", "\"version\":2", "version is not 1"),
        ("\"version\":1", "\"version\":1,\"surprise\":0", "surprise is not a known key"),
        ("\"hostname\":\"h\",", "", "hostname is missing"),
        ("\"id\":\"x\"", "\"id\":\"../x\"", "id is not an identifier"),
        ("\"id\":\"x\"", "\"id\":\"\"", "id is not an identifier"),
        ("\"profile\":\"insecure\"", "\"profile\":\"none\"", "profile has an unknown value"),
        ("\"profile\":\"insecure\"", "\"profile\":\"step\"", "filter does not fit the profile"),
        ("\"network\":\"none\"", "\"network\":7", "network is not a string"),
        ("\"arguments\":[\"a\"]", "\"arguments\":[]", "arguments name no command"),
        ("\"arguments\":[\"a\"]", "\"arguments\":[\"a\\u0000b\"]", "arguments holds a zero byte"),
        (
            "\"workingDirectory\":\"/\"", "\"workingDirectory\":\"etc\"",
            "workingDirectory is not an absolute path"
        ),
        ("\"uid\":0", "\"uid\":4294967296", "uid is out of range"),
        ("\"uid\":0", "\"uid\":-1", "uid is negative"),
        (
            "\"kind\":\"empty\"", "\"kind\":\"overlay\",\"lower\":[0]",
            "lower names a descriptor that was not passed"
        ),
        (
            "\"kind\":\"empty\"", "\"kind\":\"overlay\",\"lower\":[99999999999]",
            "lower is out of range"
        ),
        ("\"kind\":\"empty\"", "\"kind\":\"overlay\"", "lower names no layers"),
        ("\"mounts\":[]", "\"mounts\":[{\"kind\":\"bind\"}]", "target is missing"),
        ("\"mounts\":[]", "\"mounts\":{}", "mounts is not an array"),
        ("{\"version\"", "{{\"version\"", "the spec"),
        ("\"removeStubParents\":false}", "\"removeStubParents\":false} x", "the spec"),
    ])
    func `refuses a document with a mistake`(
        _ part: String,
        _ replacement: String,
        _ reason: String
    ) throws {
        let text = try answer(Self.valid.replacing(part, with: replacement))
        #expect(text.contains("\"stage\":\"read\""), "\(text)")
        #expect(text.contains(reason), "\(text)")
    }

    @Test func `ends on documents cut at any byte`() throws {
        for length in stride(from: 0, to: Self.valid.utf8.count - 1, by: 17) {
            #expect(try answer(String(Self.valid.prefix(length))).contains("\"state\":\"error\""))
        }
    }
}
