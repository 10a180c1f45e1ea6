// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import Glibc
internal import OCI

/// Converts every file of a corpus and compares the results with BuildKit's own.
///
///     kiln-corpus DIR [--only TEXT] [--show COUNT]
///     kiln-corpus DIR --time [--only TEXT]
///
/// `DIR` holds `files/`, `golden/` and `manifest.tsv`. Prints what is equal by class of file, the first differences, and
/// last of all one line: `heads equal N of M, configs equal N of M, warnings equal N of M, errors equal N of M`. Ends with
/// status 1 when anything differs.
///
/// With `--time` nothing is compared: every target is converted on one thread, several times over, and the processor time
/// that took is printed.
@main
struct CorpusCommand {
    private let folder: String
    private var filter = ""
    private var shownCount = 10
    private var isTimed = false

    static func main() async {
        guard let command = CorpusCommand(Array(CommandLine.arguments.dropFirst())) else {
            print("usage: kiln-corpus DIR [--only TEXT] [--show COUNT | --time]")
            exit(64)
        }
        do {
            exit(try await command.run() ? 0 : 1)
        } catch {
            print("cannot read corpus: \(error)")
            exit(66)
        }
    }

    private init?(_ arguments: [String]) {
        var folder: String?
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--only":
                guard let text = rest.popFirst() else { return nil }
                filter = text
            case "--show":
                guard let count = rest.popFirst().flatMap({ Int($0) }) else { return nil }
                shownCount = count
            case "--time": isTimed = true
            default: folder = argument
            }
        }
        guard let folder else { return nil }
        self.folder = folder
    }

    private func run() async throws -> Bool {
        let entries = try entries()
        if isTimed {
            try await time(entries.map(\.file))
            return true
        }
        var report = Report()
        try await withThrowingTaskGroup(of: [Comparison].self) { group in
            let width = 4
            var waiting = entries.makeIterator()
            for _ in 0..<width {
                if let entry = waiting.next() { group.addTask { try await compare(entry.file) } }
            }
            while let comparisons = try await group.next() {
                for comparison in comparisons { report.add(comparison) }
                if let entry = waiting.next() { group.addTask { try await compare(entry.file) } }
            }
        }
        report.printClasses(entries)
        report.printDifferences(limit: shownCount)
        report.printTotals()
        return report.isClean
    }

    private func entries() throws -> [(file: String, classes: [String])] {
        let manifest = String(decoding: try read("manifest.tsv"), as: UTF8.self)
        var entries: [(file: String, classes: [String])] = []
        for line in manifest.split(separator: "\n").dropFirst() {
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(
                String.init
            )
            guard columns.count >= 6, filter.isEmpty || columns[5].contains(filter) else {
                continue
            }
            entries.append((columns[5], columns[4].split(separator: ",").map(String.init)))
        }
        return entries
    }

    // Off the main actor: the conversion must not change threads at each answer.
    @concurrent
    private func time(_ files: [String]) async throws {
        var conversions: [(file: CorpusFile, target: String)] = []
        for name in files {
            let file = try file(name)
            for target in file.targets { conversions.append((file, target)) }
        }
        for _ in 0..<3 {
            let start = Self.processorTime
            var accepted = 0
            for conversion in conversions
            where await conversion.file.convert(target: conversion.target) { accepted += 1 }
            let spent = Self.processorTime - start
            print("\(conversions.count) targets, \(accepted) accepted: \(spent) of processor time")
        }
    }

    /// What this process has used of all processors.
    private static var processorTime: Duration {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    private func read(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: folder + "/" + path)))
    }

    private func file(_ name: String) throws -> CorpusFile {
        CorpusFile(
            name: name,
            source: try read("files/\(name)"),
            golden: try JSONValue(parsing: try read("golden/\(name).json"))
        )
    }

    @concurrent
    private func compare(_ name: String) async throws -> [Comparison] { try await file(name).comparisons() }
}

/// Counts and differences of a run.
private struct Report {
    private var comparisons: [Comparison] = []

    mutating func add(_ comparison: Comparison) { comparisons.append(comparison) }

    var isClean: Bool {
        comparisons.allSatisfy { comparison in
            comparison.verdicts.values.allSatisfy { $0 == .equal }
        }
    }

    func printClasses(_ entries: [(file: String, classes: [String])]) {
        var files: [String: Set<String>] = [:]
        for entry in entries {
            for name in entry.classes.isEmpty ? ["plain"] : entry.classes {
                files[name, default: []].insert(entry.file)
            }
        }
        for (name, members) in files.sorted(by: { $0.key < $1.key }) {
            let own = comparisons.filter { members.contains($0.file) }
            print("\(name): \(count(.head, own, "heads")), \(count(.config, own, "configs"))")
        }
    }

    func printDifferences(limit: Int) {
        var count = 0
        for comparison in comparisons.sorted(by: { ($0.file, $0.target) < ($1.file, $1.target) }) {
            let texts = Comparison.Part.allCases.compactMap { part in
                if case .different(let text) = comparison.verdicts[part] { text } else { nil }
            }
            guard !texts.isEmpty else { continue }
            count += 1
            guard count <= limit else { continue }
            print("\(comparison.file) target \"\(comparison.target)\"")
            for text in texts { print("  " + text) }
        }
        if count > limit { print("… and \(count - limit) more") }
    }

    func printTotals() {
        let last: [Comparison.Part] = [.head, .config, .warnings, .errors]
        for part in Comparison.Part.allCases where !last.contains(part) {
            print(count(part, comparisons, part.rawValue))
        }
        let names = ["heads", "configs", "warnings", "errors"]
        print(zip(last, names).map { count($0, comparisons, $1) }.joined(separator: ", "))
    }

    private func count(
        _ part: Comparison.Part,
        _ comparisons: [Comparison],
        _ name: String
    ) -> String {
        let verdicts = comparisons.compactMap { $0.verdicts[part] }
        return "\(name) equal \(verdicts.count { $0 == .equal }) of \(verdicts.count)"
    }
}
