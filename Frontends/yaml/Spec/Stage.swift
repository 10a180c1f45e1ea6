// SPDX-License-Identifier: Apache-2.0

package import OCI

/// A stage or an image of a spec, its variables replaced.
package struct Stage: Sendable {
    package var name: String
    package var isImage: Bool
    package var place: Place
    package var summary = ""
    /// What it begins with.
    package var base: TreeName
    package var basePlace: Place
    /// What its steps run on.
    package var platform = StagePlatform.target
    package var steps: [Step] = []
    /// What its commands are handed to when they are one text.
    package var shell: [String]?
    package var settings = ImageSettings()
    /// What an image is built for when the client names no platform.
    package var platforms: [Platform] = []
}

/// Which platform a stage is for.
package enum StagePlatform: Sendable, Hashable {
    /// The one that is asked for.
    case target
    /// The one of the machine that builds: for tools that make things for another one.
    case build
    case fixed(Platform)
}

/// Where files come from.
package enum TreeName: Sendable, Hashable {
    case context
    /// A stage or an image of the spec.
    case stage(String)
    /// An image, or what the client names by `--build-context`.
    case external(String)
}

/// One step of a stage: where it stands, and what it does.
package struct Step: Sendable {
    package var place: Place
    /// What progress and history call it.
    package var name: String
    package var action: Action

    package enum Action: Sendable {
        case environment([(name: String, value: String)], isForBuildOnly: Bool)
        case workingDirectory(String)
        case copy(Copy)
        case write(text: String, to: String, FileAttributes)
        case download(Download)
        case clone(Clone)
        case makeDirectory(String, FileAttributes)
        case makeSymlink(path: String, target: String)
        case remove([String])
        case run(Run)
        case install(PackageInstall)
        case createUsers([UserAccount])
    }
}

/// Mode and owner of files.
package struct FileAttributes: Sendable, Hashable {
    package enum Mode: Sendable, Hashable {
        case bits(Int32)
        /// `u+rwX,go-w`.
        case symbolic(String)
    }

    package var mode: Mode?
    /// `user` or `user:group`; `nil` is root.
    package var owner: String?
}

/// Files from the context or another tree.
package struct Copy: Sendable {
    package var from = TreeName.context
    package var sources: [String]
    package var destination: String
    package var attributes = FileAttributes()
    package var excludes: [String] = []
    /// Whether the directories above a source come along.
    package var keepsParents = false
}

/// A file from the network.
package struct Download: Sendable {
    package var url: String
    package var destination: String
    package var checksum = ""
    package var attributes = FileAttributes()
    package var unpacks = false
}

/// Files of a git repository.
package struct Clone: Sendable {
    package var repository: String
    package var destination: String
    package var attributes = FileAttributes()
    package var excludes: [String] = []
}

/// A command with all that it can see.
package struct Run: Sendable {
    package enum Command: Sendable, Hashable {
        /// A text for the shell.
        case script(String)
        case arguments([String])
    }

    package enum Network: String, Sendable, CaseIterable {
        case `default`, none, host
    }

    package var command: Command
    package var shell: [String]?
    package var workingDirectory: String?
    package var user = ""
    package var environment: [(name: String, value: String)] = []
    package var inputs: [Input] = []
    package var caches: [Cache] = []
    package var secrets: [Secret] = []
    package var sockets: [String] = []
    package var temporaryDirectories: [String] = []
    package var network = Network.default
    /// Whether it runs at every build.
    package var isAlwaysRun = false

    /// A part of a tree the command sees.
    package struct Input: Sendable {
        package var from = TreeName.context
        package var path: String
        /// `nil`: at the same path below the working directory, or, from another tree, at the same absolute path.
        package var target: String?
        package var excludes: [String] = []
        /// Whether the command may write there; what it writes is thrown away.
        package var isWritable = false
        package var place: Place
    }

    package struct Cache: Sendable {
        package enum Sharing: String, Sendable, CaseIterable {
            case shared, `private`, locked
        }

        package var path: String
        /// `nil`: its path.
        package var id: String?
        package var sharing = Sharing.shared
        package var place: Place
    }

    package struct Secret: Sendable {
        package var id: String
        /// Variable it is set in.
        package var environmentName: String?
        /// File it is mounted at; `nil` with a variable: none.
        package var file: String?
        package var mode: UInt32 = 0o400
        package var userID: UInt32 = 0
        package var isRequired = true
        package var place: Place
    }
}

/// Packages that one package manager installs.
package struct PackageInstall: Sendable {
    package enum Manager: String, Sendable, CaseIterable {
        case apt, apk, pip, npm
    }

    package var manager: Manager
    /// Sorted, each once: their order says nothing.
    package var packages: [String] = []
    /// apt: whether recommended packages come along.
    package var takesRecommended = false
    /// pip: files of the context that list packages.
    package var requirementFiles: [String] = []
    /// pip: whether the system's own Python may be added to.
    package var breaksSystemPackages = false
    /// npm: directory of the context with `package.json` and its lock file.
    package var project: String?
    /// npm: kinds of dependencies left out.
    package var omits: [String] = []
    package var place: Place
}

/// A user that a stage creates.
package struct UserAccount: Sendable, Hashable {
    package var name: String
    /// `nil`: the first one from 1000 on that the image does not have.
    package var id: UInt32?
    package var group: String
    /// `nil`: the user's id, or the next one that the image does not have.
    package var groupID: UInt32?
    package var home: String
    package var shell: String
    package var createsHome: Bool
}

/// How containers of an image start.
package struct ImageSettings: Sendable {
    package enum Command: Sendable, Hashable {
        case script(String)
        case arguments([String])
    }

    package enum Healthcheck: Sendable, Hashable {
        /// The base image's check is taken off.
        case none
        case check(ContainerConfig.Healthcheck, command: Command)
    }

    package var user: String?
    package var entrypoint: Command?
    package var command: Command?
    package var labels: [(name: String, value: String)] = []
    package var ports: [String] = []
    package var volumes: [String] = []
    package var healthcheck: Healthcheck?
    package var stopSignal: String?
}
