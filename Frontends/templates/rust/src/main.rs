//! Each line "PATH TEXT" of the build file becomes a file of the image. Make it your own format.
mod frontend;
use frontend::{object, scratch, strings, Error, Json, Request, Session};

fn build(session: &mut Session, request: &Request) -> Result<Json, Error> {
    let mut tree = scratch();
    for (index, line) in request.text()?.lines().enumerate() {
        let (path, text) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        if path.is_empty() || path.starts_with('#') {
            continue;
        }
        let Some((directory, _)) = path.rsplit_once('/').filter(|_| path.starts_with('/') && path != "/") else {
            return Err(Error::new(format!("{}:{}: expected an absolute path and a text", request.file_name, index + 1)));
        };
        tree = tree.mkdir(if directory.is_empty() { "/" } else { directory }, 0o755);
        tree = tree.mkfile(path, format!("{text}\n").as_bytes(), 0o644);
    }
    session.result(request, &tree, object([("Cmd", strings(["sh"]))]))
}

fn main() {
    frontend::main("{{NAME}}", "0.1.0", build)
}
