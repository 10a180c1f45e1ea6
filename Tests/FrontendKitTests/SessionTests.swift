// SPDX-License-Identifier: Apache-2.0

import FrontendKit
import FrontendProtocol
import Glibc
import LLB
import LinuxSystem
import OCI
import Testing

/// Sessions with a frontend that stands on FrontendKit, a real process at the other end of pipes.
@Suite(.timeLimit(.minutes(2)))
struct SessionTests {
    private let spec = "images:\n  app: {base: \"alpine:3\", files: [{copy: a.txt, to: /a.txt}], user: nobody}\n"

    @Test func `a build gives trees and configs`() throws {
        let engine = try EngineStub()
        let hello = try engine.initialize()
        #expect(hello["provides"] == ["describe/targets", "describe/outline", "lint", "convert"])
        let result = try engine.call("build", buildParams(spec), StubWorld().respond).get()
        guard case .array(let refs)? = result["refs"], case .object(let first)? = refs.first,
            case .bytes(let config)? = first["config"]
        else {
            Issue.record("no result: \(result)")
            return
        }
        #expect(first["id"] == "linux/amd64")
        #expect(first["ref"] == "r")
        #expect(try JSONValue(parsing: config)["config"]?["User"]?.text == "nobody")
        #expect(try engine.finish() == .exited(0))
        #expect(try engine.rest() == [])
    }

    @Test func `several platforms are built at once and answered in the order asked for`() throws {
        let engine = try EngineStub()
        try engine.initialize()
        let options = ["platform": "linux/arm64,linux/amd64"]
        let result = try engine.call("build", buildParams(spec, options: options), StubWorld().respond).get()
        guard case .array(let refs)? = result["refs"] else {
            Issue.record("no result")
            return
        }
        let ids = refs.compactMap { ref -> WireValue? in
            if case .object(let object) = ref { object["id"] } else { nil }
        }
        #expect(ids == ["linux/arm64", "linux/amd64"])
        #expect(result["index"] == true)
    }

    @Test func `each question is a method of its own`() throws {
        func ask(_ method: String, _ text: String, _ options: [String: String] = [:]) throws -> WireObject {
            let engine = try EngineStub()
            try engine.initialize()
            defer { #expect((try? engine.finish()) == .exited(0)) }
            return try engine.call(method, buildParams(text, options: options), StubWorld().respond).get()
        }
        let targets = try ask("describe/targets", spec)
        guard case .array(let list)? = targets["targets"], case .object(let target)? = list.first else {
            Issue.record("no targets")
            return
        }
        #expect(target["name"] == "app")
        #expect(target["default"] == true)
        #expect(target["base"] == "alpine:3")

        let outline = try ask("describe/outline", "variables: {v: {description: about v, default: 1}}\n" + spec)
        #expect(outline["name"] == "app")
        #expect(
            outline["arguments"] == [
                [
                    "name": "v", "description": "about v", "value": "1",
                    "ranges": [["startLine": 1, "startColumn": 13, "endLine": 1, "endColumn": 14]],
                ]
            ]
        )

        let findings = try ask("lint", "variables: {unused: 1}\n" + spec)
        guard case .array(let diagnostics)? = findings["diagnostics"], case .object(let finding)? = diagnostics.first
        else {
            Issue.record("no findings")
            return
        }
        #expect(finding["code"] == "UnusedVariable")
        #expect(finding["severity"] == "warning")

        let graph = try ask("convert", spec)
        guard case .bytes(let bytes)? = graph["definition"] else {
            Issue.record("no definition")
            return
        }
        #expect(try !Definition(serialized: bytes).isScratch)
    }

