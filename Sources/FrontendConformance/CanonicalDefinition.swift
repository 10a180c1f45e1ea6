// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import OCI

/// A definition without what a frontend's encoder, hash order or listing order leave in it.
///
/// Operations are written anew in canonical form, numbered from the result down with inputs first, and only those the
/// result needs. Two definitions are the same graph exactly when their canonical texts are equal.
struct CanonicalDefinition: Sendable {
    /// `{"def": {"1": …, "result": …}, "metadata": {"1": …}}`; a definition that can be solved as it stands.
    let json: JSONValue
    /// Which build files and lines the operations come from.
    let source: JSONValue?
    /// The identifier of the source that the first inputs lead to; `nil` for a tree that begins empty.
    let base: String?

    /// - Throws: What `Definition.graph` throws for a definition that makes no sense.
    init(_ definition: Definition) throws(LLBError) {
        // Both ways: the digests of the copy are those of canonical bytes.
        let copy = try Definition(json: definition.json())
        let graph = try copy.graph()
        let document = try copy.json()
        let operations = Dictionary(
            (document["def"]?.members ?? []).map { ($0.name, $0.value) },
            uniquingKeysWith: { first, _ in first }
        )
        var names: [String: String] = [:]
        for (index, vertex) in graph.vertices.enumerated() { names[vertex.digest.description] = "\(index + 1)" }
        let terminal = copy.operations.last?.digest.description
        if let terminal { names[terminal] = "result" }
        let order = graph.vertices.map(\.digest.description) + [terminal].compactMap { $0 }

        var entries: [JSONMember] = []
        var metadata: [JSONMember] = []
        for digest in order {
            guard let name = names[digest], let operation = operations[digest] else { continue }
            entries.append(JSONMember(name, operation.renamingInputs(names)))
            if let value = document["metadata"]?[digest] { metadata.append(JSONMember(name, value)) }
        }
        var members = [JSONMember("def", .object(entries))]
        if !metadata.isEmpty { members.append(JSONMember("metadata", .object(metadata))) }
        json = .object(members)
        source = document["source"]?.renamingLocations(names)
        base = graph.result.flatMap { Self.base(of: $0.vertex.description, operations) }
    }

    private static func base(of digest: String, _ operations: [String: JSONValue]) -> String? {
        var current = digest
        // A graph has no circles, so this ends.
        while let operation = operations[current] {
            if let source = operation["source"] { return source["identifier"]?.text }
            guard let input = operation["inputs"]?.elements?.first?["digest"]?.text else { return nil }
            current = input
        }
        return nil
    }
}

extension JSONValue {
    fileprivate func renamingInputs(_ names: [String: String]) -> JSONValue {
        replacing("inputs") { inputs in
            .array(
                (inputs.elements ?? []).map { input in
                    input.replacing("digest") { digest in .string(names[digest.text ?? ""] ?? digest.text ?? "") }
                }
            )
        }
    }

    fileprivate func renamingLocations(_ names: [String: String]) -> JSONValue {
        replacing("locations") { locations in
            let members = locations.members.compactMap { member in
                names[member.name].map { JSONMember($0, member.value) }
            }
            return .object(members.sorted { $0.name < $1.name })
        }
    }

    private func replacing(_ name: String, _ body: (JSONValue) -> JSONValue) -> JSONValue {
        guard case .object(let members) = self else { return self }
        return .object(members.map { $0.name == name ? JSONMember(name, body($0.value)) : $0 })
    }
}
