// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol

/// One thing a frontend is asked: how the engine behaves, and what must come of it.
///
/// It is data, so that the same cases stand in `Protocol/conformance/cases` for runners in other languages;
/// `Protocol/conformance/README.md` explains the members.
package struct ConformanceCase: Sendable, Hashable {
    /// What a case is about.
    package enum Suite: String, Sendable, Hashable, CaseIterable {
        case handshake, framing
        case standardOutput = "stdout-clean"
        case end = "eof"
        case errors, determinism, limits
        case compatibility = "compat"
        case golden
    }

    /// Which build files it is run with.
    package enum BuildFile: String, Sendable, Hashable, CaseIterable {
        /// None: no build is asked for.
        case none
        /// One that nobody can read.
        case unknown
        /// Each of the package's own.
        case samples
    }

    /// `suite/name`.
    package var name: String
    /// Ids of `Protocol/SPEC.md`; the first is named when the outcome is not the one expected.
    package var rules: [String]
    package var summary: String
    package var build = BuildFile.samples
    /// The method of the work request; for another one than `build` the frontend must provide it.
    package var work = "build"
    package var engine = EngineBehaviour()
    package var messages: [ExtraMessage] = []
    package var expectation = Expectation()

    package init(
        _ name: String,
        rules: [String],
        _ summary: String,
        build: BuildFile = .samples,
        work: String = "build",
        engine: EngineBehaviour = EngineBehaviour(),
        messages: [ExtraMessage] = [],
        expect expectation: Expectation = Expectation()
    ) {
        self.name = name
        self.rules = rules
        self.summary = summary
        self.build = build
        self.work = work
        self.engine = engine
        self.messages = messages
        self.expectation = expectation
    }

    /// The part of the name before the slash.
    package var suite: Suite? { Suite(rawValue: String(name.prefix { $0 != "/" })) }
}

/// How an engine differs from a plain one.
package struct EngineBehaviour: Sendable, Hashable {
    /// How byte strings travel.
    package enum BlobForm: String, Sendable, Hashable, CaseIterable {
        /// Their size is announced.
        case sized
        /// Their size is not known until they end.
        case open
        /// As JSON strings, where they are UTF-8.
        case text
    }

    /// How JSON is written.
    package enum JSONForm: String, Sendable, Hashable, CaseIterable {
        case compact
        /// With white space wherever it may stand, and escapes where they are not needed.
        case spaced
    }

    /// In which order requests that are open together are answered.
    package enum Order: String, Sendable, Hashable, CaseIterable {
        case asked, reversed, shuffled
    }

    /// When stdin ends.
    package enum Close: String, Sendable, Hashable, CaseIterable {
        case start, initialized
        case insideFrame = "inside-frame"
        case duringBuild = "during-build"
        /// Instead of the answer to the first request; after the result, should there be none.
        case request
    }

    package var protocolVersions = ["1.0"]
    /// `nil`: all of the specification.
    package var capabilities: [String]?
    /// `nil`: all that are known.
    package var llbCapabilities: [String]?
    /// Further members of the params of `initialize` and `build`.
    package var members = WireObject()
    /// Further members of every answer.
    package var answerMembers = WireObject()
    package var limits = ProtocolLimits.standard
    /// Bytes that either pipe holds.
    package var pipeByteCount: Int?
    /// Bytes the engine writes at a time.
    package var writeByteCount: Int?
    /// Bytes the engine reads at a time.
    package var readByteCount: Int?
    /// Bytes of one frame of a blob.
    package var blobFrameByteCount: Int?
    package var blobForm = BlobForm.sized
    package var jsonForm = JSONForm.compact
    package var order = Order.asked
    /// Bytes of a file that one answer holds at most.
    package var readAnswerByteCount: Int?
    /// Every file that is read is this long at least.
    package var paddedFileByteCount: Int?
    /// Every directory that is listed has this many entries more.
    package var paddedDirectoryCount: Int?
    /// Length of the build file that nobody can read.
    package var unknownFileByteCount: Int?
    /// The engine's two requests hold this many bytes in a member nobody knows.
    package var paddedMessageByteCount: Int?
    /// Arguments of the process.
    package var arguments: [String] = []
    package var close: Close?
    /// How long the engine says nothing at first, in milliseconds.
    package var pauseMilliseconds: Int?
    /// Methods whose requests all fail, with the kind of failure.
    package var failures: [String: String] = [:]

    package init() {}

    /// The plain engine with changes.
    package static func with(_ change: (inout EngineBehaviour) -> Void) -> EngineBehaviour {
        var behaviour = EngineBehaviour()
        change(&behaviour)
        return behaviour
    }
}

/// Something an engine says beside its two requests.
package struct ExtraMessage: Sendable, Hashable {
    /// When.
    package enum Moment: String, Sendable, Hashable, CaseIterable {
        case start, initialized
        case duringBuild = "during-build"
    }

    package enum Content: Sendable, Hashable {
        case request(String, WireObject)
        case notification(String, WireObject)
        /// Bytes as they are.
        case raw([UInt8])
        /// A build request whose build file is given up half way.
        case abortedBuild
    }

    package var moment: Moment
    package var content: Content

    package init(_ moment: Moment, _ content: Content) {
        self.moment = moment
        self.content = content
    }
}

/// What must come of a case, beside what must come of every one.
package struct Expectation: Sendable, Hashable {
    /// What must come of the build.
    package enum Build: String, Sendable, Hashable, CaseIterable {
        /// An answer.
        case any
        /// A result.
        case result
        /// A failure.
        case error
        /// The same answer as the plain engine gets.
        case same
        /// No answer: the process ends, whatever it said.
        case end
    }

    package var build = Build.any
    /// The version that must be chosen.
    package var protocolVersion: String?
    /// The kind of failure that `initialize` must be answered with.
    package var initializeFailure: String?
    /// The kind of failure that a request of ``ExtraMessage`` must be answered with.
    package var requestFailure: String?
    /// Whether nothing may be written to stdout.
    package var hasNoOutput = false

    package init(
        build: Build = .any,
        protocolVersion: String? = nil,
        initializeFailure: String? = nil,
        requestFailure: String? = nil,
        hasNoOutput: Bool = false
    ) {
        self.build = build
        self.protocolVersion = protocolVersion
        self.initializeFailure = initializeFailure
        self.requestFailure = requestFailure
        self.hasNoOutput = hasNoOutput
    }
}