    @Test func `a wrong file is a result of lint and an error of everything else`() throws {
        for method in ["build", "describe/targets", "describe/outline", "convert"] {
            let engine = try EngineStub()
            try engine.initialize()
            let answer = try engine.call(method, buildParams("imags: {}\n"), StubWorld().respond)
            guard case .failure(let failure) = answer else {
                Issue.record("\(method) succeeded")
                continue
            }
            #expect(failure.kind == .buildFile)
            #expect(
                failure.message.hasPrefix(
                    "image.yaml:1:1: unknown key \"imags\" in the spec; did you mean \"images\"?\n>    1 | imags: {}"
                )
            )
        }
        let engine = try EngineStub()
        try engine.initialize()
        let result = try engine.call("lint", buildParams("imags: {}\n"), StubWorld().respond).get()
        guard case .object(let error)? = result["error"] else {
            Issue.record("no error")
            return
        }
        #expect(error["message"] == "unknown key \"imags\" in the spec; did you mean \"images\"?")
        #expect(error["file"] == "image.yaml")
    }

    @Test(arguments: [
        ("frontend.targets", "\"name\": \"app\""), ("frontend.outline", "\"name\": \"app\""),
        ("frontend.lint", "\"warnings\""), ("frontend.convertllb", "\"def\""),
        ("frontend.subrequests.describe", "frontend.targets"),
    ])
    func `BuildKit's clients ask the same by an option of the build`(request: String, expected: String) throws {
        let engine = try EngineStub()
        try engine.initialize()
        let params = buildParams(spec, options: ["requestid": request])
        let result = try engine.call("build", params, StubWorld().respond).get()
        guard case .object(let metadata)? = result["metadata"], case .bytes(let json)? = metadata["result.json"] else {
            Issue.record("no answer")
            return
        }
        #expect(result["refs"] == [])
        #expect(String(decoding: json, as: UTF8.self).contains(expected))
        _ = try JSONValue(parsing: json)
    }

    @Test func `an unknown subrequest is refused with those that are known`() throws {
        let engine = try EngineStub()
        try engine.initialize()
        let answer = try engine.call(
            "build",
            buildParams(spec, options: ["requestid": "frontend.x"]),
            StubWorld().respond
        )
        guard case .failure(let failure) = answer else {
            Issue.record("it succeeded")
            return
        }
        #expect(failure.message.contains("frontend.lint"))
    }

    @Test func `what the engine could not do stays the engine's failure, with the line it is about`() throws {
        let engine = try EngineStub()
        try engine.initialize()
        let answer = try engine.call("build", buildParams(spec)) { method, params in
            guard method == "resolveSource" else { return StubWorld().respond(method, params) }
            return .failure(ProtocolFailure(.unavailable, "the registry is away"))
        }
        guard case .failure(let failure) = answer else {
            Issue.record("it succeeded")
            return
        }
        #expect(failure.kind == .unavailable)
        #expect(failure.message.contains("image.yaml:2:15: alpine:3: the registry is away"))
        #expect(failure.data["request"] != nil)
    }

    @Test func `the first error of several files is not the last: all are told`() throws {
        let engine = try EngineStub()
        try engine.initialize()
        let world = StubWorld(files: ["a.yaml": "stages:\n  s: {base: x, nonsense: 1}\n"])
        let text = "include: [a.yaml]\nimages:\n  app: {base: s, usr: root}\n"
        let answer = try engine.call("build", buildParams(text), world.respond)
        guard case .failure(let failure) = answer else {
            Issue.record("it succeeded")
            return
        }
        #expect(failure.message.contains("a.yaml:2:16: unknown key \"nonsense\""))
        #expect(failure.message.contains("image.yaml:3:18: unknown key \"usr\" in image app; did you mean \"user\"?"))
    }

    @Test func `one process does one piece of work, after the handshake`() throws {
        let early = try EngineStub()
        #expect(throws: ProtocolFailure.self) { try early.call("build", buildParams(spec), StubWorld().respond).get() }
        let engine = try EngineStub()
        try engine.initialize()
        _ = try engine.call("describe/targets", buildParams(spec), StubWorld().respond).get()
        guard case .failure(let failure) = try engine.call("build", buildParams(spec), StubWorld().respond) else {
            Issue.record("a second piece of work was done")
            return
        }
        #expect(failure.kind == .unsupported)
        guard case .failure(let unknown) = try engine.call("x-acme/y", [:], StubWorld().respond) else {
            Issue.record("an unknown method was answered")
            return
        }
        #expect(unknown.kind == .unsupported)
    }

    @Test func `a frontend ends when its stdin does, whatever it was doing`() throws {
        let idle = try EngineStub()
        #expect(try idle.finish() == .exited(0))
        let engine = try EngineStub()
        try engine.initialize()
        // Whether its last answer still comes out is a matter of time; that it ends is not.
        let answer = try? engine.call("build", buildParams(spec)) { _, _ in
            #expect((try? engine.finish()) == .exited(0))
            return .failure(.limit("never sent"))
        }
        if case .success? = answer { Issue.record("a build without an engine succeeded") }
    }

    @Test func `bytes that are no protocol end the process with a status of their own`() throws {
        let engine = try EngineStub()
        try engine.send([Array("hello\n\n\n\n\n".utf8)])
        #expect(try engine.finish() == .exited(76))
        #expect(try engine.rest() == [])
    }

    @Test func `the version goes to stderr: stdout is the protocol's`() throws {
        let engine = try EngineStub(arguments: ["--version"])
        #expect(try engine.finish() == .exited(0))
        #expect(try engine.rest() == [])
    }
}
