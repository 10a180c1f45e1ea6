// SPDX-License-Identifier: Apache-2.0

package import LLBMessages

extension Pb_OpMetadata {
    /// What to show for the operation; `nil` leaves it to what it does.
    package var customName: String? {
        get { description_p["llb.customname"] }
        set { description_p["llb.customname"] = newValue }
    }
}

extension Pb_Op {
    /// Names longer than this many characters are cut; merges of merges would grow without bound.
    static let displayNameLimit = 1024

    /// What to show for an operation without a custom name.
    ///
    /// `inputName` gives the name of the input with an index that is within range.
    func displayName(inputName: (Int) -> String) -> String {
        func side(_ index: Int64) -> String {
            guard let index = Int(exactly: index), inputs.indices.contains(index) else {
                return "scratch"
            }
            return "(\(inputName(index)))"
        }
        let name =
            switch op {
            case .source(let source): source.identifier
            case .exec(let exec): exec.meta.args.joined(separator: " ")
            case .file(let file): file.actions.map(\.displayName).joined(separator: ", ")
            case .build: "build"
            case .merge: "merge (\(inputs.indices.map(inputName).joined(separator: ", ")))"
            case .diff(let diff): "diff \(side(diff.lower.input)) -> \(side(diff.upper.input))"
            case .passthrough(let passthrough): "passthrough \(passthrough.id)"
            case nil: "unknown"
            }
        guard name.count > Pb_Op.displayNameLimit, !isExec else { return name }
        return name.prefix(Pb_Op.displayNameLimit) + "…"
    }

    private var isExec: Bool {
        if case .exec = op { true } else { false }
    }
}

extension Pb_FileAction {
    fileprivate var displayName: String {
        switch action {
        case .copy(let copy): "copy \(copy.src) \(copy.dest)"
        case .mkfile(let file): "mkfile \(file.path)"
        case .mkdir(let directory): "mkdir \(directory.path)"
        case .rm(let removal): "rm \(removal.path)"
        case .symlink(let link): "symlink \(link.newpath) -> \(link.oldpath)"
        case nil: "unknown"
        }
    }
}
