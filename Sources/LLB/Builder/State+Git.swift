// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages

extension State {
    /// What to take from a repository, and how.
    public struct GitOptions: Hashable, Sendable {
        /// Branch, tag or commit; empty for the remote's head.
        public var reference = ""
        /// Only this directory of the checkout; empty for all.
        public var subdirectory = ""
        /// Whether `.git` stays.
        public var keepsGitDirectory = false
        /// The commit, or a prefix of it, that must be found.
        public var checksum = ""
        /// Whether submodules stay empty.
        public var skipsSubmodules = false
        /// `checkout` or `commit`; empty for the default.
        public var modificationTime = ""
        /// Fetch ``checksum`` itself, whatever the reference points at now.
        public var fetchesByCommit = false
        /// The secret with the token for HTTP.
        public var authTokenSecret = "GIT_AUTH_TOKEN"
        /// The secret with the header for HTTP.
        public var authHeaderSecret = "GIT_AUTH_HEADER"
        /// Lines of a known_hosts file; empty when the engine knows the hosts.
        public var knownSSHHosts = ""
        /// The agent socket to use; empty for the default one.
        public var sshSocket = ""

        /// Options for a branch, tag or commit, and a directory.
        public init(reference: String = "", subdirectory: String = "") {
            self.reference = reference
            self.subdirectory = subdirectory
        }
    }

    /// A checkout of a repository.
    ///
    /// `url` is `https://host/path`, `git://…`, `ssh://…` or `user@host:path`; without a scheme, `https`.
    public static func git(
        _ url: String,
        options: GitOptions = GitOptions(),
        constraints: Constraints = Constraints()
    ) -> State {
        var url = url
        var location = try? GitLocation(parsing: url)
        if location == nil, !GitLocation.hasScheme(url) {
            url = "https://" + url
            location = try? GitLocation(parsing: url)
        }
        if let location { url = location.remote }
        var identifier = url
        if let location {
            identifier = location.host + SlashPath.join("/", location.path)
            if !options.reference.isEmpty || !options.subdirectory.isEmpty {
                identifier += "#" + options.reference
                if !options.subdirectory.isEmpty { identifier += ":" + options.subdirectory }
            }
        }
        var attributes: [String: String] = [:]
        var constraints = constraints
        func set(_ name: String, _ value: String, _ capability: String?) {
            guard !value.isEmpty else { return }
            attributes[name] = value
            if let capability { constraints.require(capability) }
        }
        func flag(_ name: String, _ value: Bool, _ capability: String) {
            set(name, value ? "true" : "", capability)
        }
        flag(
            SourceAttribute.gitKeepDirectory,
            options.keepsGitDirectory,
            Capability.sourceGitKeepDir
        )
        set(SourceAttribute.gitFullURL, url, Capability.sourceGitFullURL)
        let defaults = GitOptions()
        set(
            SourceAttribute.gitAuthTokenSecret,
            options.authTokenSecret,
            options.authTokenSecret == defaults.authTokenSecret ? nil : Capability.sourceGitHTTPAuth
        )
        set(
            SourceAttribute.gitAuthHeaderSecret,
            options.authHeaderSecret,
            options.authHeaderSecret == defaults.authHeaderSecret
                ? nil : Capability.sourceGitHTTPAuth
        )
        if location?.scheme == "ssh" {
            set(SourceAttribute.gitKnownSSHHosts, options.knownSSHHosts, nil)
            constraints.require(Capability.sourceGitKnownSSHHosts)
            set(
                SourceAttribute.gitMountSSHSocket,
                options.sshSocket.isEmpty ? "default" : options.sshSocket,
                Capability.sourceGitMountSSHSock
            )
        }
        set(SourceAttribute.gitChecksum, options.checksum, Capability.sourceGitChecksum)
        flag(
            SourceAttribute.gitSkipSubmodules,
            options.skipsSubmodules,
            Capability.sourceGitSkipSubmodules
        )
        set(
            SourceAttribute.gitModificationTime,
            options.modificationTime,
            Capability.sourceGitMTime
        )
        flag(
            SourceAttribute.gitFetchByCommit,
            options.fetchesByCommit,
            Capability.sourceGitFetchByCommit
        )
        constraints.require(Capability.sourceGit)
        return source("git://" + identifier, attributes, constraints)
    }
}
