// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import LLB
internal import LLBMessages
internal import OCI

/// Each package manager with its caches outside of the image: what was downloaded once is not downloaded again, and
/// neither lists nor archives end up in a layer.
extension StageBuilder {
    mutating func install(_ install: PackageInstall, _ step: Step) throws {
        switch install.manager {
        case .apt: installWithApt(install, step)
        case .apk: installWithApk(install, step)
        case .pip: installWithPip(install, step)
        case .npm: try installWithNpm(install, step)
        }
    }

    /// apt allows one process at a time, so its directories are locked.
    ///
    /// Debian's images delete archives after use by
    /// a file of apt's configuration; a mount stands in its place, so that nothing of the image changes.
    private mutating func installWithApt(_ install: PackageInstall, _ step: Step) {
        let configuration = """
            APT::Keep-Downloaded-Packages "true";
            Binary::apt::APT::Keep-Downloaded-Packages "true";
            Dpkg::Use-Pty "false";

            """
        let recommended = install.takesRecommended ? "--install-recommends" : "--no-install-recommends"
        // Logs and caches of the system's tools differ from run to run.
        let script = """
            apt-get update
            apt-get install --yes \(recommended) "$@"
            rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/debconf/*-old \
            /var/cache/ldconfig/aux-cache
            """
        var options = RunOptions(arguments: Self.defaultShell + [script, "install"] + install.packages)
        var making = FileActions()
        making.makeFile("/keep-cache", mode: 0o644, data: Array(configuration.utf8), createdTime: 0)
        let file = State.scratch.file(
            making,
            constraints: Constraints(platform: platform, name: "[internal] configuration of apt")
        )
        var mount = Mount("/etc/apt/apt.conf.d/docker-clean", source: file, selector: "/keep-cache")
        mount.isReadOnly = true
        options.mounts = [
            mount, cacheMount("/var/cache/apt", sharing: .locked), cacheMount("/var/lib/apt/lists", sharing: .locked),
        ]
        execute(options, environment: [("DEBIAN_FRONTEND", "noninteractive")], step)
    }

    /// apk keeps what it downloads, indexes too, in `/etc/apk/cache` where that exists.
    private mutating func installWithApk(_ install: PackageInstall, _ step: Step) {
        var options = RunOptions(arguments: ["apk", "add", "--update-cache"] + install.packages)
        options.mounts = [cacheMount("/etc/apk/cache", sharing: .locked)]
        execute(options, environment: [], step)
    }

    /// pip's cache may be used by several at once.
    ///
    /// Lists of requirements are shown to it, not copied.
    private mutating func installWithPip(_ install: PackageInstall, _ step: Step) {
        let cache = "/root/.cache/pip"
        let directory = "/run/kiln/requirements"
        var arguments = ["pip", "install"]
        var mounts: [Mount] = [cacheMount(cache, sharing: .shared)]
        for file in install.requirementFiles {
            var mount = Mount(SlashPath.join(directory, file), source: context, selector: SlashPath.join("/", file))
            mount.isReadOnly = true
            mounts.append(mount)
            arguments += ["--requirement", SlashPath.join(directory, file)]
        }
        var options = RunOptions(arguments: arguments + install.packages)
        options.mounts = mounts
        var environment = [
            ("PIP_CACHE_DIR", cache), ("PIP_DISABLE_PIP_VERSION_CHECK", "1"), ("PIP_NO_INPUT", "1"),
            ("PIP_ROOT_USER_ACTION", "ignore"),
        ]
        if install.breaksSystemPackages { environment.append(("PIP_BREAK_SYSTEM_PACKAGES", "1")) }
        execute(options, environment: environment, step)
    }

    /// Of a project only `package.json` and the lock file are shown: other changes to it install nothing again.
    private mutating func installWithNpm(_ install: PackageInstall, _ step: Step) throws {
        let cache = cacheMount("/root/.npm", sharing: .shared)
        let environment = [
            ("npm_config_cache", "/root/.npm"), ("npm_config_update_notifier", "false"), ("npm_config_fund", "false"),
            ("npm_config_audit", "false"),
        ]
        if !install.packages.isEmpty {
            var options = RunOptions(arguments: ["npm", "install", "--global"] + install.packages)
            options.mounts = [cache]
            execute(options, environment: environment, step)
        }
        guard let project = install.project else { return }
        let directory = absolute(project)
        guard directory != "/" else {
            throw install.place.problem(
                "npm packages of a project need a directory to go to",
                notes: ["set workdir:, such as /app"]
            )
        }
        var options = RunOptions(arguments: ["npm", "ci"] + install.omits.map { "--omit=" + $0 })
        options.mounts = [cache]
        for file in ["package.json", "package-lock.json"] {
            var mount = Mount(
                SlashPath.join(directory, file),
                source: context,
                selector: SlashPath.join("/", project, file)
            )
            mount.isReadOnly = true
            options.mounts.append(mount)
        }
        execute(options, environment: environment, directory: directory, step)
    }

