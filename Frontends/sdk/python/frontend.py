# SPDX-License-Identifier: Apache-2.0
"""Write a frontend in Python. One file, nothing but the standard library, Python 3.8 or later: copy it beside yours.

    import frontend
    from frontend import Result, image_config

    def build(request, session):
        base = session.resolve_image("alpine:3.20")
        tree = base.state.run(["apk", "add", "--no-cache", *request.text.split()])
        return Result(tree, image_config(request.platform, {"Cmd": ["sh"]}, base=base.config))

    frontend.main("acme/packages", "1.0.0", build)

`main` takes stdin and stdout over: what anything else prints goes to stderr. It speaks frontend protocol 1.0, whose text
stands in Protocol/SPEC.md; words in `code` are its words.
"""
import base64
import copy
import json
import os
import posixpath
import re
import signal
import struct
import sys
import traceback

PROTOCOL = {1: 0}  # Newest minor by major this file speaks.
FRAME_LIMIT = 1 << 24


class BuildError(Exception):
    """The build cannot go on; the user reads the message as it is, so it names file and line.

    `cause`: the `RequestError` behind it, if the message tells about one.
    """

    def __init__(self, message, cause=None):
        super().__init__(message)
        self.cause = cause


class RequestError(Exception):
    """The engine answered a request with an error; `kind` says what happened."""

    def __init__(self, kind, message, request=None, data=None):
        super().__init__(message)
        self.kind, self.request, self.data = kind, request, data or {}


class Cancelled(BaseException):
    """Nobody wants the build any more; `except Exception` lets it pass."""


class ProtocolError(Exception):
    """The engine broke the protocol; nothing can be saved."""


# The graph: trees and the steps that make them


class State:
    """A file tree that may not exist yet, and the settings of steps on it. It never changes: methods give a new one."""

    def __init__(self, vertex=None, output=0):
        self._vertex, self._output = vertex, output
        self._env, self._dir, self._user, self._platform, self._network = {}, "/", "", None, None

    def _with(self, **changes):
        state = copy.copy(self)
        for name, value in changes.items():
            setattr(state, "_" + name, value)
        return state

    def env(self, name, value):
        """Sets a variable for steps."""
        return self._with(env={**self._env, name: value})

    def dir(self, path):
        """Sets the directory of steps, where relative paths begin."""
        return self._with(dir=posixpath.normpath(posixpath.join(self._dir, path)))

    def user(self, user):
        """Sets who runs steps: `name`, `uid`, `user:group`."""
        return self._with(user=user)

    def platform(self, platform):
        """Sets where steps run, as `linux/arm64` or as the engine writes it."""
        return self._with(platform=parse_platform(platform))

    def network(self, mode):
        """Sets the network of steps: `none`, `host` or None for the engine's own."""
        return self._with(network=mode)

    def configured(self, config):
        """Takes environment, directory and user from an image config."""
        inner = config.get("config") or {}
        state = self
        for entry in inner.get("Env") or []:
            name, _, value = entry.partition("=")
            state = state.env(name, value)
        return state.dir(inner.get("WorkingDir") or "/").user(inner.get("User") or "")

    def exec(self, args, mounts=(), secrets=(), ssh=(), network=None, readonly_root=False, valid_exit_codes=(),
             name=None, ignore_cache=False):
        """Runs a program; gives the `Step`, whose `mount(path)` is what a writable mount became."""
        mounts = sorted([bind("/", self, readonly=readonly_root), *mounts],
                        key=lambda mount: self._path(mount.target).encode())
        inputs, written, outputs = _Inputs(), [], {}
        for mount in mounts:
            path = self._path(mount.target)
            index = len([number for number, _ in outputs.values() if number is not None]) if mount.is_output else None
            outputs[path] = (index, mount)
            written.append({"dest": path, "input": inputs.index(mount.source), "output": -1 if index is None else index,
                            **mount.members})
        variables = []
        for item in secrets:
            if item.get("env"):
                variables.append(_without_empty({"ID": item["id"], "name": item["env"], "optional": item["optional"]}))
            if item.get("target"):
                written.append(_special("SECRET", "secretOpt", item))
        environment = ["%s=%s" % pair for pair in self._env.items()]
        for number, item in enumerate(ssh):
            item = dict(item, target=item.get("target") or "/run/buildkit/ssh_agent.%d" % number)
            if number == 0 and "SSH_AUTH_SOCK" not in self._env:
                environment.append("SSH_AUTH_SOCK=" + item["target"])
            written.append(_special("SSH", "SSHOpt", item))
        if not args or isinstance(args, str):
            raise BuildError("a step needs a list of arguments, not %r" % (args,))
        meta = _without_empty({"args": list(args), "env": environment, "cwd": self._dir, "user": self._user,
                               "validExitCodes": list(valid_exit_codes)})
        operation = _without_empty({"meta": {**meta, "removeMountStubsRecursive": True}, "mounts": written,
                                    "secretenv": variables, "network": (network or self._network or "").upper()})
        vertex = _Vertex("exec", operation, inputs.states, self._platform, name, ignore_cache, has_platform=True)
        return Step(self, vertex, outputs)

    def run(self, args, **options):
        """Runs a program; gives the root afterwards. Options as of `exec`."""
        return self.exec(args, **options).root

    def sh(self, script, **options):
        """Runs a script with `/bin/sh -c`."""
        return self.run(["/bin/sh", "-c", script], **options)

    def file(self, *actions, name=None, ignore_cache=False):
        """Does `copy`, `mkfile`, `mkdir`, `symlink` and `rm` in one operation, one after the other."""
        if not actions:
            return self
        inputs = _Inputs()
        base = inputs.index(self)
        sources = [inputs.index(action.source) for action in actions]
        written = []
        for index, action in enumerate(actions):
            members = dict(action.members)
            for member in action.paths:
                members[member] = self._path(members[member], keep_slash=member == "dest")
            if action.owner is not None:
                members["owner"] = _owner(action.owner, base)
            written.append({"input": base if index == 0 else len(inputs.states) + index - 1,
                            "secondaryInput": sources[index], "output": 0 if index == len(actions) - 1 else -1,
                            action.kind: members})
        vertex = _Vertex("file", {"actions": written}, inputs.states, None, name, ignore_cache)
        return self._with(vertex=vertex, output=0)

    def copy(self, source, src, dest, name=None, **options):
        """Copies from another tree; options as of the action `copy`."""
        return self.file(copy_action(source, src, dest, **options), name=name)

    def mkfile(self, path, data, name=None, **options):
        return self.file(mkfile(path, data, **options), name=name)

    def mkdir(self, path, name=None, **options):
        return self.file(mkdir(path, **options), name=name)

    def symlink(self, target, path, name=None, **options):
        return self.file(symlink(target, path, **options), name=name)

    def rm(self, path, name=None, **options):
        return self.file(rm(path, **options), name=name)

    def _path(self, path, keep_slash=False):
        clean = posixpath.normpath(posixpath.join("/", self._dir, path)).replace("//", "/")
        if keep_slash and clean != "/" and path.endswith(("/", "/.")):
            return clean + ("/" if path.endswith("/") else "/.")
        return clean

    def definition(self, platform=None):
        """The graph as the engine takes it, `{"def":…}`; `platform` is where steps run that name none."""
        if self._vertex is None:
            return {"def": {}}
        names, operations, metadata, stack = {}, {}, {}, [self._vertex]
        while stack:  # Inputs first, without recursion: graphs may be thousands of steps deep.
            vertex = stack[-1]
            waiting = [state._vertex for state in vertex.inputs if id(state._vertex) not in names]
            if id(vertex) in names or waiting:
                stack.pop() if id(vertex) in names else stack.extend(reversed(waiting))
                continue
            stack.pop()
            names[id(vertex)] = name = "op%d" % (len(names) + 1)
            operations[name] = vertex.operation(names, parse_platform(platform))
            if vertex.metadata:
                metadata[name] = vertex.metadata
        end = {"inputs": [_input(names[id(self._vertex)], self._output)]}
        return _without_empty({"def": {**operations, "result": end}, "metadata": metadata})


