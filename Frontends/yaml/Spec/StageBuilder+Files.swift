// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import LLB
internal import OCI

extension StageBuilder {
    /// Where `to` ends with `/`, what is named goes into it under its own name; else it becomes `to`.
    ///
    /// What ends with `/` itself stands for all it holds.
    mutating func copy(_ copy: Copy, _ step: Step) throws {
        let source = try tree(copy.from, at: step.place).state
        let target = destination(copy.destination)
        var actions = FileActions()
        for path in copy.sources {
            var options = copyOptions(copy.attributes, excludes: copy.excludes)
            options.followsSymlinks = true
            options.copiesDirectoryContents =
                !target.hasSuffix("/") || copy.keepsParents || path.hasSuffix("/") || SlashPath.clean(path) == "."
            options.allowsWildcard = true
            var root = SlashPath.join("/", path)
            if copy.keepsParents {
                // All of the tree is copied, but for what the pattern leaves out: so the directories above come along.
                options.includePatterns = [String(root.dropFirst())]
                if !root.utf8.contains(where: { "*?[".utf8.contains($0) }) { options.requiredPaths = [root] }
                root = "/"
            }
            actions.copy(from: source, root, to: target, options: options)
        }
        apply(actions, step)
    }

    mutating func write(_ text: String, to path: String, _ attributes: FileAttributes, _ step: Step) {
        var making = FileActions()
        making.makeFile("/content", mode: 0o644, data: Array(text.utf8), createdTime: createdTime)
        let file = State.scratch.file(
            making,
            constraints: Constraints(platform: platform, name: "[internal] content of \(path)")
        )
        var actions = FileActions()
        actions.copy(from: file, "/content", to: destination(path), options: copyOptions(attributes))
        apply(actions, step)
    }

    mutating func download(_ download: Download, _ step: Step) {
        let name = "download"
        let file = State.http(
            download.url,
            options: State.HTTPOptions(filename: name, checksum: download.checksum),
            constraints: Constraints(name: "[internal] download \(download.url)", locations: [step.place.location])
        )
        var options = copyOptions(download.attributes)
        options.attemptsUnpack = download.unpacks
        var target = destination(download.destination)
        if !download.unpacks, target.hasSuffix("/") { target += Self.fileName(download.url) }
        var actions = FileActions()
        actions.copy(from: file, "/" + name, to: target, options: options)
        apply(actions, step)
    }

    mutating func clone(_ clone: Clone, _ step: Step) throws {
        let reference: GitReference?
        do throws(GitReference.Refusal) {
            reference = try GitReference(parsing: clone.repository)
        } catch {
            throw step.place.problem(error.message)
        }
        guard let reference else { throw step.place.problem("\"\(clone.repository)\" is no git repository") }
        let files = State.git(
            reference.remote,
            options: reference.options,
            constraints: Constraints(name: "[internal] clone \(clone.repository)", locations: [step.place.location])
        )
        var options = copyOptions(clone.attributes, excludes: clone.excludes)
        options.copiesDirectoryContents = true
        var actions = FileActions()
        actions.copy(from: files, "/", to: destination(clone.destination), options: options)
        apply(actions, step)
    }

    mutating func makeDirectory(_ path: String, _ attributes: FileAttributes, _ step: Step) {
        var mode: Int32 = 0o755
        if case .bits(let bits)? = attributes.mode { mode = bits }
        var actions = FileActions()
        let directory = absolute(path)
        let parent = SlashPath.join(directory, "..")
        // Only the directory itself gets the mode and owner.
        if parent != "/" { actions.makeDirectory(parent, mode: 0o755, makesParents: true, createdTime: createdTime) }
        actions.makeDirectory(
            directory,
            mode: mode,
            makesParents: true,
            owner: attributes.owner.map { FileOwner($0) },
            createdTime: createdTime
        )
        apply(actions, step)
    }

    mutating func makeSymlink(_ path: String, _ target: String, _ step: Step) {
        var actions = FileActions()
        let link = absolute(path)
        let parent = SlashPath.join(link, "..")
        if parent != "/" { actions.makeDirectory(parent, mode: 0o755, makesParents: true, createdTime: createdTime) }
        actions.makeSymlink(to: target, at: link, createdTime: createdTime)
        apply(actions, step)
    }

    mutating func remove(_ paths: [String], _ step: Step) {
        var actions = FileActions()
        for path in paths { actions.remove(absolute(path), allowsNotFound: true, allowsWildcard: true) }
        apply(actions, step)
    }

    private mutating func apply(_ actions: FileActions, _ step: Step) {
        state = state.file(actions, constraints: constraints(step))
        commit(step, hasLayer: true)
    }

    /// `.` and an empty path mean "into the working directory".
    private func destination(_ path: String) -> String { path == "." || path.hasSuffix("/.") ? path + "/" : path }

    private func copyOptions(_ attributes: FileAttributes, excludes: [String] = []) -> CopyOptions {
        var options = CopyOptions()
        options.createsDestinationPath = true
        options.excludePatterns = excludes
        options.owner = attributes.owner.map { FileOwner($0) } ?? FileOwner(user: .id(0), group: .id(0))
        options.createdTime = createdTime
        switch attributes.mode {
        case .bits(let bits)?: options.mode = bits
        case .symbolic(let text)?: options.symbolicMode = text
        case nil: break
        }
        return options
    }

    /// The last part of an address's path.
    private static func fileName(_ url: String) -> String {
        let path = url.prefix { $0 != "?" && $0 != "#" }
        let name = path.split(separator: "/").dropFirst(2).last.map(String.init) ?? ""
        return name.isEmpty || name == "." || name == ".." ? "download" : name
    }
}

/// Why a text is no repository to clone; `nil` when it is one.
func repositoryFault(_ text: String) -> String? {
    do throws(GitReference.Refusal) {
        guard let reference = try GitReference(parsing: text), !reference.looksLikePath else {
            return "expected an address such as https://host/path.git#v1.2"
        }
        return nil
    } catch {
        return error.message
    }
}
