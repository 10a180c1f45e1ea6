// SPDX-License-Identifier: Apache-2.0

import FrontendConformance
import FrontendHost
import FrontendProtocol
import Glibc
import LinuxSystem
import Sandbox
import SystemPackage
import Testing

let isRoot = geteuid() == 0

/// A launcher that all tests share, and the executables beside them.
struct ConformanceFixture: Sendable {
    static let shared = Result { try ConformanceFixture() }
    static let repository = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()

    let launcher: Launcher
    let products: FilePath
    private let scratch = "kiln-conformance-tests-\(randomToken(count: 8))"

    private init() throws {
        products = FrontendProgram.ownDirectory ?? "."
        let given = unsafe getenv("KILN_SANDBOX").map { FilePath(unsafe String(cString: $0)) }
        if given == nil { try Self.buildLauncher(into: products) }
        launcher = try Launcher(
            cache: try Directory(host: FilePath("/tmp/\(scratch)"), createMode: 0o711),
            executable: given ?? products.appending("kiln-sandbox")
        )
        atexit {
            guard case .success(let fixture) = ConformanceFixture.shared else { return }
            try? Directory(host: "/tmp").removeTree(name: fixture.scratch)
        }
    }

    private static func buildLauncher(into products: FilePath) throws {
        let script = repository.appending("dev").appending("build-sandbox")
        let process = try ChildProcess(
            .path(script),
            arguments: [script.string, products.string],
            environment: ["PATH=/usr/bin:/bin"],
            descriptors: [nil, nil, nil]
        )
        try #require(try process.wait() == .exited(0))
    }

    /// An executable of this package as a frontend under test.
    func subject(_ name: String, samples: [Sample]) -> ConformanceSubject {
        let program = FrontendProgram(name: name, content: .file(products.appending(name)))
        return ConformanceSubject(program, samples: samples)
    }
}

/// Short enough for tests that wait for them, long enough for a busy machine.
func shortTimeouts() -> ConformanceTimeouts {
    var timeouts = ConformanceTimeouts()
    timeouts.handshake = .milliseconds(1500)
    timeouts.silence = .milliseconds(1500)
    return timeouts
}

/// What a flawed frontend builds.
func flawedSample() -> Sample {
    var sample = Sample(name: "hello.flawed", content: Array("hello\n".utf8))
    sample.files = [
        "context/a.txt": Array("the text of a file, longer than seven bytes\n".utf8),
        "context/b.txt": Array("the other one\n".utf8),
    ]
    return sample
}

/// Runs cases against the frontend that goes wrong, for real: in its sandbox, over its pipes.
///
/// - `flaw`: What it gets wrong.
/// - `cases`: Names; of the standard ones, unless others are given.
func misbehave(
    _ flaw: String,
    cases: Set<String>,
    of all: [ConformanceCase] = ConformanceCase.standard,
    sample: Sample = flawedSample(),
    runs: Int = 2,
    _ change: (inout ConformanceOptions) -> Void = { _ in }
) async throws -> ConformanceReport {
    let fixture = try ConformanceFixture.shared.get()
    var options = ConformanceOptions()
    options.cases = all
    options.caseNames = cases
    options.runCount = runs
    options.timeouts = shortTimeouts()
    options.engine = Wire.Program(name: "bad:\(flaw)", version: "1")
    change(&options)
    let runner = ConformanceRunner(
        launcher: fixture.launcher,
        subject: fixture.subject("kiln-frontend-bad", samples: [sample]),
        options: options
    )
    return try await runner.run()
}