class Step:
    """What a program left."""

    def __init__(self, before, vertex, outputs):
        self._before, self._vertex, self._outputs = before, vertex, outputs

    @property
    def root(self):
        return self.mount("/")

    def mount(self, path):
        """The tree of a mount afterwards; None for a path that is no mount or whose content is not kept."""
        index, mount = self._outputs.get(self._before._path(path), (None, None))
        if mount is None or index is None:
            return mount.source if mount and mount.readonly else None
        before = self._before if mount.source is None else mount.source
        return before._with(vertex=self._vertex, output=index)


class _Vertex:
    def __init__(self, kind, body, inputs, platform, name, ignore_cache, has_platform=False):
        self.kind, self.body, self.inputs, self.platform = kind, body, list(inputs), platform
        self.has_platform = has_platform
        self.metadata = _without_empty({"description": {"llb.customname": name} if name else {},
                                        "ignore_cache": ignore_cache})

    def operation(self, names, platform):
        operation = {self.kind: self.body}
        if self.inputs:
            operation["inputs"] = [_input(names[id(state._vertex)], state._output) for state in self.inputs]
        platform = self.platform or platform
        if self.has_platform and platform:
            operation["platform"] = _without_empty({
                "OS": platform["os"], "Architecture": platform["architecture"],
                "Variant": platform.get("variant", ""), "OSVersion": platform.get("os.version", ""),
                "OSFeatures": platform.get("os.features", [])})
        return operation


class _Inputs:
    """Inputs of one operation, each once."""

    def __init__(self):
        self.states = []

    def index(self, state):
        if state is None or state._vertex is None:
            return -1
        for index, other in enumerate(self.states):
            if other._vertex is state._vertex and other._output == state._output:
                return index
        self.states.append(state)
        return len(self.states) - 1


class _Mount:
    def __init__(self, target, source, members, is_output=False, readonly=False):
        self.target, self.source, self.members = target, source, members
        self.is_output, self.readonly = is_output, readonly


