// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LLBMessages
public import OCI
internal import SwiftProtobuf

/// The JSON form of a definition, for frontends in languages without protobuf and for people.
///
///     {"def": {"base": {"source": {"identifier": "docker-image://docker.io/library/alpine:3"}},
///              "out": {"inputs": [{"digest": "base"}]}},
///      "metadata": {"base": {"description": {"llb.customname": "the base"}}}}
///
/// `def` maps names to operations in protobuf JSON. An input's `digest` is the name of another operation; real digests are
/// names like any other. The one operation without a kind points at the result. Names exist in this form alone: the
/// digests are computed from the canonical bytes.
extension Definition {
    /// Reads the JSON form.
    ///
    /// An operation in BuildKit's own Go JSON, which nests `Op`, `Action` and `User`, is read as
    /// well.
    ///
    /// - Throws: `unreadable` for another shape; `malformed` for operations that name each other in a circle or name
    ///   nothing; `tooLarge` for more than `limits.operationCount` operations.
    public init(json: JSONValue, limits: DefinitionLimits = .standard) throws(LLBError) {
        guard case .object(let entries)? = json["def"] else {
            throw LLBError(.unreadable, "cannot read LLB JSON: member \"def\" must be an object")
        }
        guard entries.count <= limits.operationCount else {
            throw LLBError(
                .tooLarge,
                "cannot read LLB JSON: it has \(entries.count) operations, at most \(limits.operationCount) are "
                    + "allowed"
            )
        }
        self.init()
        var digests: [String: Digest] = [:]
        var seen: Set<Digest> = []
        for (name, var operation) in try NamedOperations(entries).inOrder() {
            for index in operation.inputs.indices {
                operation.inputs[index].digest =
                    digests[operation.inputs[index].digest]?.description ?? ""
            }
            let encoded = Operation(try operation.canonicalBytes())
            digests[name] = encoded.digest
            if seen.insert(encoded.digest).inserted { operations.append(encoded) }
        }
        for member in json["metadata"]?.members ?? [] {
            guard let digest = digests[member.name] else {
                throw LLBError(
                    .malformed,
                    "cannot read LLB JSON: metadata for \"\(member.name)\", which is not in \"def\""
                )
            }
            metadata[digest] = try decodeMessage(member.value, "metadata of \"\(member.name)\"")
        }
        if let value = json["source"], value != .null {
            var message: Pb_Source = try decodeMessage(value, "source")
            var locations: [String: Pb_Locations] = [:]
            for (name, value) in message.locations {
                locations[digests[name]?.description ?? name] = value
            }
            message.locations = locations
            source = message
        }
    }

    /// The JSON form, operations named by their digests.
    ///
    /// - Throws: `unreadable` when an operation's bytes are no operation.
    public func json() throws(LLBError) -> JSONValue {
        var entries: [JSONMember] = []
        for operation in operations {
            let message = try Pb_Op(operationBytes: operation.bytes, digest: operation.digest)
            entries.append(JSONMember(operation.digest.description, try encodeMessage(message)))
        }
        var members = [JSONMember("def", .object(entries))]
        var metadataMembers: [JSONMember] = []
        for (digest, value) in metadata.sorted(by: { $0.key < $1.key }) {
            metadataMembers.append(JSONMember(digest.description, try encodeMessage(value)))
        }
        if !metadataMembers.isEmpty {
            members.append(JSONMember("metadata", .object(metadataMembers)))
        }
        if let source { members.append(JSONMember("source", try encodeMessage(source))) }
        return .object(members)
    }
}

/// Operations of the JSON form before they have digests.
private struct NamedOperations {
    private var operations: [String: Pb_Op] = [:]
    private var names: [String] = []

