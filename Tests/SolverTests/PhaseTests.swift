// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Solver

@Suite struct PhaseTests {
    private let keyPhases: [KeyPhase] = [
        .idle, .mapping, .awaitingKeys, .probing(.definition), .probing(.content),
        .probing(.alternative), .awaitingContent, .digesting, .askingAlternatives, .keyed,
    ]

    private let resultPhases: [ResultPhase] = [
        .idle, .loading, .awaitingInputs, .following(1), .executing, .executed,
    ]

    @Test func `never leaves a final phase`() {
        for next in keyPhases { #expect(!KeyPhase.keyed.mayEnter(next)) }
        for next in resultPhases { #expect(!ResultPhase.executed.mayEnter(next)) }
    }

    @Test func `may give up in any phase that is not final`() {
        for phase in keyPhases where phase != .idle && phase != .keyed {
            #expect(phase.mayEnter(.idle))
        }
        for phase in resultPhases where phase != .idle && phase != .executed {
            #expect(phase.mayEnter(.idle))
        }
    }

    @Test func `allows exactly the named transitions of a key`() {
        let allowed: [(KeyPhase, [KeyPhase])] = [
            (.idle, [.mapping, .awaitingKeys]),
            (.mapping, [.awaitingKeys]),
            (
                .awaitingKeys,
                [.probing(.definition), .awaitingContent, .askingAlternatives, .keyed]
            ),
            (.probing(.definition), [.awaitingContent, .askingAlternatives, .keyed]),
            (.awaitingContent, [.digesting]),
            (.digesting, [.probing(.content), .keyed]),
            (.probing(.content), [.keyed]),
            (.askingAlternatives, [.probing(.alternative), .keyed]),
            (.probing(.alternative), [.keyed]),
        ]
        for (phase, nexts) in allowed {
            for next in keyPhases where next != .idle {
                #expect(phase.mayEnter(next) == nexts.contains(next), "\(phase) to \(next)")
            }
        }
    }

    @Test func `allows exactly the named transitions of a result`() {
        let allowed: [(ResultPhase, [ResultPhase])] = [
            (.idle, [.loading, .awaitingInputs, .following(1), .executed]),
            (.loading, [.awaitingInputs]),
            (.awaitingInputs, [.executing, .following(1), .executed]),
            (.following(1), [.executed]),
            (.executing, [.executed]),
        ]
        for (phase, nexts) in allowed {
            for next in resultPhases where next != .idle {
                #expect(phase.mayEnter(next) == nexts.contains(next), "\(phase) to \(next)")
            }
        }
    }
}
