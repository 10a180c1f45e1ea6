// SPDX-License-Identifier: Apache-2.0

import LLB
import LLBMessages
import OCI
import Testing

@Suite struct JSONFormTests {
    private func definition(_ text: String) throws -> Definition {
        try Definition(json: JSONValue(parsing: text))
    }

    @Test func `survives writing and reading`() throws {
        var actions = FileActions()
        actions.makeFile("/f", mode: 0o600, data: [0, 1, 255], owner: FileOwner("a:b"))
        let file = SourceFile(filename: "F", language: "L", data: [1])
        let location = SourceLocation(file: file, ranges: [SourceRange(startLine: 1, endLine: 1)])
        let state = try State.image("a").file(
            actions,
            constraints: Constraints(name: "n", locations: [location])
        )
        let first = try state.definition()
        #expect(try Definition(json: first.json()) == first)
    }

    @Test func `keeps the order of operations that come after their inputs`() throws {
        func source(_ name: String) -> String { #""\#(name)": {"source": {"identifier": "docker-image://\#(name)"}}"# }
        func user(_ name: String, _ inputs: String...) -> String {
            let inputs = inputs.map { #"{"digest": "\#($0)"}"# }.joined(separator: ", ")
            return #""\#(name)": {"inputs": [\#(inputs)], "merge": {}}"#
        }
        let operations = [
            source("a"), user("first", "a"), source("b"), user("second", "a", "a"),
            user("last", "first", "b", "second"),
            #""out": {"inputs": [{"digest": "last"}]}"#,
        ]
        let kept = try definition("{\"def\": {\(operations.joined(separator: ","))}}")
        #expect(try Definition(json: kept.json()).operations.map(\.digest) == kept.operations.map(\.digest))
        let inputCounts = try kept.json()["def"]?.members.map { $0.value["inputs"]?.elements?.count ?? 0 }
        #expect(inputCounts == [0, 1, 0, 2, 3, 1])
    }

    @Test func `lets authors name operations as they like`() throws {
        let text = """
            {"def": {
              "out": {"inputs": [{"digest": "run"}]},
              "run": {"inputs": [{"digest": "base"}],
                      "exec": {"meta": {"args": ["ls"], "cwd": "/"}, "mounts": [{"dest": "/"}]}},
              "base": {"source": {"identifier": "docker-image://docker.io/library/a:1"}}},
             "metadata": {"run": {"description": {"llb.customname": "list"}}}}
            """
        let graph = try definition(text).graph()
        #expect(graph.vertices.map(\.name) == ["docker-image://docker.io/library/a:1", "list"])
    }

    @Test func `reads BuildKit's own nesting`() throws {
        let text = """
            {"def": {
              "b": {"inputs": [{"digest": "a", "index": 0}], "Op": {}},
              "a": {"Op": {"file": {"actions": [{"input": -1, "secondaryInput": -1, "output": 0,
                 "Action": {"mkdir": {"path": "/a", "mode": 493, "timestamp": -1,
                   "owner": {"user": {"User": {"byId": 7}}}}}}]}}}}}
            """
        let graph = try definition(text).graph()
        #expect(graph.vertices.first?.operation.file.actions.first?.mkdir.owner.user.byID == 7)
    }

    @Test(arguments: [
        ("secondInput", "file.actions[0].secondInput is no field of LLB; did you mean secondaryInput?"),
        ("secondaryinput", "file.actions[0].secondaryinput is no field of LLB; did you mean secondaryInput?"),
        ("colour", "file.actions[0].colour is no field of LLB"),
        // A field of another message; not of this one.
        ("path", "file.actions[0].path is no field of LLB"),
    ])
    func `P-LLB-01: a field that is not known is told with its place and the one that was meant`(
        name: String,
        text: String
    ) {
        let definition = """
            {"def": {"a": {"file": {"actions": [{"\(name)": 1, "mkdir": {"path": "/a"}}]}}, "b": {"inputs": []}}}
            """
        let error = #expect(throws: LLBError.self) { try self.definition(definition) }
        #expect(error?.message == "cannot read LLB JSON: operation \"a\": \(text)")
    }

    @Test func `a build file quoted by its name alone gets its text; what has a text keeps it`() throws {
        var found = try definition(
            """
            {"def": {"a": {}}, "source": {"infos": [{"filename": "Buildfile"}, {"filename": "Other"},
              {"filename": "Buildfile", "data": "b3du"}]}}
            """
        )
        found.fillSource(named: "Buildfile", with: Array("text".utf8))
        #expect(found.source?.infos.map { String(decoding: $0.data, as: UTF8.self) } == ["text", "", "own"])
    }

    @Test(arguments: [
        ("[]", "must be an object"), (#"{"def": []}"#, "must be an object"),
        (#"{"def": {"a": {"source": {}}}}"#, "exactly one must point"),
        (#"{"def": {"a": {"inputs": [{"digest": "b"}]}}}"#, "needs \"b\""),
        (#"{"def": {"a": {}, "b": {}}}"#, "exactly one must point"),
        (#"{"def": {"a": {"inputs": [{"digest": "a"}]}}}"#, "in a circle"),
        (#"{"def": {"a": {"source": {"identifier": "x"}}, "a": {}}}"#, "appears twice"),
        (#"{"def": {"a": {"surprise": 1}}}"#, "operation \"a\""),
        (#"{"def": {"a": {}}, "metadata": {"z": {}}}"#, "metadata for \"z\""),
        (#"{"def": {"a": {"exec": {"network": "MARS"}}}}"#, "operation \"a\""),
    ])
    func `refuses forms that mean nothing`(text: String, reason: String) throws {
        let error = #expect(throws: LLBError.self) { try definition(text) }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }
}
