// SPDX-License-Identifier: Apache-2.0

import Testing

/// One of the packages of `dev/build-examples`: a build file, and what must come of it.
struct Example: Sendable, CustomTestStringConvertible {
    let name: String
    let fileName: String
    let file: String
    var options: [String] = []
    /// Files of the build's directory.
    var context: [String: String] = [:]
    /// Contents of regular files of the image.
    let tree: [String: String]
    /// Permission bits.
    var modes: [String: UInt32] = [:]
    /// Members of the image config's `config`, as JSON.
    var config = "{}"
    /// A build file that is refused, and a part of the message.
    let wrong: (file: String, message: String)

    var testDescription: String { name }

    static let all: [Example] = [
        Example(
            name: "bash",
            fileName: "app.conf",
            file: "# services\n[/etc/app/app.conf]\nlisten = 8080\n[/etc/app/secret.conf 600]\ntoken = none\n",
            tree: ["etc/app/app.conf": "listen = 8080\n", "etc/app/secret.conf": "token = none\n"],
            modes: ["etc/app/app.conf": 0o644, "etc/app/secret.conf": 0o600],
            wrong: ("[/a]\nx\n[b]\n", "app.conf:3: expected [/absolute/path]")
        ),
        Example(
            name: "c",
            fileName: "app.tmpfiles",
            file: "d /var/lib/app 0750 1000:1000\nf /etc/motd 0640 0:0 hello there\nL /data - - /var/lib/app\n",
            options: ["--build-arg", "UNUSED=1"],
            tree: ["etc/motd": "hello there\n"],
            modes: ["etc/motd": 0o640, "var/lib/app": 0o750],
            wrong: ("# fine\nf etc/motd\n", "app.tmpfiles:2: expected: KIND /PATH")
        ),
        Example(
            name: "go",
            fileName: "Procfile",
            file: "web: ./serve\nworker: ./work --all\n",
            options: ["--target", "worker"],
            context: ["serve": "#!/bin/sh\n", "lib/a": "a"],
            tree: ["app/serve": "#!/bin/sh\n", "app/lib/a": "a"],
            config: #"{"Cmd": ["/bin/sh", "-c", "exec ./work --all"], "WorkingDir": "/app"}"#,
            wrong: ("web: ./serve\n\nweb: ./again\n", "Procfile:3: expected a new")
        ),
        Example(
            name: "node",
            fileName: "image.json",
            file:
                #"{"workdir": "/app", "copy": {"src/": "/app/"}, "files": {"/etc/motd": "hi\n"}, "cmd": ["./serve"]}"#,
            context: ["src/serve": "#!/bin/sh\n", "src/.env": "x", ".dockerignore": "**/.env\n"],
            tree: ["app/serve": "#!/bin/sh\n", "etc/motd": "hi\n"],
            config: #"{"Cmd": ["./serve"], "WorkingDir": "/app"}"#,
            wrong: ("{\n  \"cmd\": [\n", "image.json:")
        ),
        Example(
            name: "perl",
            fileName: "Appfile",
            file: "copy app /srv/app\nwrite /etc/motd hello\ncmd /srv/app/serve --port 80\n",
            context: ["app/serve": "#!/bin/sh\n"],
            tree: ["srv/app/serve": "#!/bin/sh\n", "etc/motd": "hello\n"],
            config: #"{"Cmd": ["/srv/app/serve", "--port", "80"]}"#,
            wrong: ("cmd a\nbase scratch\nbase again\n", "Appfile:3: expected base")
        ),
        Example(
            name: "python",
            fileName: "notes.site",
            file: "title: Notes\npages: docs\n",
            context: [
                "docs/index.md": "# *All* notes\n\n- [one](one.html)\n", "docs/one.md": "A & b.\n", "x.md": "no",
            ],
            tree: [
                "srv/www/index.html": """
                <!doctype html>
                <meta charset=utf-8>
                <title>Notes: index</title>
                <h1><em>All</em> notes</h1>
                <ul><li><a href="one.html">one</a></li></ul>

                """,
                "srv/www/one.html": """
                <!doctype html>
                <meta charset=utf-8>
                <title>Notes: one</title>
                <p>A &amp; b.</p>

                """,
            ],
            config: #"{"Cmd": ["httpd", "-f", "-h", "/srv/www"]}"#,
            wrong: ("title: Notes\ncolour: red\n", "notes.site:2: expected one of title, pages, base")
        ),
        Example(
            name: "ruby",
            fileName: "app.steps",
            file: """
                base scratch
                copy app /srv/app
                write /etc/motd hello  there
                env NAME=value
                user 1000:1000
                cmd /srv/app/serve --port 80

                """,
            context: ["app/serve": "#!/bin/sh\n"],
            tree: ["srv/app/serve": "#!/bin/sh\n", "etc/motd": "hello  there\n"],
            config: """
                {"Cmd": ["/srv/app/serve", "--port", "80"], "User": "1000:1000", \
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "NAME=value"]}
                """,
            wrong: ("base scratch\n  copy one\n", "app.steps:2:8: this is not of the form `copy SOURCE /DEST`")
        ),
        Example(
            name: "rust",
            fileName: "crontab",
            file: "SHELL=/bin/sh\n15 3 * * 1-5 backup\n*/10 * * * * check\n",
            tree: ["etc/crontabs/root": "SHELL=/bin/sh\n15 3 * * 1-5 backup\n*/10 * * * * check\n"],
            modes: ["etc/crontabs/root": 0o600],
            config: #"{"Cmd": ["crond", "-f"]}"#,
            wrong: ("# jobs\n61 * * * * late\n", "crontab:2: minute \"61\" is not within 0 to 59")
        ),
        Example(
            name: "swift",
            fileName: "app.env",
            file: "# service\nexport PORT=8080\nGREETING=\"hello, you\"\n",
            tree: ["etc/environment": "PORT=8080\nGREETING=hello, you\n"],
            config: #"{"Env": ["PORT=8080", "GREETING=hello, you"]}"#,
            wrong: ("A=1\n2B=3\n", "app.env:2: expected NAME=VALUE")
        ),
        Example(
            name: "filter",
            fileName: "files.json",
            file: #"{"/greeting": "hello", "/farewell": "goodbye"}"#,
            tree: ["greeting": "hello\n", "farewell": "goodbye\n"],
            config: #"{"Labels": {"example.files": "2"}}"#,
            wrong: ("[1]", "expected an object of paths and texts")
        ),
    ]
}
