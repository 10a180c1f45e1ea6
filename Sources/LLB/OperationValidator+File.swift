// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages

extension OperationValidator {
    /// Actions of one file operation; more are refused.
    static let actionCountLimit = FileActions.countMax

    func validate(_ file: Pb_FileOp) throws(LLBError) -> Int {
        guard !file.actions.isEmpty else { throw refusal("it has no file actions") }
        guard file.actions.count <= OperationValidator.actionCountLimit else {
            throw refusal(
                "it has \(file.actions.count) actions, at most \(OperationValidator.actionCountLimit) are allowed"
            )
        }
        for (index, action) in file.actions.enumerated() {
            try validate(action, index: index, of: file)
        }
        try checkOrder(file)
        let outputs = file.actions.map(\.output).filter { $0 != -1 }
        guard !outputs.isEmpty else { throw refusal("none of its actions is an output") }
        return try checkOutputs(outputs)
    }

    private func validate(_ action: Pb_FileAction, index: Int, of file: Pb_FileOp) throws(LLBError) {
        let part = "action \(index)"
        let indexLimit = Int64(operation.inputs.count + file.actions.count)
        for input in [action.input, action.secondaryInput] where input < -1 || input >= indexLimit {
            throw refusal(
                "\(part) uses input \(input) of \(operation.inputs.count) inputs and \(file.actions.count) actions"
            )
        }
        func checkPath(_ path: String) throws(LLBError) {
            guard !path.isEmpty, !path.utf8.contains(0) else {
                throw refusal("\(part) has path \"\(path)\"")
            }
        }
        switch action.action {
        case .copy(let copy):
            try checkPath(copy.src)
            try checkPath(copy.dest)
            try validate(copy.owner, of: part, file)
        case .mkfile(let mkfile):
            try checkPath(mkfile.path)
            try validate(mkfile.owner, of: part, file)
        case .mkdir(let mkdir):
            try checkPath(mkdir.path)
            try validate(mkdir.owner, of: part, file)
        case .rm(let rm): try checkPath(rm.path)
        case .symlink(let symlink):
            try checkPath(symlink.newpath)
            try checkPath(symlink.oldpath)
            try validate(symlink.owner, of: part, file)
        case nil: throw refusal("\(part) holds no action or one that is unknown")
        }
    }

    private func validate(_ owner: Pb_ChownOpt, of part: String, _ file: Pb_FileOp) throws(LLBError) {
        for user in [owner.user, owner.group] {
            guard case .byName(let named) = user.user else { continue }
            guard named.input >= -1, named.input < operation.inputs.count + file.actions.count
            else {
                throw refusal("\(part) looks up owner \"\(named.name)\" in input \(named.input)")
            }
        }
    }

    /// Refuses actions that wait for each other.
    ///
    /// Actions may stand in any order.
    private func checkOrder(_ file: Pb_FileOp) throws(LLBError) {
        let inputCount = Int64(operation.inputs.count)
        var waiting = Array(repeating: 0, count: file.actions.count)
        var users: [[Int]] = Array(repeating: [], count: file.actions.count)
        for (index, action) in file.actions.enumerated() {
            for input in [action.input, action.secondaryInput] where input >= inputCount {
                users[Int(input - inputCount)].append(index)
                waiting[index] += 1
            }
        }
        var ready = waiting.indices.filter { waiting[$0] == 0 }
        var doneCount = 0
        while let next = ready.popLast() {
            doneCount += 1
            for user in users[next] {
                waiting[user] -= 1
                if waiting[user] == 0 { ready.append(user) }
            }
        }
        guard doneCount == file.actions.count else {
            throw refusal("its file actions wait for each other")
        }
    }
}
