// SPDX-License-Identifier: Apache-2.0

internal import Glibc
public import SystemPackage

/// How an engine is set up.
public struct EngineConfiguration: Sendable {
    /// Where blobs, layers and records stand; made when it is missing.
    ///
    /// Many engines may share one.
    public var stateDirectory: FilePath
    /// How many steps run at once; by default as many as there are cores.
    public var parallelStepCount: Int
    /// Where the bundled frontends and `kiln-sandbox` stand; `nil` = beside the running program.
    public var programDirectory: FilePath?

    /// Whether steps get copies of their trees even where overlayfs works; `KILN_COPY_TREES=1` in the environment.
    public var copiesTrees = Environment.value(of: "KILN_COPY_TREES") == "1"

    /// Takes the parts as they are.
    public init(
        stateDirectory: FilePath,
        parallelStepCount: Int? = nil,
        programDirectory: FilePath? = nil
    ) {
        self.stateDirectory = stateDirectory
        self.parallelStepCount = max(1, parallelStepCount ?? sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        self.programDirectory = programDirectory
    }

    /// The state directory of a user who named none: `$KILN_STATE_DIR`, else `/var/lib/kiln` for root, else
    /// `$XDG_DATA_HOME/kiln` or `~/.local/share/kiln`.
    public static func defaultStateDirectory() -> String {
        if let path = Environment.value(of: "KILN_STATE_DIR"), !path.isEmpty { return path }
        // Inside the user namespace of an ordinary user everybody is root: the launcher says who it was.
        if geteuid() == 0, Environment.value(of: "KILN_USER_NAMESPACE") == nil { return "/var/lib/kiln" }
        if let path = Environment.value(of: "XDG_DATA_HOME"), !path.isEmpty { return path + "/kiln" }
        return (Environment.value(of: "HOME") ?? "/tmp") + "/.local/share/kiln"
    }
}
