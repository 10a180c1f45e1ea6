// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import LLBText
internal import OCI

let graphEntries = [
    FuzzEntry("llb-text", dictionary: graphWords, readGraphText),
    FuzzEntry(
        "llb-protobuf",
        dictionary: ["docker-image://", "local://", "\u{0A}", "\u{12}", "sha256:", "llb.customname"],
        readDefinition
    ),
    FuzzEntry("reference", dictionary: referenceWords, readReference),
]

private let graphWords = [
    "{\"operations\":{\"a\":{", "\"from\":\"", "\"run\":[\"", "\"image\":\"", "\"copy\":{", "\"merge\":[", "\"diff\":{",
    "\"output\":\"",
    "\"mounts\":{\"/\":{", "\"def\":{", "\"Op\":{\"", "\"OpMetadata\":{", "\"Digest\":\"sha256:",
    "\"inputs\":[{\"digest\":\"",
    "\"platform\":\"linux/arm64/v8\"", "\"targets\":{", "\"platforms\":{", "\"metadata\":{", "\"source\":{", "\n",
    "// a\n", "# a\n", "1e999",
]

private let referenceWords = [
    "docker.io/", "library/", "localhost:5000/", "@sha256:",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ":latest",
    "[::1]:5000/", "..", "__", "--",
]

/// A text in any form: what it says survives being written in the two forms that hold everything.
private func readGraphText(_ bytes: [UInt8]) throws {
    do {
        switch try LLBText(parsing: bytes) {
        case .definition(let definition): try checkForms(of: definition)
        case .friendly(let document):
            guard let outcome = try? document.outcome(target: nil) else { return }
            let definition = try document.definition(of: outcome)
            try checkForms(of: definition)
        }
    } catch let error as LLBTextError {
        try require(!error.problems.isEmpty, "an error says nothing")
        try require(error.problems.count <= LLBTextError.problemLimit, "\(error.problems.count) problems were told")
        for problem in error.problems {
            let isInside = problem.line.map { $0 <= bytes.count { $0 == 0x0A } + 1 } ?? true
            try require(isInside, "an error stands beyond the text: \(problem)")
            try require(
                problem.description.utf8.count < 16 << 10,
                "a problem has \(problem.description.utf8.count) bytes"
            )
        }
    }
}

/// The bytes of a definition: what is accepted keeps its bytes, and says the same in every form that can hold it.
private func readDefinition(_ bytes: [UInt8]) throws {
    let definition: Definition
    do {
        definition = try Definition(serialized: bytes)
    } catch {
        return try require(!error.message.isEmpty, "an error says nothing")
    }
    let again = try Definition(serialized: try definition.serialized())
    try require(again == definition, "a definition written again says something else")
    for problem in definition.problems() { try require(!problem.message.isEmpty, "a problem says nothing") }
    do {
        _ = try definition.graph()
    } catch {
        return try require(!error.message.isEmpty, "an error says nothing")
    }
    _ = try definition.head()
    try checkForms(of: definition)
}

/// Operations whose bytes are canonical survive the dump and friendly forms; others may be refused there, but not changed.
private func checkForms(of definition: Definition) throws(FuzzFinding) {
    // What the result does not need may be anything, even a second end.
    guard let definition = try? definition.canonical() else { return }
    if let text = try? DumpLines.text(definition) {
        do {
            let read = try DumpLines.read(Array(text.utf8))
            let count = Set(definition.operations.map(\.digest)).count
            try require(read.operations.count <= count, "a dump has more operations")
        } catch let error as LLBTextError {
            throw FuzzFinding("a dump cannot be read: \(error)")
        } catch {
            throw FuzzFinding("\(error)")
        }
    }
    guard let friendly = try? FriendlyWriter(definition).json(keepsLines: true).readable() else { return }
    do {
        guard case .friendly(let document) = try LLBText(parsing: Array(friendly.utf8)) else {
            throw FuzzFinding("a friendly text has another form")
        }
        _ = try document.definition(of: try document.outcome(target: nil))
    } catch let error as FuzzFinding {
        throw error
    } catch {
        throw FuzzFinding("a friendly text cannot be read: \(error)\n\(friendly)")
    }
}

/// A name that is accepted is read back from its full form as the same.
private func readReference(_ bytes: [UInt8]) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    let reference: Reference
    do {
        reference = try Reference(parsing: text)
    } catch {
        return try require(
            error.message.utf8.count <= 4 * text.utf8.count + 1024,
            "an error has \(error.message.utf8.count) bytes"
        )
    }
    do {
        try require(try Reference(parsing: reference.description) == reference, "\(reference) reads as another name")
        let tagged = reference.withDefaultTag
        try require(try Reference(parsing: tagged.description) == tagged, "\(tagged) reads as another name")
    } catch let error as OCIError {
        throw FuzzFinding("\(reference) cannot be read again: \(error)")
    }
    try require(
        reference.path.utf8.count <= Reference.pathByteLimit,
        "a repository has \(reference.path.utf8.count) bytes"
    )
}
