// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import Synchronization

/// What every launch needs, made at the first one: an engine that finds all its results in the cache launches nothing.
final class LaunchTools: Sendable {
    typealias Prepared = (executable: LauncherExecutable, filters: SystemCallFilters, groups: ControlGroups)

    let launcher: LauncherFile
    let cache: Directory
    private let made = Mutex<Prepared?>(nil)

    init(launcher: LauncherFile, cache: Directory) {
        self.launcher = launcher
        self.cache = cache
    }

    /// Blocks, for some 5 ms the first time; a failure is tried again by the next launch.
    func prepared() throws(SandboxError) -> Prepared {
        try made.withLock { made throws(SandboxError) in
            if let made { return made }
            let executable = try LauncherExecutable(launcher)
            let new = Prepared(
                executable: executable,
                filters: try SystemCallFilters(launcher: executable, cache: cache),
                groups: ControlGroups()
            )
            made = new
            return new
        }
    }
}