class _Action:
    def __init__(self, kind, members, paths, owner=None, source=None):
        self.kind, self.members, self.paths, self.owner, self.source = kind, members, paths, owner, source


def _input(name, output):
    return {"digest": name, "index": output} if output else {"digest": name}


def _without_empty(members):
    return {name: value for name, value in members.items() if value not in (None, "", [], {}, False)}


def _special(kind, option, item):
    options = {"ID": item["id"], "uid": item["uid"], "gid": item["gid"], "mode": item["mode"],
               "optional": item["optional"]}
    return {"dest": item["target"], "input": -1, "output": -1, "mountType": kind,
            option: {name: value for name, value in options.items() if value not in ("", 0, False)}}


def _owner(owner, base):
    def identity(text):
        if text == "root" or re.fullmatch("[0-9]+", text):
            return {"byID": 0 if text == "root" else int(text)}
        return {"byName": {"name": text, "input": base}}

    user, colon, group = str(owner).partition(":")
    parts = {"user": identity(user)} if user else {}
    return {**parts, "group": identity(group)} if colon and group else parts


# Sources


def scratch():
    """The empty tree."""
    return State()


def source(identifier, attributes=None, name=None, platform=None, has_platform=False):
    """A source by its identifier and attributes, for kinds that have no function of their own."""
    body = _without_empty({"identifier": identifier, "attrs": attributes or {}})
    platform = parse_platform(platform)
    state = State(_Vertex("source", body, [], platform, name, False, has_platform))
    return state._with(platform=platform)


def image(reference, platform=None, name=None, resolve_mode=None):
    """The tree of an image: `alpine:3.20`, `ghcr.io/acme/app@sha256:…`."""
    attributes = _without_empty({"image.resolvemode": resolve_mode})
    return source("docker-image://" + full_reference(reference), attributes, name, platform, has_platform=True)


def local(local_name, include=(), exclude=(), follow=(), shared_key_hint=None, differ=None, name=None):
    """A directory of the user: `context`, or `dockerfile` for the one that holds the build file."""
    lists = {"local.includepattern": include, "local.excludepatterns": exclude, "local.followpaths": follow}
    attributes = {key: json.dumps(list(value), ensure_ascii=False, separators=(",", ":"))
                  for key, value in lists.items() if value}
    attributes.update(_without_empty({"local.sharedkeyhint": shared_key_hint, "local.differ": differ}))
    return source("local://" + local_name, attributes, name)


def git(url, ref=None, checksum=None, keep_git_dir=False, name=None):
    """A commit of a repository: an https or ssh URL, and a branch, tag or commit."""
    bare = re.sub("^[a-z+]+://", "", url)
    attributes = {"git.fullurl": url, "git.checksum": checksum, "git.keepgitdir": "true" if keep_git_dir else None}
    return source("git://" + bare + ("#" + ref if ref else ""), _without_empty(attributes), name)


def http(url, checksum=None, filename=None, mode=None, name=None):
    """A directory with one file, fetched from a URL. `checksum`: `sha256:…`."""
    attributes = {"http.checksum": checksum, "http.filename": filename, "http.perm": mode and "0%o" % mode}
    return source(url, _without_empty(attributes), name)


def merge(*states, name=None):
    """Lays trees over each other, later ones on top."""
    filled = [state for state in states if state._vertex is not None]
    if len(filled) < 2:
        return filled[0] if filled else scratch()
    body = {"inputs": [{"input": index} for index in range(len(filled))]}
    return filled[0]._with(vertex=_Vertex("merge", body, filled, None, name, False), output=0)


def diff(lower, upper, name=None):
    """What must be laid on `lower` to get `upper`."""
    if lower._vertex is None:
        return upper
    filled = [state for state in (lower, upper) if state._vertex is not None]
    body = {"lower": {"input": 0}, "upper": {"input": len(filled) - 1 or -1}}
    return lower._with(vertex=_Vertex("diff", body, filled, None, name, False), output=0)


# Mounts, secrets, file actions


def bind(target, state=None, selector=None, readonly=False, discard=False):
    """Mounts a tree, or the path `selector` of it; what is written there is kept unless `readonly` or `discard`."""
    members = _without_empty({"selector": selector, "readonly": readonly})
    return _Mount(target, state, members, is_output=not readonly and not discard, readonly=readonly)


def cache(target, id=None, sharing="shared", state=None, readonly=False):
    """A directory that outlives the build. `sharing`: `shared`, `private` or `locked`."""
    members = {"mountType": "CACHE", "cacheOpt": {"ID": id or target, "sharing": sharing.upper()}}
    return _Mount(target, state, {**members, **_without_empty({"readonly": readonly})})


def tmpfs(target, size=0):
    """Memory; `size` in bytes, 0 for no limit of its own."""
    return _Mount(target, None, {"mountType": "TMPFS", "TmpfsOpt": _without_empty({"size": size or None})})


def secret(id, target=None, env=None, uid=0, gid=0, mode=0o400, optional=False):
    """A secret of the user, as a file at `target`, in the variable `env`, or both."""
    target = target if target or env else "/run/secrets/" + id
    return {"id": id, "target": target, "env": env, "uid": uid, "gid": gid, "mode": mode, "optional": optional}


