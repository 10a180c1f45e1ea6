// SPDX-License-Identifier: Apache-2.0
//! A crontab that is checked before it is an image: the file goes to /etc/crontabs/root, `--build-arg BASE=image` names what
//! to stand on, and the image starts crond.
mod frontend;
use frontend::{image, object, scratch, strings, Error, Json, Request, Session};

const FIELDS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7)];

/// Whether one element of a field, as `*`, `5`, `1-5` or `*/15`, is within its bounds.
fn fits(element: &str, low: u32, high: u32) -> bool {
    let (range, step) = element.split_once('/').unwrap_or((element, "1"));
    let is_step = step.parse::<u32>().is_ok_and(|step| step > 0);
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| (low..=high).contains(number));
    is_step && match range.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
        None => range == "*" || number(range).is_some(),
    }
}

fn check(line: &str) -> Result<(), String> {
    let mut words = line.split_whitespace();
    for (name, low, high) in FIELDS {
        let field = words.next().ok_or(format!("no {name}"))?;
        if let Some(wrong) = field.split(',').find(|element| !fits(element, low, high)) {
            return Err(format!("{name} \"{wrong}\" is not within {low} to {high}"));
        }
    }
    words.next().map(|_| ()).ok_or("no command".to_string())
}

fn build(session: &mut Session, request: &Request) -> Result<Json, Error> {
    let mut count = 0;
    for (index, line) in request.text()?.lines().enumerate() {
        let line = line.trim();
        let is_variable = line.split('=').next().is_some_and(|name| !name.contains(' ') && name.len() < line.len());
        if line.is_empty() || line.starts_with('#') || is_variable {
            continue;
        }
        check(line).map_err(|reason| Error::new(format!("{}:{}: {reason}", request.file_name, index + 1)))?;
        count += 1;
    }
    if count == 0 {
        return Err(Error::new(format!("{}: no job in it", request.file_name)));
    }
    let base = request.options.get("build-arg:BASE").as_text();
    let tree = if base.is_empty() { scratch() } else { image(base) };
    let tree = tree.mkdir("/etc/crontabs", 0o755).mkfile("/etc/crontabs/root", &request.content, 0o600);
    session.result(request, &tree, object([("Cmd", strings(["crond", "-f"]))]))
}

fn main() {
    frontend::main("example/cron", "1.0.0", build)
}