    private mutating func execute(
        _ options: RunOptions,
        environment: [(String, String)],
        directory: String? = nil,
        _ step: Step
    ) {
        var working = state
        if let directory { working = working.inDirectory(directory) }
        working.user = ""
        for (name, value) in buildEnvironment { working.environment[name] = value }
        for (name, value) in environment { working.environment[name] = value }
        execute(options, in: working, step)
    }

    // MARK: Users

    /// An image with a shell gets its users by a script of shell builtins: there is no one program that all images have.
    ///
    /// In an empty tree the files are written as they are.
    mutating func createUsers(_ accounts: [UserAccount], _ step: Step) {
        guard state.output != nil else {
            writeUsers(accounts, step)
            return
        }
        let script = #"""
            fail() { echo "$1" >&2; exit 1; }
            taken() { case "$2" in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
            while [ $# -gt 0 ]; do
                name=$1 uid=$2 group=$3 gid=$4 home=$5 shell=$6 create=$7
                shift 7
                user= uids=' ' known= gids=' '
                while IFS=: read -r other _ number _ || [ -n "$other" ]; do
                    [ "$other" != "$name" ] || user=$number
                    uids="$uids$number "
                done < /etc/passwd
                while IFS=: read -r other _ number _ || [ -n "$other" ]; do
                    [ "$other" != "$group" ] || known=$number
                    gids="$gids$number "
                done < /etc/group
                if [ -n "$user" ]; then
                    [ "${uid:-$user}" = "$user" ] || fail "user $name exists with uid $user, not $uid"
                    uid=$user
                elif [ -z "$uid" ]; then
                    uid=1000
                    while taken $uid "$uids"; do uid=$((uid + 1)); done
                elif taken "$uid" "$uids"; then
                    fail "uid $uid belongs to another user already: choose another for $name"
                fi
                if [ -n "$known" ]; then
                    [ "${gid:-$known}" = "$known" ] || fail "group $group exists with gid $known, not $gid"
                    gid=$known
                else
                    if [ -z "$gid" ]; then
                        gid=$uid
                        while taken $gid "$gids"; do gid=$((gid + 1)); done
                    elif taken "$gid" "$gids"; then
                        fail "gid $gid belongs to another group already: choose another for $group"
                    fi
                    echo "$group:x:$gid:" >> /etc/group
                fi
                if [ -z "$user" ]; then
                    echo "$name:x:$uid:$gid::$home:$shell" >> /etc/passwd
                    [ ! -f /etc/shadow ] || echo "$name:!:19000:0:99999:7:::" >> /etc/shadow
                fi
                if [ "$create" = yes ]; then
                    mkdir -p "$home"
                    chown "$uid:$gid" "$home"
                fi
            done
            """#
        let values = accounts.flatMap { account in
            [
                account.name, account.id.map { "\($0)" } ?? "", account.group, account.groupID.map { "\($0)" } ?? "",
                account.home, account.shell, account.createsHome ? "yes" : "no",
            ]
        }
        let options = RunOptions(arguments: Self.defaultShell + [script, "users"] + values)
        execute(options, environment: [], step)
    }

    private mutating func writeUsers(_ accounts: [UserAccount], _ step: Step) {
        var users = "root:x:0:0:root:/root:/bin/sh\n"
        var groups = "root:x:0:\n"
        var actions = FileActions()
        actions.makeDirectory("/etc", mode: 0o755, makesParents: true, createdTime: createdTime)
        var groupIDs: [String: UInt32] = ["root": 0]
        var owners: [FileOwner] = []
        for (number, account) in accounts.enumerated() {
            let id = account.id ?? UInt32(1000 + number)
            let groupID = groupIDs[account.group] ?? account.groupID ?? id
            if groupIDs.updateValue(groupID, forKey: account.group) == nil {
                groups += "\(account.group):x:\(groupID):\n"
            }
            users += "\(account.name):x:\(id):\(groupID)::\(account.home):\(account.shell)\n"
            owners.append(FileOwner(user: .id(id), group: .id(groupID)))
        }
        for (path, text) in [("/etc/passwd", users), ("/etc/group", groups)] {
            actions.makeFile(path, mode: 0o644, data: Array(text.utf8), createdTime: createdTime)
        }
        for (account, owner) in zip(accounts, owners) where account.createsHome {
            let parent = SlashPath.join(account.home, "..")
            if parent != "/" {
                actions.makeDirectory(parent, mode: 0o755, makesParents: true, createdTime: createdTime)
            }
            actions.makeDirectory(
                account.home,
                mode: 0o755,
                makesParents: true,
                owner: owner,
                createdTime: createdTime
            )
        }
        state = state.file(actions, constraints: constraints(step))
        commit(step, hasLayer: true)
    }
}
