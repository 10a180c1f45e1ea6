// SPDX-License-Identifier: Apache-2.0

/// What a frontend that is good otherwise can get wrong; each is what some author will do.
///
/// The engine's name chooses it, as for ``Misdeeds/early``: `bad:NAME`.
enum Flaw: String, CaseIterable {
    /// Nothing: the measure of all others.
    case none = "no-flaw"

    // MARK: Handshake

    /// Says that it speaks the first version offered, whatever that is.
    case echoesVersion = "echoes-version"
    /// Says 1.0, whatever was offered.
    case insistsOnVersion = "insists-on-version"
    case ignoresMustUnderstand = "ignores-must-understand"
    case refusesUnknownMembers = "refuses-unknown-members"
    case namesNobody = "names-nobody"
    case refusesUnknownCapabilities = "refuses-unknown-capabilities"

    // MARK: Framing

    /// Takes what one read gives for a whole frame.
    case readsOnce = "reads-once"
    /// Finds members by their text instead of reading JSON.
    case searchesText = "searches-text"
    /// Takes it that every blob has a size.
    case expectsSizes = "expects-sizes"
    /// Takes it that bytes come as blobs.
    case expectsBlobs = "expects-blobs"
    /// Sends blobs in one frame however large.
    case ignoresFrameLimit = "ignores-frame-limit"
    /// Gives its blob an even number.
    case evenStream = "even-stream"
    /// Uses a blob that was given up.
    case acceptsHalfBlobs = "accepts-half-blobs"
    /// Tells what is wrong with a build file on stdout.
    case printsErrors = "prints-errors"

    // MARK: Numbers and answers

    case answersTwice = "answers-twice"
    case answersOthers = "answers-others"
    case reusesNumbers = "reuses-numbers"
    case ignoresInFlight = "ignores-in-flight"
    /// Takes the next answer for that of its last request.
    case expectsOrder = "expects-order"
    /// Does not answer what it does not know.
    case ignoresRequests = "ignores-requests"
    case acceptsAnyBuild = "accepts-any-build"

    // MARK: The end

    case ignoresEnd = "ignores-eof"
    case ignoresEndWhileWaiting = "ignores-eof-while-waiting"

    // MARK: Failures

    case swallowsFailures = "swallows-failures"
    case exitsOnFailure = "exits-on-failure"
    case hangsOnFailure = "hangs-on-failure"
    case wordless = "wordless"
    case inventsRefs = "invents-refs"
    case nonsenseDefinition = "nonsense-definition"

    // MARK: Results

    /// Lists a set in the order of its hashes.
    case hashOrder = "hash-order"
    /// Puts the time into its result.
    case tellsTime = "tells-time"
    case tellsHost = "tells-host"
    case tellsEnvironment = "tells-environment"
    /// Takes one answer for the whole file.
    case readsOnePiece = "reads-one-piece"
    /// Keeps what it reads many times over.
    case hoardsMemory = "hoards-memory"
}