def ssh(id="", target=None, uid=0, gid=0, mode=0o600, optional=False):
    """An SSH agent of the user."""
    return {"id": id, "target": target, "uid": uid, "gid": gid, "mode": mode, "optional": optional}


def copy_action(state, src, dest, owner=None, mode=None, follow_symlinks=False, contents_only=False, unpack=False,
                parents=True, wildcard=False, allow_empty_wildcard=False, replace=False, include=(), exclude=(),
                time=None):
    """Copies `src` of another tree. `mode`: a number, or symbolic as `u+rwX`. `time`: nanoseconds since 1970."""
    symbolic = isinstance(mode, str)
    members = {"src": posixpath.normpath(posixpath.join("/", state._dir, src)).replace("//", "/"), "dest": dest,
               "mode": 0 if symbolic else -1 if mode is None else mode, "timestamp": -1 if time is None else time,
               **_without_empty({"modeStr": mode if symbolic else "", "followSymlink": follow_symlinks,
                                 "dirCopyContents": contents_only, "attemptUnpackDockerCompatibility": unpack,
                                 "createDestPath": parents, "allowWildcard": wildcard,
                                 "allowEmptyWildcard": allow_empty_wildcard, "includePatterns": list(include),
                                 "excludePatterns": list(exclude), "alwaysReplaceExistingDestPaths": replace})}
    return _Action("copy", members, ["dest"], owner, state)


def mkfile(path, data, mode=0o644, owner=None, time=None):
    """Writes a file; `data` is text or bytes."""
    data = data.encode() if isinstance(data, str) else data
    members = {"path": path, "mode": mode & 0o777, "data": base64.b64encode(data).decode(),
               "timestamp": -1 if time is None else time}
    return _Action("mkfile", members, ["path"], owner)


def mkdir(path, mode=0o755, parents=True, owner=None, time=None):
    """Makes a directory; one that exists stays as it is."""
    members = {"path": path, "mode": mode & 0o777, "makeParents": parents, "timestamp": -1 if time is None else time}
    return _Action("mkdir", members, ["path"], owner)


def symlink(target, path, owner=None, time=None):
    """Makes a symbolic link at `path`."""
    members = {"oldpath": target, "newpath": path, "timestamp": -1 if time is None else time}
    return _Action("symlink", members, ["newpath"], owner)


def rm(path, missing_ok=False, wildcard=False):
    """Removes a file, or a directory with all it holds."""
    members = {"path": path, **_without_empty({"allowNotFound": missing_ok, "allowWildcard": wildcard})}
    return _Action("rm", members, ["path"])


# Names and image configs


def full_reference(text):
    """An image's whole name: `alpine` is `docker.io/library/alpine:latest`."""
    head, slash, _ = text.partition("/")
    if not slash or not (re.search("[.:]", head) or head == "localhost"):
        text = "docker.io/" + (text if slash else "library/" + text)
    has_tag = ":" in text.split("@")[0].rsplit("/", 1)[-1]
    return text if "@" in text or has_tag else text + ":latest"


