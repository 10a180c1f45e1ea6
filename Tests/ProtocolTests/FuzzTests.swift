// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import LLB
import OCI
import Testing

/// Readers of what a stranger sends, with input made by chance from what is right: they answer or refuse, and never keep
/// more than their limits.
///
/// A failure names the seed; `Random(seed:)` makes the same input again.
struct FuzzTests {
    /// SplitMix64: equal seeds give equal numbers on every machine.
    struct Random: RandomNumberGenerator {
        private var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }

        mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(bound, 1), using: &self) }
    }

    private static let limits = ProtocolLimits(
        frameBytes: 256,
        messageBytes: 4096,
        blobBytes: 1024,
        inFlight: 4,
        refs: 8
    )

    private static let corpus = Result {
        try ProtocolFolder.names(in: "vectors/framing", ending: ".bin")
            .map { try ProtocolFolder.bytes("vectors/framing/\($0).bin") }
            .filter { !$0.isEmpty && $0.count < 8192 }
    }

    private static let definitions = Result {
        try ProtocolFolder.names(in: "vectors/llb", ending: ".json")
            .map { try ProtocolFolder.bytes("vectors/llb/\($0).json") }
    }

    private static let messages = Result {
        try ProtocolFolder.names(in: "vectors/llb", ending: ".pb")
            .map { try ProtocolFolder.bytes("vectors/llb/\($0).pb") }
            .filter { !$0.isEmpty }
    }

    /// Changes some bytes: flips, inserts, removes, repeats, and puts in numbers that readers trip over.
    private static func mutated(_ bytes: [UInt8], _ random: inout Random) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(6) {
            let place = random.below(bytes.count)
            switch random.below(8) {
            case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(random.below(8))
            case 1 where !bytes.isEmpty: bytes[place] = UInt8(random.below(256))
            case 2: bytes.insert(UInt8(random.below(256)), at: place)
            case 3 where !bytes.isEmpty: bytes.remove(at: place)
            case 4 where !bytes.isEmpty:
                let end = min(bytes.count, place + random.below(32))
                bytes.insert(contentsOf: Array(bytes[place..<end]), at: random.below(bytes.count))
            case 5 where !bytes.isEmpty: bytes.removeSubrange(place..<min(bytes.count, place + random.below(16)))
            case 6:
                let texts = ["9007199254740993", "-1", "null", "{", "[", "\"", "\\ud800", "1e999", ",", "\u{0}"]
                bytes.insert(contentsOf: Array(texts[random.below(texts.count)].utf8), at: place)
            default:
                let numbers: [[UInt8]] = [
                    [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF],
                    [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
                ]
                bytes.insert(contentsOf: numbers[random.below(numbers.count)], at: place)
            }
        }
        return bytes
    }

    private static func cut(_ bytes: [UInt8], _ random: inout Random) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = 1 + random.below(random.below(4) == 0 ? 3 : 500)
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        return pieces
    }

    // MARK: Frames

    @Test(arguments: 0..<4) func `the frame decoder keeps no more than a frame, and cuts change nothing`(
        _ part: Int
    ) throws {
        for seed in UInt64(part) * 150..<UInt64(part + 1) * 150 {
            var random = Random(seed: seed)
            let corpus = try Self.corpus.get()
            var bytes = Self.mutated(corpus[random.below(corpus.count)], &random)
            if random.below(10) == 0 { bytes = (0..<random.below(300)).map { _ in UInt8(random.below(256)) } }
            let whole = Self.frames(of: [bytes[...]])
            let inPieces = Self.frames(of: Self.cut(bytes, &random))
            #expect(whole.frames == inPieces.frames, "seed \(seed)")
            #expect(whole.violation?.code == inPieces.violation?.code, "seed \(seed)")
            let keepMax = Frame.headerSize + max(Self.limits.messageBytes, Self.limits.frameBytes) + 500
            #expect(inPieces.kept <= keepMax, "seed \(seed)")
            for frame in whole.frames { #expect(frame.payload.count <= Self.limits.messageBytes, "seed \(seed)") }
        }
    }

    /// - Returns: The frames, what ended them, and how many bytes were kept at most between two pieces.
    private static func frames(
        of pieces: [ArraySlice<UInt8>]
    ) -> (frames: [Frame], violation: ProtocolViolation?, kept: Int) {
        var decoder = FrameDecoder(limits: limits)
        var frames: [Frame] = []
        var kept = 0
        do throws(ProtocolViolation) {
            for piece in pieces {
                decoder.feed(piece)
                while let frame = try decoder.next() { frames.append(frame) }
                kept = max(kept, decoder.rest.count)
            }
            try decoder.finish()
            return (frames, nil, kept)
        } catch {
            return (frames, error, kept)
        }
    }

    // MARK: Messages

    @Test(arguments: 0..<4) func `a session's end answers or refuses whatever it hears`(_ part: Int) throws {
        for seed in UInt64(part) * 150..<UInt64(part + 1) * 150 {
            var random = Random(seed: seed &+ 1_000_000)
            let corpus = try Self.corpus.get()
            var bytes: [UInt8] = []
            for _ in 0...random.below(3) { bytes += corpus[random.below(corpus.count)] }
            // Some sessions change inside a frame's text alone, so that more of them are frames.
            bytes = random.below(2) == 0 ? Self.mutated(bytes, &random) : Self.mutatedPayload(bytes, &random)
            let whole = Self.events(of: [bytes[...]])
            let inPieces = Self.events(of: Self.cut(bytes, &random))
            #expect(whole.events == inPieces.events, "seed \(seed)")
            #expect(whole.code == inPieces.code, "seed \(seed)")
            #expect(whole.owed <= Self.limits.inFlight, "seed \(seed)")
        }
    }

    private static func mutatedPayload(_ bytes: [UInt8], _ random: inout Random) -> [UInt8] {
        guard bytes.count > Frame.headerSize else { return bytes }
        let length = bytes[0..<4].reduce(0) { $0 << 8 | Int($1) }
        let end = min(bytes.count, Frame.headerSize + length)
        let payload = mutated(Array(bytes[Frame.headerSize..<end]), &random)
        return frameBytes(0, payload) + bytes[end...]
    }

    private static func events(
        of pieces: [ArraySlice<UInt8>]
    ) -> (events: [ProtocolConnection.Event], code: ProtocolViolation.Code?, owed: Int) {
        var connection = ProtocolConnection(role: .engine, limits: limits)
        var events: [ProtocolConnection.Event] = []
        do throws(ProtocolViolation) {
            for piece in pieces {
                connection.receive(piece)
                while let event = try connection.nextEvent() {
                    events.append(event)
                    read(event)
                }
            }
            try connection.finish()
            return (events, nil, connection.owedCount)
        } catch {
            return (events, error.code, connection.owedCount)
        }
    }

    /// Reads params by every form there is: none may trap.
    private static func read(_ event: ProtocolConnection.Event) {
        guard case .request(_, _, let params) = event else { return }
        _ = try? Wire.Initialize(params: params)
        _ = try? Wire.Build(params: params)
        _ = try? Wire.Solve(params: params)
        _ = try? Wire.ReadFile(params: params)
        _ = try? Wire.ReadDirectory(params: params)
        _ = try? Wire.ResolveSource(params: params)
        _ = try? Wire.SolveFrontend(params: params)
        _ = try? Diagnostic(params: params)
        _ = try? Wire.Progress(params: params)
        _ = try? Wire.Build.answer(params)
        _ = try? Wire.ReadDirectory.answer(params)
        _ = try? Wire.ResolveSource.answer(params)
    }

    @Test(arguments: 0..<4) func `what the JSON reader takes is written and read the same`(_ part: Int) throws {
        for seed in UInt64(part) * 1000..<UInt64(part + 1) * 1000 {
            var random = Random(seed: seed &+ 2_000_000)
            var text = Array(#"{"a":[1,-2.5e3,"\u00e9\ud83d\ude00",null,true],"b":{"blob":1,"size":2},"":"x"}"#.utf8)
            text = Self.mutated(text, &random)
            guard let object = try? JSONParser.object(text) else { continue }
            #expect(try JSONParser.object(object.json) == object, "seed \(seed)")
        }
    }

    // MARK: LLB

    @Test(arguments: 0..<4) func `the LLB JSON reader gives a graph or says what is wrong`(_ part: Int) throws {
        for seed in UInt64(part) * 60..<UInt64(part + 1) * 60 {
            var random = Random(seed: seed &+ 3_000_000)
            let corpus = try Self.definitions.get()
            let text = Self.mutated(corpus[random.below(corpus.count)], &random)
            guard let json = try? JSONValue(parsing: text) else { continue }
            do throws(LLBError) {
                let definition = try Definition(json: json)
                _ = try definition.graph()
                // What is written for a graph means the same graph.
                let again = try Definition(json: definition.json())
                #expect(try again.head() == definition.head(), "seed \(seed)")
            } catch {
                #expect(!error.message.isEmpty, "seed \(seed)")
            }
        }
    }

    @Test(arguments: 0..<4) func `the LLB protobuf reader gives a graph or says what is wrong`(_ part: Int) throws {
        for seed in UInt64(part) * 150..<UInt64(part + 1) * 150 {
            var random = Random(seed: seed &+ 4_000_000)
            let corpus = try Self.messages.get()
            let bytes = Self.mutated(corpus[random.below(corpus.count)], &random)
            do {
                let definition = try Definition(serialized: bytes)
                let canonical = try definition.canonical()
                // Canonical twice is canonical once.
                #expect(try canonical.canonical() == canonical, "seed \(seed)")
            } catch {
                #expect(error is LLBError, "seed \(seed)")
            }
        }
    }
}
