// SPDX-License-Identifier: Apache-2.0

internal import FrontendConformance
internal import FrontendHost
internal import FrontendStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

/// What `kiln frontend test` was told to test.
struct TestedFrontend: Sendable {
    let program: FrontendProgram
    /// Where its build files to test with stand, unless the command line says.
    let testsFolder: FilePath
    private let package: FrontendPackage?
    /// Where the package stands; `nil` for an executable file.
    private let directory: FilePath?
    private let store: FilePath

    /// How often each build file must be built before a frontend counts as deterministic.
    private static let runCountMin = 5

    /// - Parameter word: A package's directory, an executable file, or what the project calls a frontend that the
    ///   store has.
    init(_ word: String, _ options: ProjectOptions) async throws {
        let state = options.state
        let path = FilePath(word)
        let store = FilePath(state.path).appending("frontends")
        self.store = store
        if (try? Directory(host: path)) != nil {
            let package = try await blocking { try FrontendPackage(developing: path) }
            (self.package, directory, testsFolder) = (package, path, path.appending("tests"))
            program = try await developerProgram(package, state)
        } else if (try? Descriptor.open(host: path)) == nil,
            let stored = try await Self.stored(word, options, in: store)
        {
            (package, directory) = (stored, stored.directory)
            testsFolder = stored.directory.appending("tests")
            program = try await developerProgram(stored, state)
        } else {
            (package, directory) = (nil, nil)
            testsFolder = path.removingLastComponent().appending("tests")
            program = try await developerProgram([word], state)
        }
    }

    /// The tree that the project pins for a name; `nil` for what is no name of it.
    private static func stored(
        _ word: String,
        _ options: ProjectOptions,
        in directory: FilePath
    ) async throws -> FrontendPackage? {
        guard let name = try? FrontendName(parsing: word) else { return nil }
        return try await blocking {
            guard let project = try ProjectDirectory.find(from: FilePath(options.directory)) else { return nil }
            guard let entry = project.lock?.frontends[name] else { return nil }
            guard let tree = entry.tree(for: .host), let found = try FrontendStore(directory: directory).find(tree)
            else {
                throw UsageError("cannot test \(name): the store does not have it. Run: kiln frontend install")
            }
            return found
        }
    }

    /// The digest of its files as they stand now; `nil` for an executable file.
    private func tree() async throws -> TreeDigest? {
        guard let package, let directory else { return nil }
        return try await blocking { try package.tree ?? FrontendPackage.digest(of: directory) }
    }

    /// Tests it, and keeps for builds whether it turned out to be deterministic.
    ///
    /// Only a whole test counts, with a build file to test with, of a package that did not change meanwhile and that
    /// says that it is deterministic.
    ///
    /// - Parameters:
    ///   - isWhole: Whether nothing was left out.
    ///   - test: Tests; gives the report and the failures that count.
    func noting(
        _ isWhole: Bool,
        runCount: Int,
        _ test: () async throws -> (report: ConformanceReport, failures: [ConformanceResult])
    ) async throws -> (report: ConformanceReport, failures: [ConformanceResult]) {
        let before = try await tree()
        let found = try await test()
        guard package?.manifest.isDeterministic == true, let before, before == (try await tree()) else { return found }
        let (hasFailed, hasPassed) = (
            !found.failures.isEmpty,
            runCount >= Self.runCountMin
                && found.report.results.contains { $0.name == ConformanceRunner.runsName && $0.outcome == .passed }
        )
        try await blocking { [store] in
            if hasFailed {
                try FrontendStore(directory: store).noteFailed(before)
            } else if isWhole, hasPassed {
                try FrontendStore(directory: store).notePassed(before)
            }
        }
        return found
    }
}
