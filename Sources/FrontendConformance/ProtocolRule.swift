// SPDX-License-Identifier: Apache-2.0

/// The rules of `Protocol/SPEC.md` that the suites hold frontends to, in a few words each.
package enum ProtocolRule {
    /// What a rule demands of a frontend; `nil` for a rule that no case is about.
    package static func text(_ id: String) -> String? { demands[id] }

    /// The ids.
    package static var all: [String] { demands.keys.sorted() }

    private static let demands = [
        "P-FRAME-01": "all bytes on stdin and stdout are frames",
        "P-FRAME-02": "the first byte of every frame is 0",
        "P-FRAME-03": "a frame of stream 0 holds exactly one message",
        "P-FRAME-04": "blobs have the streams 1 to 2^31 - 1",
        "P-FRAME-05": "no frame is longer than the session's limits allow",
        "P-FRAME-06": "the bytes do not end inside a frame or before a message's last blob",
        "P-JSON-01": "a message is one JSON object in UTF-8, however it is spaced and escaped",
        "P-JSON-06": "a text that is no such JSON ends the session",
        "P-JSON-07": "members a receiver does not know are ignored",
        "P-MSG-01": "a message has \"method\", or exactly one of \"result\" and \"error\"",
        "P-MSG-02": "each side numbers its requests and never uses a number twice",
        "P-ID-01": "an answer carries the number of an open request",
        "P-ID-02": "every request is answered exactly once, and answers may come in any order",
        "P-MSG-03": "a notification with an unknown method is ignored",
        "P-MSG-04": "a request with an unknown method is answered with the kind \"unsupported\"",
        "P-MSG-05": "a result has its required members, in their form; a request that lacks one, or has one of a "
            + "wrong form, is answered with \"invalidParams\"",
        "P-MSG-06": "a receiver that does not know an entry of \"mustUnderstand\" answers with \"unsupported\"",
        "P-MSG-07": "a word is one of the set that the text names",
        "P-MSG-08": "a side has at most limits.inFlight requests open",
        "P-BLOB-01": "a blob of a frontend has an odd stream",
        "P-BLOB-02": "a message's blobs follow it at once, in the order they are announced",
        "P-BLOB-03": "a blob of known size ends with its last byte; one of unknown size with an empty frame",
        "P-BLOB-04": "a request whose blob was given up is answered with \"invalidParams\"",
        "P-BLOB-06": "a message's blobs keep the session's limit",
        "P-BLOB-07": "where bytes are meant, a string is accepted too",
        "P-LIFE-01":
            "a frontend says nothing before it is asked to initialize, and asks nothing before it is asked to build",
        "P-LIFE-02": "the engine asks initialize, then build, and both are answered",
        "P-LIFE-03": "a result depends on the two requests and the engine's answers, on nothing around the process",
        "P-LIFE-04": "stdout carries the protocol alone; words for people go to stderr",
        "P-LIFE-05": "a frontend exits within two seconds after the end of its stdin",
        "P-LIFE-06": "a frontend reads its stdin",
        "P-LIFE-07": "initialize is answered within 10 seconds, and a frontend is not silent while it owes an answer",
        "P-LIFE-09": "when a side breaks the protocol, the session is over",
        "P-VER-01": "entries of \"protocol\" of another grammar are ignored",
        "P-VER-02": "the frontend chooses the newest version not above an entry of its major that it knows",
        "P-VER-03": "without a common major it answers \"incompatible\" with its versions in data.supported",
        "P-VER-04": "capabilities that are unknown are ignored, and what is not offered is not needed for an answer",
        "P-VER-05": "name and version are those of the package's frontend.toml",
        "P-CAP-01": "a request whose capability was not offered is answered with \"unsupported\"",
        "P-LIFE-11": "a cancel for a request that is not open is ignored",
        "P-ERR-02": "the message of a failed build is shown to the user, so there is one",
        "P-ERR-03": "a failed request ends nothing but itself, and the build is still answered",
        "P-ERR-04": "a result that needs what a failed request was to give is an error instead",
        "P-FILE-02": "an engine may answer readFile with fewer bytes than asked for; eof tells where the file ends",
        "P-FILE-01": "paths are /-separated, below 4096 bytes and without NUL",
        "P-FILE-03": "an engine may limit how much one build reads",
        "P-RESULT-01": "no two entries of a result have one id, and every ref is held",
        "P-REF-02": "above limits.refs the engine answers with the kind \"limit\"",
        "P-DET-01": "equal requests and answers give an equal result, in whatever order the answers come",
        "P-DET-02": "time, randomness, process numbers, host name and hash order do not reach the result",
        "P-BOX-03": "a frontend's memory is limited, by its frontend.toml or by the engine",
        "P-LLB-05": "a definition is readable, without circles and missing inputs, and knows the engine's operations",
        "P-WORK-02": "a method that provides names is answered with its result, or an error",
        "P-WORK-03": "a wrong build file is an error of the kind \"buildFile\", but for lint, where it is the result",
    ]
}
