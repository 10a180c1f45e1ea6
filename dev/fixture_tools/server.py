# SPDX-License-Identifier: Apache-2.0
"""What a fixture's build finds on the web: files and git repositories on loopback."""
import contextlib
import http.server
import os
import pathlib
import shutil
import subprocess
import threading

DATE = "2020-01-02T03:04:05Z"


@contextlib.contextmanager
def serving(fixture, options, scratch):
    """Yields the server's address, or None when the fixture needs no server."""
    files = options.get("serve")
    repositories = options.get("repositories", {})
    if files is None and not repositories:
        yield None
        return
    root = pathlib.Path(scratch, "repositories")
    for name, folder in repositories.items():
        make_repository(root / f"{name}.git", fixture / folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path, _, query = self.path.partition("?")
            if ".git/" in path:
                self.answer_git(path, query)
                return
            file = fixture / (files or ".") / path.lstrip("/")
            if file.is_file():
                self.answer(200, [], file.read_bytes())
            else:
                self.answer(404, [], b"")

        do_HEAD = do_POST = do_GET

        def answer(self, status, headers, body):
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def answer_git(self, path, query):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            environment = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1",
                "HOME": "/nonexistent", "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1",
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
            }
            run = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
            head, _, content = run.stdout.partition(b"\r\n\r\n")
            headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
            status = next((int(value[:3]) for name, value in headers if name == "Status"), 200)
            self.answer(status, [(name, value) for name, value in headers if name != "Status"], content)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def make_repository(path, folder):
    """One commit of the folder's files on the branch main, and the tag v1; always with the same digest."""
    work = path.with_suffix(".work")
    shutil.copytree(folder, work)

    def git(*arguments):
        environment = dict(os.environ, GIT_COMMITTER_DATE=DATE, GIT_AUTHOR_DATE=DATE)
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(work), *identity, *arguments], env=environment, check=True, capture_output=True)

    git("init", "--quiet", "-b", "main", ".")
    git("add", "--all")
    git("commit", "--quiet", "-m", "change")
    git("tag", "v1")
    (work / ".git").rename(path)
