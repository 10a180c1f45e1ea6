// SPDX-License-Identifier: Apache-2.0

/// The keys of a spec.
///
/// `Frontends/yaml/schema` lists the same ones for editors; a test compares them.
package enum SpecKeys {
    /// At the top of a file, besides those that begin with `x-`.
    package static let spec = ["include", "variables", "default", "labels", "stages", "images"]
    package static let variable = ["description", "type", "default", "required", "pattern", "one-of"]
    package static let stage = [
        "base", "platform", "description", "env", "build-env", "shell", "workdir", "packages", "users", "files",
        "steps",
    ]
    package static let image =
        stage + [
            "platforms", "matrix", "user", "entrypoint", "cmd", "labels", "ports", "volumes", "healthcheck",
            "stop-signal",
        ]
    /// Each kind of step, with its keys besides its own, `name` and `when`.
    package static let steps: [String: [String]] = [
        "run": [
            "workdir", "user", "shell", "env", "inputs", "caches", "secrets", "ssh", "tmpfs", "network", "always",
        ],
        "copy": ["from", "to", "mode", "owner", "exclude", "parents"],
        "content": ["to", "mode", "owner", "expand"],
        "download": ["to", "checksum", "mode", "owner", "unpack"],
        "clone": ["to", "mode", "owner", "exclude"],
        "directory": ["mode", "owner"],
        "symlink": ["target"],
        "remove": [], "packages": [], "env": [], "workdir": [],
    ]
}
