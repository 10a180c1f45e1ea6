// SPDX-License-Identifier: Apache-2.0

import LLB
import LLBMessages
import OCI

/// Definitions put together operation by operation, sound or not.
struct GraphMaker {
    private(set) var definition = Definition()

    /// Appends an operation.
    ///
    /// - Returns: Its digest.
    @discardableResult
    mutating func add(
        _ inputs: [(Digest, Int64)] = [],
        _ fill: (inout Pb_Op) -> Void = { _ in }
    ) throws -> Digest {
        var operation = Pb_Op()
        operation.inputs = inputs.map { digest, index in
            var input = Pb_Input()
            input.digest = digest.description
            input.index = index
            return input
        }
        fill(&operation)
        let encoded = Definition.Operation(try operation.canonicalBytes())
        definition.operations.append(encoded)
        return encoded.digest
    }

    mutating func addSource(
        _ identifier: String = "docker-image://docker.io/library/a:1"
    ) throws -> Digest {
        try add { $0.source.identifier = identifier }
    }

    /// The definition whose result is an output of an operation.
    mutating func finish(_ result: Digest, _ index: Int64 = 0) throws -> Definition {
        try add([(result, index)])
        return definition
    }
}

extension Pb_Op {
    /// Makes the operation an exec with one root mount, ready to be spoilt.
    mutating func makeExec(_ fill: (inout Pb_ExecOp) -> Void = { _ in }) {
        exec.meta.args = ["true"]
        exec.meta.cwd = "/"
        var root = Pb_Mount()
        root.dest = "/"
        exec.mounts = [root]
        fill(&exec)
    }
}
