// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages

/// How the actions of a file operation are put into layers.
///
/// Actions that build on one another, and whose results in between nobody else sees, share one layer.
struct FileActionPlan {
    /// A tree an action starts from or reads.
    enum Tree: Hashable {
        case scratch
        /// An input of the operation.
        case input(Int)
        /// The result of an earlier chain, by its index.
        case chain(Int)
    }

    /// Actions that write one layer on one tree.
    struct Chain {
        var base: Tree
        /// Indices of actions, in order.
        var actions: [Int]
    }

    private(set) var chains: [Chain] = []
    /// For each output of the operation, the chain whose result it is.
    private(set) var outputs: [Int] = []
    /// For each action, the tree its secondary input is.
    private(set) var secondary: [Tree] = []

    /// - Throws: `invalidDefinition` for indices that name nothing, or not yet.
    init(_ actions: [Pb_FileAction], inputCount: Int) throws(EngineError) {
        var consumers = [Int](repeating: 0, count: actions.count)
        for (index, action) in actions.enumerated() {
            for input in [action.input, action.secondaryInput] {
                if let earlier = try Self.action(input, inputCount: inputCount, before: index) {
                    consumers[earlier] += 1
                }
            }
        }
        var chainOfAction = [Int](repeating: 0, count: actions.count)
        var outputChains: [Int: Int] = [:]
        for (index, action) in actions.enumerated() {
            let earlier = try Self.action(action.input, inputCount: inputCount, before: index)
            if let earlier, consumers[earlier] == 1, actions[earlier].output < 0 {
                // Nobody else sees what it builds on: go on in the same layer.
                chainOfAction[index] = chainOfAction[earlier]
                chains[chainOfAction[index]].actions.append(index)
            } else {
                let base: Tree =
                    if let earlier {
                        .chain(chainOfAction[earlier])
                    } else if let input = Int(exactly: action.input), input >= 0 {
                        .input(input)
                    } else {
                        .scratch
                    }
                chainOfAction[index] = chains.count
                chains.append(Chain(base: base, actions: [index]))
            }
            let read = try Self.action(action.secondaryInput, inputCount: inputCount, before: index)
            if let read {
                secondary.append(.chain(chainOfAction[read]))
            } else if let input = Int(exactly: action.secondaryInput), input >= 0 {
                secondary.append(.input(input))
            } else {
                secondary.append(.scratch)
            }
            if action.output >= 0 {
                guard let output = Int(exactly: action.output), output < actions.count,
                    outputChains.updateValue(chainOfAction[index], forKey: output) == nil
                else {
                    throw EngineError(
                        .invalidDefinition,
                        "file action \(index) has output \(action.output), which is out of range or taken"
                    )
                }
            }
        }
        for output in 0..<outputChains.count {
            guard let chain = outputChains[output] else {
                throw EngineError(.invalidDefinition, "no file action has output \(output)")
            }
            outputs.append(chain)
        }
        if outputs.isEmpty { throw EngineError(.invalidDefinition, "no file action has an output") }
    }

    /// The action an index refers to, or `nil` for an input of the operation or scratch.
    private static func action(
        _ input: Int64,
        inputCount: Int,
        before index: Int
    ) throws(EngineError) -> Int? {
        if input < Int64(inputCount) {
            if input >= -1 { return nil }
            throw EngineError(.invalidDefinition, "file action \(index) names input \(input)")
        }
        let action = input - Int64(inputCount)
        guard action < Int64(index) else {
            throw EngineError(
                .invalidDefinition,
                "file action \(index) names action \(action), which does not come before it"
            )
        }
        return Int(action)
    }
}
