// SPDX-License-Identifier: Apache-2.0
//! The frontend of testing/test_session.py: the first word of the build file says what to do.
mod frontend;
use frontend::{image, object, scratch, strings, text, Error, Json, Request, Session};

fn build(session: &mut Session, request: &Request) -> Result<Json, Error> {
    let word = String::from_utf8_lossy(&request.content).split(' ').next().unwrap_or("").to_string();
    let root = || object([("ref", Json::Null), ("path", text("/"))]);
    match word.as_str() {
        "print" => {
            println!("goes to stderr");
            let _ = std::process::Command::new("sh").args(["-c", "echo a child prints; cat"]).status();
            let tree = scratch().mkfile("/x", &request.content, 0o644);
            session.result(request, &tree, object([("Cmd", strings(["sh"]))]))
        }
        "read" => {
            let big = session.read_context(request, "big")?.unwrap_or_default();
            let missing = session.read_context(request, "missing")?;
            if big.len() != 800_000 || missing.is_some() {
                return Err(Error::new("read something else"));
            }
            session.result(request, &scratch(), object([]))
        }
        "deep" => {
            let tree = (0..5000).fold(image("alpine"), |tree, count| tree.mkdir(&format!("/{count}"), 0o755));
            session.result(request, &tree, object([]))
        }
        "fail" => Err(Error::new("Buildfile:3: no such word")),
        "text" => request.text().map(|_| Json::Null),
        "crash" => panic!("a defect of acme/test"),
        "make" => session.result(request, &scratch().mkdir("/a", 0o755), object([])),
        "large" => session.result(request, &scratch().mkfile("/a", &[b'x'; 10_000], 0o644), object([])),
        "stat" => session.call("stat", "readFile", root()),
        "wrap" => session.call("stat", "readFile", root()).map_err(|mut error| {
            error.message = "Buildfile:1: gone".to_string();
            error
        }),
        _ => Err(Error::new("no such deed")),
    }
}

fn main() {
    frontend::main("acme/test", "1.2.3", build)
}
