// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import LinuxSystem
internal import SystemPackage

/// Kinds of output, with what `-o` needs for each.
private let outputTypes = ["docker", "image", "local", "oci", "registry", "tar"]

/// Reads one `-o` value: `DIR`, `-`, or `type=TYPE,dest=PATH,key=value…`.
func parseOutput(_ text: String) throws -> Output {
    if text == "-" { return Output(type: "tar", destination: .standardOutput) }
    let fields = try commaSeparatedFields(text)
    if fields.count == 1, !text.contains("=") {
        return Output(type: "local", destination: .path(FilePath(text)))
    }
    var output = Output(type: "")
    for field in fields {
        let (key, value) = keyAndValue(field)
        guard let value else {
            throw UsageError("cannot read the output \"\(text)\": \"\(field)\" is not key=value")
        }
        switch key {
        case "type": output.type = value
        case "dest":
            output.destination = value == "-" ? .standardOutput : .path(FilePath(value))
        default: output.attributes[key] = value
        }
    }
    if output.type.isEmpty {
        throw UsageError(
            "cannot read the output \"\(text)\": it names no type; use one of \(outputTypes.joined(separator: ", "))"
        )
    }
    if !outputTypes.contains(output.type) {
        let hint = nearest(to: output.type, in: outputTypes).map { "; did you mean \($0)" } ?? ""
        throw UsageError(
            "unknown output type \"\(output.type)\"; allowed: \(outputTypes.joined(separator: ", "))\(hint)"
        )
    }
    if output.type == "registry" {
        output.type = "image"
        output.attributes["push"] = "true"
    }
    if output.destination == nil, ["docker", "oci", "tar"].contains(output.type) {
        output.destination = .standardOutput
    }
    if output.type == "local", output.destination == nil {
        throw UsageError("cannot write the output \"\(text)\": type=local needs dest=DIR")
    }
    if output.type == "image", output.destination != nil {
        throw UsageError(
            "cannot write the output \"\(text)\": an image goes to the store or a registry; for a file use type=oci or type=docker"
        )
    }
    return output
}

/// Reads one `--secret` value: `id=ID[,src=PATH|,env=NAME]` or `type=file|env,…`.
func parseSecret(_ text: String) throws -> (id: String, secret: Secret) {
    var id: String?
    var source: String?
    var environment: String?
    var type: String?
    for field in try commaSeparatedFields(text) {
        let (key, value) = keyAndValue(field)
        switch key {
        case "id": id = value
        case "src", "source": source = value
        case "env": environment = value
        case "type": type = value
        default:
            throw UsageError(
                "cannot read the secret \"\(text)\": unknown key \"\(key)\"; allowed: id, src, env, type"
            )
        }
    }
    guard let id, !id.isEmpty else {
        throw UsageError("cannot read the secret \"\(text)\": it has no id")
    }
    switch type {
    case "env": return (id, .environment(environment ?? source ?? id))
    case nil, "file": break
    case .some(let other):
        throw UsageError("unknown secret type \"\(other)\"; allowed: file, env")
    }
    if let source { return (id, .file(FilePath(source))) }
    return (id, .environment(environment ?? id))
}

/// Reads `--ssh`, which may be given again; the last one of a name counts.
func parseAgents(_ texts: [String]) throws -> [String: FilePath] {
    Dictionary(try texts.map(parseAgent).map { ($0.id, $0.socket) }) { _, last in last }
}

/// Reads one `--ssh` value: `ID`, for the agent of the environment, or `ID=SOCKET`.
private func parseAgent(_ text: String) throws -> (id: String, socket: FilePath) {
    let (id, given) = keyAndValue(text)
    guard !id.isEmpty else { throw UsageError("cannot read --ssh \"\(text)\": expected ID or ID=SOCKET") }
    guard let path = given ?? environmentVariable("SSH_AUTH_SOCK"), !path.isEmpty else {
        throw UsageError(
            "cannot use --ssh \(id): there is no agent in the environment; name one with --ssh \(id)=SOCKET"
        )
    }
    guard (try? Descriptor.place(host: FilePath(path)).status())?.kind == .socket else {
        throw UsageError(
            "cannot use --ssh \(text): \(path) is no socket of an agent; a key is given to one with ssh-add"
        )
    }
    return (id, FilePath(path))
}
