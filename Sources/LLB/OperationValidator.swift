// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages
internal import OCI
internal import SwiftProtobuf

/// Decides whether one operation means something, looking at nothing but it.
struct OperationValidator {
    let operation: Pb_Op
    let digest: Digest

    /// Sources this engine knows, by what stands before `://`.
    static let sourceSchemes: Set<String> = [
        "docker-image", "docker-image+blob", "oci-layout", "oci-layout+blob", "git", "http",
        "https", "local",
    ]

    /// Refuses an operation that means nothing.
    ///
    /// - Returns: How many outputs it has.
    func validate() throws(LLBError) -> Int {
        switch operation.op {
        case .source(let source): return try validate(source)
        case .exec(let exec): return try validate(exec)
        case .file(let file): return try validate(file)
        case .build(let build): return try validate(build)
        case .merge(let merge): return try validate(merge)
        case .diff(let diff): return try validate(diff)
        case .passthrough(let passthrough): return try validate(passthrough)
        case nil:
            throw refusal(
                operation.unknownFields.data.isEmpty
                    ? "it holds no operation" : "its kind of operation is unknown to this engine"
            )
        }
    }

    func refusal(_ reason: String) -> LLBError {
        LLBError(.malformed, "cannot load operation \(digest): \(reason)", operation: digest)
    }

    /// Refuses an index that names neither an input nor, with -1, an empty tree.
    func checkInput(_ index: Int64, of part: String, allowsScratch: Bool = true) throws(LLBError) {
        if index == -1, allowsScratch { return }
        guard index >= 0, index < operation.inputs.count else {
            throw refusal("\(part) uses input \(index) of \(operation.inputs.count)")
        }
    }

    /// Refuses output numbers that are not 0, 1, … each once.
    func checkOutputs(_ numbers: [Int64]) throws(LLBError) -> Int {
        for (expected, number) in numbers.sorted().enumerated() where number != expected {
            throw refusal(
                "its outputs are numbered \(numbers); each number from 0 must appear once"
            )
        }
        return numbers.count
    }

    private func validate(_ source: Pb_SourceOp) throws(LLBError) -> Int {
        guard let separator = source.identifier.firstRange(of: "://") else {
            throw refusal("source \"\(source.identifier)\" has no scheme")
        }
        let scheme = String(source.identifier[..<separator.lowerBound])
        guard OperationValidator.sourceSchemes.contains(scheme) else {
            throw refusal("source scheme \"\(scheme)\" is unknown")
        }
        guard separator.upperBound < source.identifier.endIndex else {
            throw refusal("source \"\(source.identifier)\" names nothing")
        }
        return 1
    }

    private func validate(_ build: Pb_BuildOp) throws(LLBError) -> Int {
        guard build.builder == -1 else {
            throw refusal("builder is \(build.builder); only -1, LLB, exists")
        }
        for (name, input) in build.inputs {
            try checkInput(input.input, of: "build input \"\(name)\"", allowsScratch: false)
        }
        return 1
    }

    private func validate(_ merge: Pb_MergeOp) throws(LLBError) -> Int {
        guard !merge.inputs.isEmpty else { throw refusal("it merges nothing") }
        for input in merge.inputs { try checkInput(input.input, of: "merge") }
        return 1
    }

    private func validate(_ diff: Pb_DiffOp) throws(LLBError) -> Int {
        guard diff.hasLower, diff.hasUpper else {
            throw refusal("a difference needs a lower and an upper side")
        }
        try checkInput(diff.lower.input, of: "lower side")
        try checkInput(diff.upper.input, of: "upper side")
        return 1
    }

    private func validate(_ passthrough: Pb_PassthroughOp) throws(LLBError) -> Int {
        guard !passthrough.id.isEmpty else { throw refusal("a passthrough needs an id") }
        guard !passthrough.outputs.isEmpty else { throw refusal("a passthrough needs an output") }
        for output in passthrough.outputs {
            try checkInput(output, of: "passthrough", allowsScratch: false)
        }
        return passthrough.outputs.count
    }
}
