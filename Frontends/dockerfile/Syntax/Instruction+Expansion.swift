// SPDX-License-Identifier: Apache-2.0

extension Instruction.Body {
    /// Replaces the variables in every part of the instruction that BuildKit expands word by word,
    /// in its order.
    ///
    /// RUN is not among them (its mounts are read by ``RunInstruction/mounts(expanding:)``), nor
    /// are ARG, EXPOSE, and the commands that a shell expands.
    package mutating func expand(
        _ expand: (String) throws(DockerfileError) -> String
    ) throws(DockerfileError) {
        switch self {
        case .env(var env):
            try Self.expand(&env.pairs, expand)
            self = .env(env)
        case .label(var label):
            if label.isExpanded { try Self.expand(&label.pairs, expand) }
            self = .label(label)
        case .add(var add):
            add.owner = try expand(add.owner)
            add.mode = try expand(add.mode)
            add.checksum = try expand(add.checksum)
            try add.sources.expand(expand)
            self = .add(add)
        case .copy(var copy):
            copy.owner = try expand(copy.owner)
            copy.mode = try expand(copy.mode)
            try copy.sources.expand(expand)
            self = .copy(copy)
        case .workdir(let path): self = .workdir(try expand(path))
        case .user(let user): self = .user(try expand(user))
        case .stopsignal(let signal): self = .stopsignal(try expand(signal))
        case .volume(var volumes):
            for index in volumes.indices { volumes[index] = try expand(volumes[index]) }
            self = .volume(volumes)
        case .arg, .cmd, .entrypoint, .expose, .healthcheck, .maintainer, .onbuild, .run, .shell:
            break
        }
    }

    /// Replaces the variables in the contents of heredocs of COPY and ADD, where their names are
    /// not quoted.
    ///
    /// - Parameter expand: Uses ``Expander/heredocContent``.
    /// - Throws: What `expand` throws.
    package mutating func expandHeredocs(
        _ expand: (String) throws(DockerfileError) -> String
    ) throws(DockerfileError) {
        switch self {
        case .add(var add):
            try add.sources.expandInlineFiles(expand)
            self = .add(add)
        case .copy(var copy):
            try copy.sources.expandInlineFiles(expand)
            self = .copy(copy)
        default:
            break
        }
    }

    private static func expand(
        _ pairs: inout [KeyValue],
        _ expand: (String) throws(DockerfileError) -> String
    ) throws(DockerfileError) {
        for index in pairs.indices {
            pairs[index].key = try expand(pairs[index].key)
            pairs[index].value = try expand(pairs[index].value)
        }
    }
}

extension CopySources {
    fileprivate mutating func expand(
        _ expand: (String) throws(DockerfileError) -> String
    ) throws(DockerfileError) {
        for index in paths.indices { paths[index] = try expand(paths[index]) }
        destination = try expand(destination)
    }

    fileprivate mutating func expandInlineFiles(
        _ expand: (String) throws(DockerfileError) -> String
    ) throws(DockerfileError) {
        for index in inlineFiles.indices where inlineFiles[index].isExpanded {
            let text = String(decoding: inlineFiles[index].content, as: UTF8.self)
            inlineFiles[index].content = Array(try expand(text).utf8)
        }
    }
}