def parse_platform(platform):
    """`linux/arm64/v8` as the engine writes platforms; such a value stays as it is."""
    if platform is None or isinstance(platform, dict):
        return platform
    parts = platform.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise BuildError("cannot read platform \"%s\": expected os/architecture[/variant]" % platform)
    result = {"os": parts[0], "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(parts[1], parts[1])}
    if len(parts) == 3 and (result["architecture"], parts[2]) != ("arm64", "v8"):
        result["variant"] = parts[2]
    return result


def platform_id(platform):
    """`linux/arm64` for a platform."""
    platform = parse_platform(platform)
    return "/".join(filter(None, [platform["os"], platform["architecture"], platform.get("variant")]))


def image_config(platform, config, base=None):
    """An OCI image config: `config` has members such as `Env`, `Cmd`, `Entrypoint`, which win over those of `base`."""
    platform = parse_platform(platform)
    result = {"rootfs": {"type": "layers", "diff_ids": []}, "history": [], **(base or {})}
    result.update({name: platform[name] for name in ("os", "architecture", "variant", "os.version") if name in platform})
    result["config"] = {**((base or {}).get("config") or {}), **config}
    return result


# What the engine asks, and what it is answered


class Request:
    """A build: `file_name`, `content`, `options`, `inputs`, `worker_platforms`, `command_line`, `deadline_ms`."""

    def __init__(self, params):
        file = params["buildFile"]
        self.file_name, self.content = file["name"], _bytes(file["content"])
        self.options = dict(params.get("options") or {})
        self.inputs = dict(params.get("inputs") or {})
        self.worker_platforms = list(params["workerPlatforms"])
        self.command_line, self.deadline_ms = params.get("commandLine"), params.get("deadlineMs")
        if not isinstance(self.file_name, str) or not self.worker_platforms:
            raise ValueError("buildFile.name or workerPlatforms")

    @property
    def text(self):
        """The build file as text."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.content.count(b"\n", 0, error.start) + 1
            raise BuildError("%s:%d: not UTF-8" % (self.file_name, line))

    def named(self, prefix):
        """The options that begin with a prefix, without it: `build-arg:`, `label:`."""
        return {name[len(prefix):]: value for name, value in self.options.items() if name.startswith(prefix)}

    @property
    def args(self):
        """`--build-arg NAME=VALUE`."""
        return self.named("build-arg:")

    @property
    def target(self):
        return self.options.get("target") or None

    @property
    def platforms(self):
        """The platforms to build for."""
        wanted = [text.strip() for text in self.options.get("platform", "").split(",") if text.strip()]
        return [parse_platform(text) for text in wanted] or self.worker_platforms[:1]

    @property
    def platform(self):
        """The first of `platforms`."""
        return self.platforms[0]


class Result:
    """What came out: a tree (a `State` or a ref of `Session.solve`), its image config, and more platforms by `add`."""

    def __init__(self, tree=None, config=None, platform=None, metadata=None):
        self.parts, self.metadata, self.index = [], dict(metadata or {}), None
        if tree is not None:
            self.add(tree, config, platform)

    def add(self, tree, config=None, platform=None, metadata=None):
        """Adds one platform's tree and config (a dict, or the bytes of one)."""
        self.parts.append((tree, config, parse_platform(platform), metadata))
        return self

    def _message(self, session, request):
        refs = []
        for tree, config, platform, metadata in self.parts:
            if isinstance(config, dict):
                config = json.dumps(config, ensure_ascii=False, sort_keys=True).encode()
            platform = platform or request.platform
            ref = session.solve(tree, platform=platform) if isinstance(tree, State) else tree
            part = {"id": platform_id(platform), "ref": ref, "platform": platform, "config": config,
                    "metadata": _byte_values(metadata)}
            refs.append({name: value for name, value in part.items() if name == "ref" or value is not None})
        index = len(refs) > 1 if self.index is None else self.index
        return {"refs": refs, "index": index, "metadata": _byte_values(self.metadata)}


class Call:
    """A request on its way; `Session.open` makes it."""

    def __init__(self, session, id):
        self.session, self.id, self.answer, self.is_cancelled = session, id, None, False

    def result(self):
        """Waits for the answer and gives its result, or raises `RequestError`."""
        while self.answer is None:
            self.session._step()
        error = self.answer.get("error")
        if error is None and self.answer.get("isGivenUp"):
            raise RequestError("cancelled", "the engine gave a blob of its answer up", self.id)
        if error is None:
            return self.answer["result"]
        data = error.get("data") or {}
        kind = data.get("kind") or {-32601: "unsupported", -32602: "invalidParams"}.get(error.get("code"), "internal")
        raise RequestError(kind, error.get("message") or kind, self.id, data)

    def cancel(self):
        """Tells the engine that the answer is not needed; `result` raises `RequestError` of kind `cancelled` then."""
        if self.answer is None and not self.is_cancelled:
            self.is_cancelled = True
            self.session.notify("cancel", {"id": self.id})


_CAPABILITIES = {"releaseRef": "solve", "evaluate": "solve.evaluate", "readDir": "readFile", "stat": "readFile",
                 "frontend/solve": "frontend.solve"}


class ResolvedImage:
    """An image's tag looked up: `name` with digest, `digest`, `config` (a dict), `state` to build upon."""

    def __init__(self, name, digest, config, platform):
        self.name, self.digest, self.config = name, digest, config
        self.state = image(name, platform).configured(config)


class Session:
    """What a frontend may ask the engine. `capabilities` says what it offers; anything else fails as `unsupported`."""

    def __init__(self, hello, channel):
        self.capabilities, self.limits = frozenset(hello["capabilities"]), hello["limits"]
        self.llb = frozenset(hello.get("llb") or [])
        self.engine = hello["engine"]
        self.worker_platform = None
        self._channel, self._calls, self._next_id, self._build_id = channel, {}, 0, None

    # Any request

    def offers(self, method, params):
        """Whether the engine offers a request or notification."""
        name = _CAPABILITIES.get(method, method)
        if method == "resolveSource":
            scheme = params["identifier"].partition("://")[0]
            name = "resolveSource." + {"git": "git", "http": "http", "https": "http"}.get(scheme, "image")
        return name in self.capabilities or name == "log" or name == "cancel"

    def open(self, method, params):
        """Makes a request without waiting; `bytes` anywhere in `params` travel as blobs."""
        if not self.offers(method, params):
            raise RequestError("unsupported", "%s %s does not offer \"%s\"; a newer one may"
                               % (self.engine["name"], self.engine["version"], method))
        while len(self._calls) >= self.limits["inFlight"]:
            self._step()
        self._next_id += 1
        call = self._calls[self._next_id] = Call(self, self._next_id)
        try:
            self._channel.send({"id": call.id, "method": method, "params": params}, self.limits)
        except RequestError as error:
            del self._calls[call.id]
            error.request = None
            raise  # Nothing was sent.
        return call

    def call(self, method, params):
        """Makes a request and waits for its result."""
        return self.open(method, params).result()

    def notify(self, method, params):
        """Tells the engine something; what it does not show is not sent."""
        if not self.offers(method, params):
            return
        self._channel.send({"method": method, "params": params}, self.limits)

    def _step(self):
        """Takes one message of the engine."""
        message = self._channel.receive()
        if "method" in message:
            if "id" in message:
                self._channel.refuse(message, "unsupported", "one process does one build")
            elif message["method"] == "cancel" and (message.get("params") or {}).get("id") == self._build_id:
                raise Cancelled
            return
        call = self._calls.pop(message["id"], None)
        if call is None:
            raise ProtocolError("an answer to request %r, which is not open" % message["id"])
        call.answer = message

    # Graphs

    def solve(self, tree, platform=None, evaluate=False):
        """Makes a ref of a `State` or of LLB JSON (`{"def":…}`). Nothing runs until something reads it."""
        definition = tree.definition(platform or self.worker_platform) if isinstance(tree, State) else tree
        if not definition["def"]:
            return None
        params = {"definition": {"json": definition}, **({"evaluate": True} if evaluate else {})}
        return self.call("solve", params)["ref"]

    def _ref(self, tree):
        return self.solve(tree) if isinstance(tree, State) else tree

    def evaluate(self, tree):
        """Waits until a tree stands."""
        self.call("evaluate", {"ref": self._ref(tree)})

    def release(self, ref):
        self.call("releaseRef", {"ref": ref})

    # Files

    def read_file(self, tree, path, offset=0, length=None):
        """Bytes of a file, all of it by default."""
        ref, data = self._ref(tree), b""
        while length is None or len(data) < length:
            params = {"ref": ref, "path": path, "offset": offset + len(data)}
            if length is not None:
                params["length"] = length - len(data)
            answer = self.call("readFile", params)
            chunk = _bytes(answer["data"])
            data += chunk
            if answer["eof"] or not chunk:
                break
        return data

    def read_file_if_exists(self, tree, path):
        """Bytes of a file; None when there is none."""
        try:
            return self.read_file(tree, path)
        except RequestError as error:
            if error.kind != "notFound":
                raise
            return None

    def read_dir(self, tree, path, pattern=None):
        """File infos (dicts), ordered by the bytes of their names."""
        params = {"ref": self._ref(tree), "path": path, **({"pattern": pattern} if pattern else {})}
        return self.call("readDir", params)["entries"]

    def stat(self, tree, path, follow=False):
        """A file info."""
        return self.call("stat", {"ref": self._ref(tree), "path": path, "follow": follow})

    def read_context(self, path, local_name="context"):
        """Bytes of a file in the build's directory; None when there is none. Nothing else is looked at."""
        tree = local(local_name, follow=[path], shared_key_hint="%s-%s" % (local_name, path), differ="none",
                     name="[internal] load " + path)
        return self.read_file_if_exists(tree, path)

    def context(self, include=(), exclude=(), follow=()):
        """The build's directory as a `State`, without what its `.dockerignore` names."""
        ignored = (self.read_context(".dockerignore") or b"").decode("utf-8", "replace").splitlines()
        ignored = [line.strip() for line in ignored if line.strip() and not line.startswith("#")]
        patterns = [("!" if line.startswith("!") else "") + posixpath.normpath(line.lstrip("!").strip()).lstrip("/")
                    for line in ignored]
        return local("context", include, [*patterns, *exclude], follow, shared_key_hint="context",
                     name="[internal] load build context")

    # Sources

    def resolve_source(self, identifier, attributes=None, platform=None, mode=None, config=True, log_name=None):
        """What a source stands for now: the answer of `resolveSource` as it is."""
        params = {"identifier": identifier, "attributes": attributes or {}, "platform": parse_platform(platform),
                  "mode": mode, "config": config, "logName": log_name}
        return self.call("resolveSource", {name: value for name, value in params.items() if value is not None})

    def resolve_image(self, reference, platform=None, mode=None):
        """Looks an image's tag up and fetches its config."""
        platform = parse_platform(platform) or self.worker_platform
        answer = self.resolve_source("docker-image://" + full_reference(reference), platform=platform, mode=mode,
                                     log_name="[internal] load metadata for " + full_reference(reference))
        name, found = answer["identifier"].partition("://")[2], answer["image"]
        name = name if "@" in name else "%s@%s" % (name, found["digest"])
        return ResolvedImage(name, found["digest"], json.loads(_bytes(found["config"])), platform)

    def solve_frontend(self, name, options=None, inputs=None):
        """Runs another frontend; its result as of `build`."""
        return self.call("frontend/solve", {"name": name, "options": options or {}, "inputs": inputs or {}})

    # Telling

    def log(self, message, level="info"):
        self.notify("log", {"message": message, "level": level})

    def warn(self, message, file=None, line=None, **more):
        """Reports a weakness of the build file; `more`: `severity`, `code`, `detail`, `url`, `ranges`."""
        more.setdefault("severity", "warning")
        if line is not None:
            more["ranges"] = [{"startLine": line}]
        if file is not None:
            more["file"] = file
        self.notify("diagnostic", {"message": message, **more})

    def progress(self, id, name, current=None, total=None, completed=False):
        params = {"id": id, "name": name, "current": current, "total": total, "completed": completed}
        self.notify("progress", {name: value for name, value in params.items() if value is not None})


# The wire


def _bytes(value):
    if isinstance(value, (bytes, str)):
        return value.encode() if isinstance(value, str) else value
    raise ValueError("bytes are missing")


def _byte_values(values):
    return {name: value if isinstance(value, bytes) else value.encode() if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False).encode() for name, value in (values or {}).items()}


