// SPDX-License-Identifier: Apache-2.0

/// How far the key of a vertex is.
///
/// Every phase but ``idle`` and ``keyed`` may go back to ``idle``: nobody wants the key any more, or finding it failed.
enum KeyPhase: Hashable {
    /// Nobody asked. Next: ``mapping``, or ``awaitingKeys`` when the cache map is still known.
    case idle
    /// The operation computes its cache map, while the inputs find their keys. Next: ``awaitingKeys``.
    case mapping
    /// Some input has no key yet. Next: ``probing``, or what follows a miss.
    case awaitingKeys
    /// The store is asked for a key of this kind. Next: ``keyed`` on a hit; what follows a miss else.
    case probing(ProbeReport.Kind)
    /// The definition missed; some input that can be digested has no result yet. Next: ``digesting``.
    case awaitingContent
    /// Inputs are digested. Next: ``probing(_:)`` or ``keyed``.
    case digesting
    /// A source looks for its other digests. Next: ``probing(_:)`` or ``keyed``.
    case askingAlternatives
    /// The primary key is known, for good.
    case keyed

    func mayEnter(_ next: KeyPhase) -> Bool {
        switch (self, next) {
        case (.keyed, _), (.idle, .idle): false
        case (_, .idle): true
        case (.idle, .mapping), (.idle, .awaitingKeys), (.mapping, .awaitingKeys): true
        case (.awaitingKeys, .probing(.definition)): true
        // The definition is not looked up when it cannot be known.
        case (.awaitingKeys, .awaitingContent), (.awaitingKeys, .askingAlternatives),
            (.awaitingKeys, .keyed):
            true
        case (.probing(.definition), .awaitingContent),
            (.probing(.definition), .askingAlternatives),
            (.probing, .keyed):
            true
        case (.awaitingContent, .digesting): true
        case (.digesting, .probing(.content)), (.digesting, .keyed): true
        case (.askingAlternatives, .probing(.alternative)), (.askingAlternatives, .keyed): true
        default: false
        }
    }

    mutating func enter(_ next: KeyPhase) {
        precondition(mayEnter(next), "a key does not go from \(self) to \(next)")
        self = next
    }
}

/// How far the result of a vertex is.
///
/// Every phase but ``executed`` may go back to ``idle``: nobody wants the result any more, or getting it failed.
enum ResultPhase: Hashable {
    /// Nothing is under way; some outputs may have been loaded. Next: ``loading``, ``awaitingInputs``, ``following``.
    case idle
    /// Records are looked up and loaded. Next: ``idle`` with the outputs, or ``awaitingInputs`` when there are none.
    case loading
    /// The result must be made and some input's result, or the key, is missing. Next: ``executing``, ``following``.
    case awaitingInputs
    /// Another vertex with the same key executes. Next: ``executed`` or ``idle`` with it.
    case following(Int)
    /// The operation runs, or waits for its turn. Next: ``executed``.
    case executing
    /// All outputs are there, for good.
    case executed

    func mayEnter(_ next: ResultPhase) -> Bool {
        switch (self, next) {
        case (.executed, _), (.idle, .idle): false
        case (_, .idle): true
        case (.idle, .loading), (.idle, .awaitingInputs), (.idle, .following): true
        case (.loading, .awaitingInputs): true
        case (.awaitingInputs, .executing), (.awaitingInputs, .following): true
        case (.following, .executed), (.executing, .executed): true
        // An execution that was given up may end well all the same, and a twin's outputs can be taken at once.
        case (.idle, .executed), (.awaitingInputs, .executed): true
        default: false
        }
    }

    mutating func enter(_ next: ResultPhase) {
        precondition(mayEnter(next), "a result does not go from \(self) to \(next)")
        self = next
    }
}
