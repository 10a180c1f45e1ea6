// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import LinuxSystem
import OCI
import Testing

/// What builds of a workspace left running or mounted: processes that name the marker in their command line or hold
/// something below the workspace open, and mounts below it.
func leftovers(of workspace: Workspace, marker: String) -> [String] {
    let manager = FileManager.default
    var found: [String] = []
    let mounts = (try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)) ?? ""
    found += mounts.split(separator: "\n").filter { $0.contains(workspace.path) }.map {
        "mount \($0)"
    }
    for name in (try? manager.contentsOfDirectory(atPath: "/proc")) ?? [] {
        guard let pid = Int32(name), pid != getpid() else { continue }
        let command = (try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline"))) ?? Data()
        let shown = String(decoding: command, as: UTF8.self).replacing("\0", with: " ")
        if shown.contains(marker) { found.append("process \(pid) \(shown)") }
        let files = (try? manager.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        for link in files.map({ "fd/\($0)" }) + ["cwd", "root", "exe"] {
            let target = try? manager.destinationOfSymbolicLink(atPath: "/proc/\(pid)/\(link)")
            guard let target, target.hasPrefix(workspace.path) else { continue }
            found.append("process \(pid) \(shown) holds \(target)")
        }
    }
    return found
}

/// Waits, for the kernel ends what a killed process started a moment later, and expects that nothing is left.
func expectNoLeftovers(
    of workspace: Workspace,
    marker: String,
    at location: SourceLocation = #_sourceLocation
) async throws {
    var found: [String] = []
    for _ in 0..<100 {
        found = leftovers(of: workspace, marker: marker)
        if found.isEmpty { return }
        try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("left behind: \(found)", sourceLocation: location)
}

/// What the state directory takes on disk by the rules of `kiln du`: blobs and kept results by their bytes, snapshots and
/// cache mounts by their blocks, files with several names within one of them once.
func diskUsage(ofState state: String) throws -> Int64 {
    let manager = FileManager.default
    var total: Int64 = 0
    for name in (try? manager.contentsOfDirectory(atPath: state + "/blobs/sha256")) ?? [] {
        let attributes = try manager.attributesOfItem(atPath: "\(state)/blobs/sha256/\(name)")
        total += (attributes[.size] as? NSNumber)?.int64Value ?? 0
    }
    for parent in ["/snapshots", "/cache/mounts"] {
        for name in (try? manager.contentsOfDirectory(atPath: state + parent)) ?? [] {
            var seen: Set<ino_t> = []
            total += blocks("\(state)\(parent)/\(name)", &seen)
        }
    }
    // Kept results of frontends, a folder a build file.
    let results = state + "/cache/frontend-results"
    for name in (try? manager.subpathsOfDirectory(atPath: results)) ?? [] {
        let attributes = try manager.attributesOfItem(atPath: "\(results)/\(name)")
        guard attributes[.type] as? FileAttributeType == .typeRegular else { continue }
        total += (attributes[.size] as? NSNumber)?.int64Value ?? 0
    }
    return total
}

private func blocks(_ path: String, _ seen: inout Set<ino_t>) -> Int64 {
    var status = stat()
    guard unsafe lstat(path, &status) == 0, seen.insert(status.st_ino).inserted else { return 0 }
    var total = Int64(status.st_blocks) * 512
    if status.st_mode & S_IFMT == S_IFDIR {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            total += blocks("\(path)/\(name)", &seen)
        }
    }
    return total
}

/// The total of `kiln du`, from its records.
func reportedUsage(_ kiln: Kiln, state: String) async throws -> Int64 {
    let result = try await kiln.run("du", "--json", state: state)
    try #require(result.status == 0, "\(result.error)")
    var total: Int64 = 0
    for line in result.outputText.split(separator: "\n") {
        total += try #require(JSONValue(parsing: String(line))["Size"]?.integer)
    }
    return total
}