def _unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice in an object")
    return members


def _refuse_constant(text):
    raise ValueError("%s is no JSON" % text)


class _Channel:
    """Frames and messages on two descriptors."""

    def __init__(self, source, sink):
        self.source, self.sink, self.next_stream = source, sink, 1

    def _read(self, count, is_start=False):
        data = self.source.read(count)
        if len(data) < count:
            if is_start and not data:
                raise EOFError
            raise ProtocolError("stdin ends inside a frame")
        return data

    def _frame(self, is_start=False):
        length, stream = struct.unpack(">II", self._read(8, is_start))
        if length >= FRAME_LIMIT or stream >= 1 << 31:
            raise ProtocolError("a frame of %d bytes on stream %d" % (length, stream))
        return stream, self._read(length)

    def receive(self):
        """The next message, its blobs in their places as `bytes`."""
        stream, text = self._frame(is_start=True)
        if stream != 0:
            raise ProtocolError("a frame of stream %d where a message is due" % stream)
        try:
            message = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
            blobs = {}
            self._announced(message, blobs, 1)
        except (ValueError, RecursionError) as error:
            raise ProtocolError("a message that cannot be read: %s" % error)
        is_form = isinstance(message, dict) and (
            "result" in message) + ("error" in message) == (0 if "method" in message else 1)
        if not is_form or not isinstance(message.get("id", 1), int):
            raise ProtocolError("a message that is neither request, answer nor notification")
        waiting = {stream: size for stream, size in blobs.items() if size != 0}
        data = {stream: [] for stream in blobs}
        while waiting:
            stream, chunk = self._frame()
            if stream not in waiting:
                raise ProtocolError("a frame of stream %d, which is not announced" % stream)
            data[stream].append(chunk)
            if waiting[stream] is not None:
                waiting[stream] -= len(chunk)
                if waiting[stream] < 0:
                    raise ProtocolError("stream %d is longer than announced" % stream)
            if waiting[stream] == 0 or not chunk:
                if waiting.pop(stream):
                    data[stream] = None  # The engine gave the blob up.
        is_given_up = None in data.values()
        message = self._filled(message, {stream: None if parts is None else b"".join(parts)
                                         for stream, parts in data.items()})
        return {**message, "isGivenUp": True} if is_given_up else message

    @staticmethod
    def _is_blob(value):
        return isinstance(value, dict) and len(value) == 2 and "blob" in value and "size" in value

    def _announced(self, value, blobs, depth):
        if depth > 64:
            raise ValueError("objects and arrays stand more than 64 deep in each other")
        if self._is_blob(value):
            if not isinstance(value["blob"], int) or value["blob"] in blobs:
                raise ValueError("a malformed blob")
            blobs[value["blob"]] = value["size"]
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            if isinstance(inner, (dict, list)):
                self._announced(inner, blobs, depth + 1)

    def _filled(self, value, data):
        if self._is_blob(value):
            return data[value["blob"]]
        if isinstance(value, dict):
            return {name: self._filled(member, data) for name, member in value.items()}
        return [self._filled(element, data) for element in value] if isinstance(value, list) else value

    def send(self, message, limits):
        blobs = []

        def announced(value):
            if isinstance(value, (bytes, bytearray)):
                stream, self.next_stream = self.next_stream, (self.next_stream + 2) % (1 << 31)
                blobs.append((stream, value))
                return {"blob": stream, "size": len(value)}
            if isinstance(value, dict):
                return {name: announced(member) for name, member in value.items()}
            return [announced(element) for element in value] if isinstance(value, (list, tuple)) else value

        content = announced({"jsonrpc": "2.0", **message})
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        total = sum(len(data) for _, data in blobs)
        if len(text) > limits["message"] or total > limits["blob"]:
            raise RequestError("limit", "a message of %d bytes with %d bytes of blobs; the engine takes %d and %d"
                               % (len(text), total, limits["message"], limits["blob"]))
        self.sink.write(struct.pack(">II", len(text), 0) + text)
        for stream, data in blobs:
            for start in range(0, len(data), limits["frame"]):
                chunk = data[start:start + limits["frame"]]
                self.sink.write(struct.pack(">II", len(chunk), stream))
                self.sink.write(chunk)
        self.sink.flush()

    def answer(self, request, result, limits):
        try:
            self.send({"id": request["id"], "result": result}, limits)
        except RequestError as error:
            self.refuse(request, error.kind, str(error))

    def refuse(self, request, kind, message, data=None):
        code = {"unsupported": -32601, "invalidParams": -32602, "internal": -32603}.get(kind, -32000)
        message = message.encode("utf-8", "replace").decode()[:1 << 16]
        error = {"code": code, "message": message, "data": {**(data or {}), "kind": kind}}
        self.send({"id": request["id"], "error": error}, {"message": FRAME_LIMIT, "blob": 0, "frame": 1})


