// SPDX-License-Identifier: Apache-2.0

package import FrontendHost
internal import LinuxSystem
internal import Sandbox
internal import SystemPackage

extension ConformanceSubject {
    /// A frontend's program, in the sandbox that an engine would start it in.
    package init(_ program: FrontendProgram, samples: [Sample]) {
        self.init(name: program.name, version: program.version, samples: samples) {
            try await blocking { try program.sandboxSpec() }
        }
    }
}

extension ConformanceRunner {
    /// Runs a subject with the `kiln-sandbox` beside the running program, and a scratch directory that is removed.
    package static func run(
        _ subject: ConformanceSubject,
        _ options: ConformanceOptions,
        _ progress: (ConformanceResult) -> Void
    ) async throws -> ConformanceReport {
        let name = "kiln-frontend-test-\(randomToken(count: 12))"
        let launcher = try await blocking {
            try Launcher(cache: try Directory(host: FilePath("/tmp/\(name)"), createMode: 0o711))
        }
        let outcome: Result<ConformanceReport, any Error>
        do {
            let runner = ConformanceRunner(launcher: launcher, subject: subject, options: options)
            outcome = .success(try await runner.run(progress))
        } catch {
            outcome = .failure(error)
        }
        try await blocking { try Directory(host: "/tmp").removeTree(name: name) }
        return try outcome.get()
    }
}
