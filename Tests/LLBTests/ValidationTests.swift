// SPDX-License-Identifier: Apache-2.0

import LLB
import LLBMessages
import OCI
import SwiftProtobuf
import Testing

@Suite struct ValidationTests {
    /// What loading a definition says, or `nil` when it is accepted.
    private func refusal(
        _ definition: Definition,
        limits: DefinitionLimits = .standard
    ) -> LLBError? {
        do {
            _ = try definition.graph(limits: limits)
            return nil
        } catch {
            return error
        }
    }

    /// The refusal of a definition with one operation on one source.
    private func refusal(_ fill: (inout Pb_Op) -> Void) throws -> String {
        var maker = GraphMaker()
        let source = try maker.addSource()
        let operation = try maker.add([(source, 0)], fill)
        return refusal(try maker.finish(operation))?.message ?? "accepted"
    }

    @Test func `accepts a chain and gives inputs before users`() throws {
        var maker = GraphMaker()
        let source = try maker.addSource()
        let exec = try maker.add([(source, 0)]) { $0.makeExec() }
        let graph = try maker.finish(exec).graph()
        #expect(graph.vertices.map(\.digest) == [source, exec])
        #expect(graph.result == Edge(vertex: exec, index: 0))
        #expect(graph[exec]?.name == "true")
        #expect(graph[source]?.name == "docker-image://docker.io/library/a:1")
        #expect(graph[exec]?.inputs == [Edge(vertex: source, index: 0)])
        #expect(graph[exec]?.depth == 2)
    }

    @Test func `takes operations in any order and ignores those nobody needs`() throws {
        var maker = GraphMaker()
        let source = try maker.addSource()
        let exec = try maker.add([(source, 0)]) { $0.makeExec() }
        try maker.add([(Digest.of("elsewhere"), 0)]) { $0.makeExec() }
        var definition = try maker.finish(exec)
        definition.operations.swapAt(0, 1)
        #expect(try definition.graph().vertices.map(\.digest) == [source, exec])
    }

    @Test func `takes nothing for scratch`() throws {
        let graph = try Definition.scratch.graph()
        #expect(graph.result == nil && graph.vertices.isEmpty)
    }

    @Test func `refuses a missing input, a bad output and a missing result`() throws {
        var maker = GraphMaker()
        let exec = try maker.add([(Digest.of("gone"), 0)]) { $0.makeExec() }
        #expect(refusal(try maker.finish(exec))?.message.contains("which is not in it") == true)

        maker = GraphMaker()
        let source = try maker.addSource()
        #expect(refusal(try maker.finish(source, 1))?.message.contains("needs output 1") == true)
        #expect(refusal(try maker.finish(source, -1))?.message.contains("negative") == true)

        maker = GraphMaker()
        _ = try maker.addSource()
        #expect(refusal(maker.definition)?.message.contains("single operation") == true)
        _ = try maker.addSource("docker-image://b")
        #expect(refusal(maker.definition)?.message.contains("points at no result") == true)
    }

    @Test func `refuses bytes that are no operation and inputs that are no digest`() throws {
        var maker = GraphMaker()
        let source = try maker.addSource()
        var definition = try maker.finish(source)
        definition.operations[0] = Definition.Operation([0xff, 0xff])
        #expect(refusal(definition)?.code == .malformed)
        let junk = Definition.Operation([0x0a])
        var terminal = Pb_Op()
        terminal.inputs = [Pb_Input.with { $0.digest = junk.digest.description }]
        definition = Definition(operations: [junk, .init(try terminal.canonicalBytes())])
        #expect(refusal(definition)?.code == .unreadable)
        terminal.inputs[0].digest = "sha256:short"
        definition.operations[1] = .init(try terminal.canonicalBytes())
        #expect(refusal(definition)?.message.contains("is no digest") == true)
    }

    @Test func `refuses unknown operations, sources and capabilities`() throws {
        #expect(try refusal { _ in }.contains("holds no operation"))
        #expect(
            try refusal { $0.source.identifier = "ftp://a" }.contains(
                "source scheme \"ftp\" is unknown"
            )
        )
        #expect(try refusal { $0.source.identifier = "a" }.contains("has no scheme"))
        #expect(try refusal { $0.source.identifier = "git://" }.contains("names nothing"))