def _take_streams():
    """Moves the protocol off descriptors 0 and 1: nothing else of this process or its children can touch it then."""
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
    except OSError:
        os.close(0)
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")


def _initialize(channel, message, name, version, methods):
    """Answers `initialize`; gives the session, or None when there is no version in common."""
    params = message.get("params") or {}
    try:
        offered = [re.fullmatch(r"([0-9]{1,9})\.([0-9]{1,9})", text) for text in params["protocol"]]
        session = Session(params, channel)
        if not all(isinstance(session.limits[limit], int) for limit in ("frame", "message", "blob", "inFlight")):
            raise ValueError("limits")
    except (KeyError, TypeError, ValueError) as error:
        channel.refuse(message, "invalidParams", "\"initialize\" lacks or has a malformed member: %s" % error)
        return None
    common = [(int(match[1]), min(int(match[2]), PROTOCOL[int(match[1])]))
              for match in offered if match and int(match[1]) in PROTOCOL]
    if not common:
        spoken = ["%d.%d" % pair for pair in PROTOCOL.items()]
        channel.refuse(message, "incompatible", "speaks protocol %s, none of which the engine offers"
                       % ", ".join(spoken), {"supported": spoken})
        return None
    channel.answer(message, {"protocol": "%d.%d" % max(common), "frontend": {"name": name, "version": version},
                             "provides": sorted(methods)}, session.limits)
    return session