    init(_ entries: [JSONMember]) throws(LLBError) {
        for entry in entries {
            guard operations[entry.name] == nil else {
                throw LLBError(
                    .malformed,
                    "cannot read LLB JSON: operation \"\(entry.name)\" appears twice"
                )
            }
            operations[entry.name] =
                try decodeMessage(entry.value.flattened, "operation \"\(entry.name)\"") as Pb_Op
            names.append(entry.name)
        }
        let terminals = names.filter { operations[$0]?.op == nil }
        guard terminals.count == 1 || names.isEmpty else {
            throw LLBError(
                .malformed,
                "cannot read LLB JSON: \(terminals.count) operations have no kind; exactly one must point at the result"
            )
        }
    }

    /// All operations, each after its inputs, the terminal one last; those that came in such an order keep it.
    ///
    /// Goes down without recursion: a definition may be deeper than a stack.
    func inOrder() throws(LLBError) -> [(String, Pb_Op)] {
        var result: [(String, Pb_Op)] = []
        var terminal: (String, Pb_Op)?
        /// Whether an operation that was visited stands in the result already.
        var isPlaced: [String: Bool] = [:]
        for root in names where isPlaced[root] == nil {
            var stack: [(name: String, input: Int)] = [(root, 0)]
            isPlaced[root] = false
            while let (name, input) = stack.popLast() {
                guard let operation = operations[name] else { continue }
                if input < operation.inputs.count {
                    stack.append((name, input + 1))
                    let next = operation.inputs[input].digest
                    if try shouldVisit(next, isPlaced[next], neededBy: name) {
                        isPlaced[next] = false
                        stack.append((next, 0))
                    }
                    continue
                }
                isPlaced[name] = true
                if operation.op == nil { terminal = (name, operation) } else { result.append((name, operation)) }
            }
        }
        if let terminal { result.append(terminal) }
        return result
    }

    private func shouldVisit(_ name: String, _ isPlaced: Bool?, neededBy user: String) throws(LLBError) -> Bool {
        guard operations[name] != nil else {
            throw LLBError(
                .malformed,
                "cannot read LLB JSON: operation \"\(user)\" needs \"\(name)\", which is not in \"def\""
            )
        }
        guard isPlaced != false else {
            throw LLBError(.malformed, "cannot read LLB JSON: its operations need each other in a circle")
        }
        return isPlaced == nil
    }
}

extension JSONValue {
    /// Go's JSON of an operation as protobuf JSON: the members of a nested oneof move up.
    fileprivate var flattened: JSONValue {
        switch self {
        case .array(let elements): return .array(elements.map(\.flattened))
        case .object(let members):
            var result: [JSONMember] = []
            for member in members {
                let nests = ["Op", "Action", "User"].contains(member.name)
                if nests, case .object(let inner) = member.value.flattened {
                    result += inner.map {
                        JSONMember($0.name == "byId" ? "byID" : $0.name, $0.value)
                    }
                } else {
                    result.append(JSONMember(member.name, member.value.flattened))
                }
            }
            return .object(result)
        default: return self
        }
    }
}

private func decodeMessage<Value: Message>(
    _ json: JSONValue,
    _ part: String
) throws(LLBError) -> Value {
    do {
        return try Value(jsonUTF8Bytes: json.encoded)
    } catch {
        guard let name = unknownField(error) else {
            throw LLBError(.unreadable, "cannot read LLB JSON: \(part): \(error)")
        }
        let fault = UnknownField(name, in: json) { json in
            do {
                _ = try Value(jsonUTF8Bytes: json.encoded)
                return nil
            } catch {
                return unknownField(error)
            }
        }
        throw LLBError(.unreadable, "cannot read LLB JSON: \(part): \(fault)")
    }
}

/// The name of the field for which a message was refused; `nil` where it was for another reason.
private func unknownField(_ error: any Error) -> String? {
    if case .unknownField(let name)? = error as? JSONDecodingError { name } else { nil }
}

private func encodeMessage(_ message: some Message) throws(LLBError) -> JSONValue {
    var options = JSONEncodingOptions()
    options.useDeterministicOrdering = true
    do {
        let bytes: [UInt8] = try message.jsonUTF8Bytes(options: options)
        return try JSONValue(parsing: bytes)
    } catch {
        throw LLBError(.malformed, "cannot write LLB JSON: \(error)")
    }
}