        var maker = GraphMaker()
        let source = try maker.addSource()
        var definition = try maker.finish(source)
        definition.metadata[source] = Pb_OpMetadata.with {
            $0.caps = ["source.image": true, "time.travel": true]
        }
        #expect(refusal(definition)?.code == .unsupportedCapability)
        #expect(try definition.graph(capabilities: nil).vertices.count == 1)
    }

    @Test func `checks the mounts of an exec`() throws {
        func mount(_ fill: (inout Pb_Mount) -> Void) throws -> String {
            try refusal { operation in
                operation.makeExec { exec in
                    var mount = Pb_Mount()
                    mount.dest = "/m"
                    mount.input = -1
                    mount.output = -1
                    fill(&mount)
                    exec.mounts.append(mount)
                }
            }
        }
        #expect(try mount { _ in } == "accepted")
        #expect(try mount { $0.dest = "/" }.contains("2 mounts at \"/\""))
        #expect(try mount { $0.dest = "" }.contains("destination"))
        #expect(try mount { $0.input = 1 }.contains("uses input 1 of 1"))
        #expect(try mount { $0.input = -2 }.contains("uses input -2"))
        #expect(try mount { $0.output = 0 }.contains("outputs are numbered"))
        #expect(try mount { $0.output = 2 }.contains("outputs are numbered"))
        #expect(try mount { $0.output = 1 } == "accepted")
        #expect(try mount { $0.mountType = .cache }.contains("lacks its cache options"))
        #expect(try mount { $0.mountType = .secret }.contains("lacks its secret options"))
        #expect(try mount { $0.mountType = .ssh }.contains("lacks its ssh options"))
        #expect(try mount { $0.mountType = .UNRECOGNIZED(9) }.contains("mount type 9"))
        #expect(
            try mount {
                $0.mountType = .cache
                $0.cacheOpt.id = "c"
                $0.output = 1
            }.contains("cannot be an output")
        )
        #expect(
            try mount {
                $0.mountType = .tmpfs
                $0.input = 0
            }.contains("cannot have an input")
        )
        #expect(
            try mount {
                $0.mountType = .secret
                $0.secretOpt.id = "s"
                $0.output = 0
            } == "accepted"
        )
    }

    @Test func `checks the rest of an exec`() throws {
        #expect(try refusal { $0.makeExec { $0.clearMeta() } }.contains("has no meta"))
        #expect(try refusal { $0.makeExec { $0.meta.args = [] } }.contains("has no arguments"))
        #expect(try refusal { $0.makeExec { $0.meta.cwd = "a" } }.contains("is not absolute"))
        #expect(try refusal { $0.makeExec { $0.meta.args = ["a\0b"] } }.contains("NUL"))
        #expect(try refusal { $0.makeExec { $0.mounts = [] } }.contains("0 mounts at \"/\""))
        #expect(
            try refusal { $0.makeExec { $0.network = .UNRECOGNIZED(7) } }.contains("network mode 7")
        )
        #expect(
            try refusal { $0.makeExec { $0.security = .UNRECOGNIZED(7) } }.contains(
                "security mode 7"
            )
        )
        #expect(
            try refusal { $0.makeExec { $0.mounts[0].mountType = .tmpfs } }.contains(
                "must be a bind mount"
            )
        )
    }

    @Test func `checks the indices of file actions`() throws {
        func action(_ fill: (inout Pb_FileAction) -> Void) throws -> String {
            try refusal { operation in
                var action = Pb_FileAction()
                action.mkdir.path = "/a"
                fill(&action)
                operation.file.actions = [action]
            }
        }
        #expect(try action { _ in } == "accepted")
        #expect(try refusal { $0.file = Pb_FileOp() }.contains("no file actions"))
        #expect(try action { $0.action = nil }.contains("holds no action"))
        #expect(try action { $0.input = 2 }.contains("uses input 2"))
        #expect(try action { $0.secondaryInput = -2 }.contains("uses input -2"))
        #expect(try action { $0.input = 1 }.contains("wait for each other"))
        #expect(try action { $0.output = -1 }.contains("none of its actions is an output"))
        #expect(try action { $0.output = 1 }.contains("outputs are numbered"))
        #expect(try action { $0.mkdir.path = "" }.contains("has path"))
        #expect(try action { $0.mkdir.owner.user.byName.input = 9 }.contains("looks up owner"))
    }

    @Test func `checks merges, differences, builds and passthroughs`() throws {
        #expect(try refusal { $0.merge = Pb_MergeOp() }.contains("merges nothing"))
        #expect(
            try refusal { $0.merge.inputs = [Pb_MergeInput.with { $0.input = 1 }] }.contains(
                "uses input 1"
            )
        )
        #expect(try refusal { $0.diff.lower.input = 0 }.contains("needs a lower and an upper side"))
        #expect(try refusal { $0.build.builder = 0 }.contains("only -1"))
        #expect(try refusal { $0.passthrough.outputs = [0] }.contains("needs an id"))
        #expect(
            try refusal {
                $0.passthrough.id = "p"
                $0.passthrough.outputs = [3]
            }.contains("uses input 3")
        )
    }

    @Test func `keeps to its limits without recursion`() throws {
        var maker = GraphMaker()
        var last = try maker.addSource()
        for index in 0..<3000 {
            last = try maker.add([(last, 0)]) { $0.makeExec { $0.meta.args = ["step \(index)"] } }
        }
        let definition = try maker.finish(last)
        #expect(try definition.graph()[last]?.depth == 3001)
        let shallow = DefinitionLimits(byteCount: 1 << 30, operationCount: 10_000, depth: 1000)
        #expect(refusal(definition, limits: shallow)?.code == .tooLarge)
        let few = DefinitionLimits(byteCount: 1 << 30, operationCount: 10, depth: 10_000)
        #expect(refusal(definition, limits: few)?.code == .tooLarge)
        let bytes = try definition.serialized()
        let small = DefinitionLimits(byteCount: 100, operationCount: 10_000, depth: 10_000)
        #expect(throws: LLBError.self) { try Definition(serialized: bytes, limits: small) }
        #expect(try Definition(serialized: bytes) == definition)
    }

    @Test func `survives mutilated definitions`() throws {
        let state = try State.image("alpine").run(RunOptions(arguments: ["a"])).root
        let bytes = try state.definition().serialized()
        for length in 0..<bytes.count {
            let part = try? Definition(serialized: Array(bytes[..<length]))
            _ = try? part?.graph()
        }
        for position in stride(from: 0, to: bytes.count, by: 3) {
            var spoilt = bytes
            spoilt[position] ^= 0x55
            _ = try? Definition(serialized: spoilt).graph()
        }
    }
}