def _serve(channel, name, message, handler, session):
    """Answers one `build`, or another request about a build file."""
    session._build_id = message["id"]
    try:
        request = Request(message.get("params") or {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        channel.refuse(message, "invalidParams", "\"%s\" lacks or has a malformed member: %s"
                       % (message["method"], error))
        return
    session.worker_platform = request.worker_platforms[0]
    try:
        result = handler(request, session)
        if isinstance(result, State):
            result = Result(result)
        if isinstance(result, Result):
            result = result._message(session, request)
        if not isinstance(result, dict):
            raise TypeError("the handler gave %r, not a Result" % (result,))
        channel.answer(message, result, session.limits)
    except BuildError as error:
        if error.cause is None:
            channel.refuse(message, "buildFile", str(error))
        else:
            channel.refuse(message, error.cause.kind, str(error), _data(error.cause))
    except RequestError as error:
        channel.refuse(message, error.kind, str(error), _data(error))
    except Cancelled:
        channel.refuse(message, "cancelled", "the build was given up")
    except (EOFError, ProtocolError, BrokenPipeError):
        raise
    except Exception as error:  # A defect of the frontend: its author needs the traceback, its user one line.
        traceback.print_exc()
        channel.refuse(message, "internal", "%s: %s: %s" % (name, type(error).__name__, error))


def _data(error):
    return {**error.data, **({} if error.request is None else {"request": error.request})}


def main(name, version, build, methods=None):
    """Runs the frontend until the engine closes stdin; never returns.

    `build(request, session)` gives a `Result`. `methods`: functions of the same form by the names of further methods
    (`describe/targets`, `lint`, …), which give the result as a dict.
    """
    methods = dict(methods or {})
    if os.isatty(0):
        print("%s %s is a frontend for an image builder; it is started by one, not by hand" % (name, version),
              file=sys.stderr)
        sys.exit(64)
    source, sink = _take_streams()
    channel = _Channel(source, sink)
    if os.environ.get("FRONTEND_WAIT") == "1":
        print("process %d waits: attach a debugger, then kill -CONT %d" % (os.getpid(), os.getpid()), file=sys.stderr)
        os.kill(os.getpid(), signal.SIGSTOP)
    session, is_done, status = None, False, 0
    try:
        while True:
            message = channel.receive()
            method = message.get("method")
            if method is None:
                raise ProtocolError("an answer to request %r, which is not open" % message["id"])
            if "id" not in message:
                continue
            unknown = (message.get("params") or {}).get("mustUnderstand") or []
            if unknown:
                channel.refuse(message, "unsupported", "does not understand %s" % ", ".join(map(str, unknown)))
            elif method == "initialize" and session is None:
                session = _initialize(channel, message, name, version, methods)
            elif method != "build" and method not in methods:
                channel.refuse(message, "unsupported", "no method \"%s\" in this frontend" % method)
            elif session is None:
                channel.refuse(message, "invalidParams", "\"%s\" before \"initialize\"" % method)
            elif is_done:
                channel.refuse(message, "unsupported", "one process does one build")
            else:
                is_done = True
                _serve(channel, name, message, build if method == "build" else methods[method], session)
    except (EOFError, BrokenPipeError):
        pass
    except ProtocolError as error:
        print("%s: the engine broke the protocol: %s" % (name, error), file=sys.stderr)
        status = 76
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # Threads the frontend started must not keep the process.
