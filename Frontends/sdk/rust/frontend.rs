// SPDX-License-Identifier: Apache-2.0
//! Write a frontend in Rust. One file, nothing but the standard library: copy it beside yours, `mod frontend;`.
//!
//!     fn build(session: &mut Session, request: &Request) -> Result<Json, Error> {
//!         let tree = image("alpine:3.20").sh(&format!("apk add --no-cache {}", request.text()?));
//!         session.result(request, &tree, object([("Cmd", strings(["sh"]))]))
//!     }
//!
//!     fn main() {
//!         frontend::main("acme/packages", "1.0.0", build)
//!     }
//!
//! `main` takes stdin and stdout over: what anything else prints goes to stderr. It speaks frontend protocol 1.0, whose text
//! stands in Protocol/SPEC.md. Linux only.
#![allow(dead_code)]

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;

const FRAME_LIMIT: usize = 1 << 24;
const DEPTH_LIMIT: usize = 64;

// --- JSON

/// A JSON value. `Bytes` travel as blobs, and come as such; numbers keep their text.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

pub fn text(value: impl Into<String>) -> Json {
    Json::Text(value.into())
}

pub fn number(value: i64) -> Json {
    Json::Number(value.to_string())
}

pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

pub fn strings<'a>(elements: impl IntoIterator<Item = &'a str>) -> Json {
    Json::Array(elements.into_iter().map(text).collect())
}

impl Json {
    /// A member of an object, an element by its number; `Null` when there is none.
    pub fn get(&self, name: &str) -> &Json {
        match self {
            Json::Object(members) => members.iter().find(|(key, _)| key == name).map_or(&Json::Null, |(_, value)| value),
            Json::Array(elements) => name.parse().ok().and_then(|index: usize| elements.get(index)).unwrap_or(&Json::Null),
            _ => &Json::Null,
        }
    }

    pub fn as_text(&self) -> &str {
        if let Json::Text(value) = self { value } else { "" }
    }

    pub fn as_number(&self) -> i64 {
        if let Json::Number(value) = self { value.parse().unwrap_or(0) } else { 0 }
    }

    pub fn elements(&self) -> &[Json] {
        if let Json::Array(elements) = self { elements } else { &[] }
    }

    /// Adds or replaces a member.
    pub fn set(mut self, name: &str, value: Json) -> Json {
        if let Json::Object(members) = &mut self {
            members.retain(|(key, _)| key != name);
            members.push((name.to_string(), value));
        }
        self
    }

    /// Reads one object, strictly.
    pub fn parse(bytes: &[u8]) -> Option<Json> {
        let mut reader = Reader { text: std::str::from_utf8(bytes).ok()?, at: 0 };
        let value = reader.value(1)?;
        reader.space();
        (reader.at == bytes.len() && matches!(value, Json::Object(_))).then_some(value)
    }

    fn write(&self, out: &mut String) {
        let comma = |out: &mut String, index: usize| if index > 0 { out.push(',') };
        match self {
            Json::Null | Json::Bytes(_) => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(value) => out.push_str(value),
            Json::Text(value) => {
                out.push('"');
                for character in value.chars() {
                    match character {
                        '"' | '\\' => out.extend(['\\', character]),
                        '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", character as u32)),
                        _ => out.push(character),
                    }
                }
                out.push('"');
            }
            Json::Array(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    comma(out, index);
                    element.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    comma(out, index);
                    text(name.as_str()).write(out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    pub fn encoded(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// The value with some of its parts replaced, in the order of the text.
    fn replacing(&self, replace: &mut impl FnMut(&Json) -> Option<Json>) -> Json {
        if let Some(other) = replace(self) {
            return other;
        }
        match self {
            Json::Array(elements) => Json::Array(elements.iter().map(|element| element.replacing(replace)).collect()),
            Json::Object(members) => {
                Json::Object(members.iter().map(|(name, value)| (name.clone(), value.replacing(replace))).collect())
            }
            _ => self.clone(),
        }
    }

    /// Stream and size of an announcement; no size is an unknown one.
    fn announcement(&self) -> Option<(u32, Option<usize>)> {
        match self {
            Json::Object(members) if members.len() == 2 => {}
            _ => return None,
        }
        let (Json::Number(stream), Json::Object(members)) = (self.get("blob"), self) else { return None };
        members.iter().find(|(name, _)| name == "size")?;
        let size = if let Json::Number(size) = self.get("size") { Some(size.parse().ok()?) } else { None };
        Some((stream.parse().ok()?, size))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    /// Whether one more element comes; takes the comma before it or the end of the list.
    fn more(&mut self, is_first: bool, end: &str) -> Option<bool> {
        self.space();
        if self.take(end).is_some() {
            return Some(false);
        }
        if !is_first {
            self.take(",")?;
            self.space();
        }
        Some(true)
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.space();
        match self.peek()? {
            b'{' | b'[' if depth > DEPTH_LIMIT => None,
            b'{' => {
                self.at += 1;
                let mut members: Vec<(String, Json)> = Vec::new();
                while self.more(members.is_empty(), "}")? {
                    let name = self.string()?;
                    self.space();
                    self.take(":")?;
                    if members.iter().any(|(other, _)| *other == name) {
                        return None;
                    }
                    members.push((name, self.value(depth + 1)?));
                }
                Some(Json::Object(members))
            }
            b'[' => {
                self.at += 1;
                let mut elements = Vec::new();
                while self.more(elements.is_empty(), "]")? {
                    elements.push(self.value(depth + 1)?);
                }
                Some(Json::Array(elements))
            }
            b'"' => self.string().map(Json::Text),
            b't' => self.take("true").map(|_| Json::Bool(true)),
            b'f' => self.take("false").map(|_| Json::Bool(false)),
            b'n' => self.take("null").map(|_| Json::Null),
            _ => {
                let start = self.at;
                while matches!(self.peek(), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
                    self.at += 1;
                }
                let digits = &self.text[start..self.at];
                let has_zeros = digits.trim_start_matches('-').starts_with('0') && digits.trim_start_matches('-').len() > 1;
                let is_number = digits.parse::<f64>().is_ok() && !digits.starts_with('+');
                (is_number && (!has_zeros || digits.contains(['.', 'e', 'E']))).then(|| Json::Number(digits.into()))
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut out = String::new();
        loop {
            let character = self.text[self.at..].chars().next()?;
            self.at += character.len_utf8();
            match character {
                '"' => return Some(out),
                '\0'..='\x1f' => return None,
                '\\' => {
                    let escape = self.peek()?;
                    self.at += 1;
                    out.push(match escape {
                        b'n' => '\n',
                        b't' => '\t',
                        b'r' => '\r',
                        b'b' => '\x08',
                        b'f' => '\x0c',
                        b'"' | b'\\' | b'/' => escape as char,
                        b'u' => {
                            let first = self.hexadecimal()?;
                            if (0xd800..0xdc00).contains(&first) {
                                self.take("\\u")?;
                                let second = self.hexadecimal()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                                char::from_u32(0x10000 + ((first - 0xd800) << 10) + second)?
                            } else {
                                char::from_u32(first)?
                            }
                        }
                        _ => return None,
                    });
                }
                _ => out.push(character),
            }
        }
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

// --- The graph

/// A file tree that may not exist yet, and the settings of steps on it. It never changes: methods give a new one.
#[derive(Clone, Default)]
pub struct Tree {
    vertex: Option<Rc<Vertex>>,
    env: Vec<String>,
    dir: String,
}

struct Vertex {
    operation: Json,
    has_platform: bool,
    inputs: Vec<Tree>,
    name: String,
}

impl Drop for Vertex {
    /// Takes a chain of thousands of steps apart without recursion.
    fn drop(&mut self) {
        let mut waiting: Vec<Tree> = std::mem::take(&mut self.inputs);
        while let Some(tree) = waiting.pop() {
            if let Some(Ok(mut vertex)) = tree.vertex.map(Rc::try_unwrap) {
                waiting.append(&mut vertex.inputs);
            }
        }
    }
}

/// The empty tree.
pub fn scratch() -> Tree {
    Tree::default()
}

/// A source by its identifier and attributes.
pub fn source(identifier: &str, attributes: Json, name: &str) -> Tree {
    let body = object([("identifier", text(identifier)), ("attrs", attributes)]);
    let has_platform = identifier.starts_with("docker-image://");
    scratch().onto(object([("source", body)]), Vec::new(), has_platform, name)
}

/// The tree of an image: `alpine:3.20`, `ghcr.io/acme/app@sha256:…`.
pub fn image(reference: &str) -> Tree {
    source(&format!("docker-image://{}", full_reference(reference)), object([]), "")
}

/// A directory of the user: `context`, or `dockerfile` for the one that holds the build file; only `follow`, if not empty.
pub fn local(name: &str, follow: &[&str]) -> Tree {
    let list = strings(follow.iter().copied()).encoded();
    let attributes = if follow.is_empty() { object([]) } else { object([("local.followpaths", text(list))]) };
    source(&format!("local://{name}"), attributes, "")
}

impl Tree {
    fn onto(&self, operation: Json, inputs: Vec<Tree>, has_platform: bool, name: &str) -> Tree {
        let vertex = Vertex { operation, has_platform, inputs, name: name.to_string() };
        Tree { vertex: Some(Rc::new(vertex)), ..self.clone() }
    }

    /// Sets a variable for steps.
    pub fn env(mut self, name: &str, value: &str) -> Tree {
        self.env.retain(|entry| !entry.starts_with(&format!("{name}=")));
        self.env.push(format!("{name}={value}"));
        self
    }

    /// Sets the absolute directory of steps.
    pub fn dir(mut self, path: &str) -> Tree {
        self.dir = path.to_string();
        self
    }

    /// Runs a program; gives the root afterwards.
    pub fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>, name: &str) -> Tree {
        let cwd = if self.dir.is_empty() { "/" } else { &self.dir };
        let env = strings(self.env.iter().map(String::as_str));
        let meta = object([("args", strings(args)), ("env", env), ("cwd", text(cwd))]);
        let input = if self.vertex.is_some() { 0 } else { -1 };
        let root = object([("dest", text("/")), ("input", number(input)), ("output", number(0))]);
        let body = object([("meta", meta), ("mounts", Json::Array(vec![root]))]);
        let inputs = self.vertex.iter().map(|_| self.clone()).collect();
        self.onto(object([("exec", body)]), inputs, true, name)
    }

    /// Runs a script with `/bin/sh -c`.
    pub fn sh(&self, script: &str) -> Tree {
        self.run(["/bin/sh", "-c", script], "")
    }

    fn change(&self, kind: &str, members: Json, from: Option<&Tree>) -> Tree {
        let mut inputs: Vec<Tree> = Vec::new();
        let mut index = |tree: &Tree| match tree.vertex {
            None => -1,
            Some(_) => {
                inputs.push(tree.clone());
                inputs.len() as i64 - 1
            }
        };
        let (base, second) = (index(self), from.map_or(-1, &mut index));
        let action = object([("input", number(base)), ("secondaryInput", number(second)), ("output", number(0)),
            (kind, members.set("timestamp", number(-1)))]);
        self.onto(object([("file", object([("actions", Json::Array(vec![action]))]))]), inputs, false, "")
    }

    /// Writes a file.
    pub fn mkfile(&self, path: &str, data: &[u8], mode: i64) -> Tree {
        let members = object([("path", text(path)), ("mode", number(mode & 0o777)), ("data", text(base64(data)))]);
        self.change("mkfile", members, None)
    }

    /// Makes a directory and those above it.
    pub fn mkdir(&self, path: &str, mode: i64) -> Tree {
        let members = object([("path", text(path)), ("mode", number(mode & 0o777)), ("makeParents", Json::Bool(true))]);
        self.change("mkdir", members, None)
    }

    /// Copies a path of another tree; directories above the destination are made.
    pub fn copy(&self, from: &Tree, path: &str, to: &str) -> Tree {
        let members = object([("src", text(path)), ("dest", text(to)), ("mode", number(-1)),
            ("createDestPath", Json::Bool(true))]);
        self.change("copy", members, Some(from))
    }

    /// The graph as the engine takes it, `{"def":…}`; `platform` is where steps run.
    pub fn definition(&self, platform: &Json) -> Json {
        let Some(last) = &self.vertex else { return object([("def", object([]))]) };
        let mut names: HashMap<*const Vertex, String> = HashMap::new();
        let (mut def, mut metadata, mut stack) = (Vec::new(), Vec::new(), vec![last.clone()]);
        while let Some(top) = stack.last().cloned() {
            let vertices = || top.inputs.iter().filter_map(|tree| tree.vertex.clone());
            let waiting: Vec<_> = vertices().filter(|input| !names.contains_key(&Rc::as_ptr(input))).collect();
            if !names.contains_key(&Rc::as_ptr(&top)) && !waiting.is_empty() {
                stack.extend(waiting.into_iter().rev());
                continue;
            }
            stack.pop();
            if names.contains_key(&Rc::as_ptr(&top)) {
                continue;
            }
            let edges = vertices().map(|input| object([("digest", text(names[&Rc::as_ptr(&input)].as_str()))])).collect();
            let mut operation = top.operation.clone().set("inputs", Json::Array(edges));
            if top.has_platform {
                let member = |name: &str| text(platform.get(name).as_text());
                operation = operation.set("platform", object([("OS", member("os")), ("Architecture", member("architecture")),
                    ("Variant", member("variant"))]));
            }
            let name = format!("op{}", names.len() + 1);
            if !top.name.is_empty() {
                let description = object([("llb.customname", text(top.name.as_str()))]);
                metadata.push((name.clone(), object([("description", description)])));
            }
            def.push((name.clone(), operation));
            names.insert(Rc::as_ptr(&top), name);
        }
        let edge = object([("digest", text(names[&Rc::as_ptr(last)].as_str()))]);
        def.push(("result".to_string(), object([("inputs", Json::Array(vec![edge]))])));
        object([("def", Json::Object(def)), ("metadata", Json::Object(metadata))])
    }
}

pub fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in data.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0u32, |bits, (index, byte)| bits | (*byte as u32) << (16 - 8 * index));
        for digit in 0..4 {
            let is_padding = digit > chunk.len();
            out.push(if is_padding { '=' } else { DIGITS[(bits >> (18 - 6 * digit)) as usize & 63] as char });
        }
    }
    out
}

/// An image's whole name: `alpine` is `docker.io/library/alpine:latest`.
pub fn full_reference(reference: &str) -> String {
    let full = match reference.split_once('/') {
        None => format!("docker.io/library/{reference}"),
        Some((head, _)) if head.contains(['.', ':']) || head == "localhost" => reference.to_string(),
        Some(_) => format!("docker.io/{reference}"),
    };
    let name = full.split('@').next().unwrap_or("").rsplit('/').next().unwrap_or("");
    if full.contains('@') || name.contains(':') { full.clone() } else { format!("{full}:latest") }
}

// --- The session

/// Why a build ends. `Error::new` is about the build file; the user reads its message as it is.
#[derive(Debug)]
pub struct Error {
    pub kind: String,
    pub message: String,
    data: Json,
}

impl Error {
    pub fn new(message: impl Into<String>) -> Error {
        Error::of("buildFile", message)
    }

    fn of(kind: &str, message: impl Into<String>) -> Error {
        Error { kind: kind.to_string(), message: message.into(), data: object([]) }
    }
}

/// A build.
pub struct Request {
    pub file_name: String,
    pub content: Vec<u8>,
    pub options: Json,
    pub inputs: Json,
    /// Where to build for, as the engine writes it.
    pub platform: Json,
}

impl Request {
    fn new(params: &Json) -> Option<Request> {
        let file = params.get("buildFile");
        let content = match file.get("content") {
            Json::Bytes(bytes) => bytes.clone(),
            Json::Text(text) => text.clone().into_bytes(),
            _ => return None,
        };
        let Json::Text(file_name) = file.get("name") else { return None };
        let worker = params.get("workerPlatforms").get("0");
        let wanted = params.get("options").get("platform").as_text().split(',').next().unwrap_or("");
        let parts: Vec<&str> = wanted.split('/').collect();
        let platform = match parts[..] {
            [os, architecture] => object([("os", text(os)), ("architecture", text(architecture))]),
            [os, architecture, variant] => {
                object([("os", text(os)), ("architecture", text(architecture)), ("variant", text(variant))])
            }
            _ => worker.clone(),
        };
        matches!(platform, Json::Object(_)).then(|| Request { file_name: file_name.clone(), content,
            options: params.get("options").clone(), inputs: params.get("inputs").clone(), platform })
    }

    /// The build file as text.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.content).map_err(|_| Error::new(format!("{}: not UTF-8", self.file_name)))
    }
}

/// What a frontend may ask the engine. What it does not offer fails as `unsupported`.
pub struct Session {
    name: String,
    input: BufReader<File>,
    output: File,
    hello: Json,
    limits: (usize, usize, usize),
    next_id: i64,
    next_stream: u32,
    work: Option<i64>,
}

impl Session {
    fn broken(&self, reason: &str) -> ! {
        leave(76, &format!("{}: the engine broke the protocol: {reason}", self.name))
    }

    fn frame(&mut self, is_start: bool) -> (u32, Vec<u8>) {
        let mut header = [0u8; 8];
        let mut count = 0;
        while count < 8 {
            match self.input.read(&mut header[count..]) {
                Ok(0) | Err(_) if count == 0 && is_start => std::process::exit(0), // The end of stdin is the sign to go.
                Ok(0) | Err(_) => self.broken("stdin ends inside a message"),
                Ok(more) => count += more,
            }
        }
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (length, stream) = (word(0) as usize, word(4));
        if length >= FRAME_LIMIT || stream >= 1 << 31 {
            self.broken("no frame");
        }
        let mut payload = vec![0; length];
        if self.input.read_exact(&mut payload).is_err() {
            self.broken("stdin ends inside a frame");
        }
        (stream, payload)
    }

    /// The next message, blobs in their places; a blob that was given up is null, and `isGivenUp` tells.
    fn receive(&mut self) -> Json {
        let (stream, payload) = self.frame(true);
        let message = Json::parse(&payload).unwrap_or(Json::Null);
        let count = ["method", "result", "error"].iter().filter(|name| message.get(name) != &Json::Null).count();
        let has_id = matches!(message.get("id"), Json::Number(_));
        if stream != 0 || count != 1 || !(has_id || message.get("method") != &Json::Null) {
            self.broken("a message that cannot be read");
        }
        let mut announcements = Vec::new();
        message.replacing(&mut |value| {
            value.announcement().map(|found| {
                announcements.push(found);
                Json::Null
            })
        });
        let mut blobs = HashMap::new();
        for (stream, size) in announcements {
            let mut data = Some(Vec::new());
            let mut count = 0;
            while size.map_or(true, |size| count < size) {
                let (found, chunk) = self.frame(false);
                count += chunk.len();
                if found != stream || size.map_or(false, |size| count > size) {
                    self.broken("frames out of order");
                }
                if chunk.is_empty() {
                    data = data.filter(|_| size.is_none());
                    break;
                }
                data.iter_mut().for_each(|data| data.extend_from_slice(&chunk));
            }
            blobs.insert(stream, data);
        }
        let is_given_up = blobs.values().any(Option::is_none);
        let filled = message.replacing(&mut |value| {
            let (stream, _) = value.announcement()?;
            Some(blobs.get(&stream).cloned().flatten().map_or(Json::Null, Json::Bytes))
        });
        filled.set("isGivenUp", Json::Bool(is_given_up))
    }

    fn send(&mut self, message: Json, message_limit: usize) -> Result<(), Error> {
        let mut blobs = Vec::new();
        let next_stream = &mut self.next_stream;
        let text = message.set("jsonrpc", text("2.0")).replacing(&mut |value| {
            let Json::Bytes(data) = value else { return None };
            blobs.push((*next_stream, data.clone()));
            *next_stream = (*next_stream + 2) % (1 << 31);
            Some(object([("blob", number(*next_stream as i64 - 2)), ("size", number(data.len() as i64))]))
        });
        let encoded = text.encoded().into_bytes();
        let total: usize = blobs.iter().map(|(_, data)| data.len()).sum();
        if encoded.len() > message_limit || total > self.limits.2 {
            return Err(Error::of("limit", format!("a message of {} bytes with {total} bytes of blobs; the engine takes {} \
                and {}", encoded.len(), message_limit, self.limits.2)));
        }
        self.write(0, &encoded);
        for (stream, data) in blobs {
            for chunk in data.chunks(self.limits.0) {
                self.write(stream, chunk);
            }
        }
        Ok(())
    }

    fn write(&mut self, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        if self.output.write_all(&frame).is_err() {
            std::process::exit(0); // The engine is gone: nobody is left to tell.
        }
    }

    fn refuse(&mut self, id: i64, error: Error) {
        let code = match error.kind.as_str() {
            "unsupported" => -32601,
            "invalidParams" => -32602,
            "internal" => -32603,
            _ => -32000,
        };
        let data = error.data.set("kind", text(error.kind));
        let failure = object([("code", number(code)), ("message", text(error.message)), ("data", data)]);
        let _ = self.send(object([("id", number(id)), ("error", failure)]), FRAME_LIMIT - 1);
    }

    /// Whether the engine offers a capability.
    pub fn offers(&self, capability: &str) -> bool {
        self.hello.get("capabilities").elements().iter().any(|name| name.as_text() == capability)
    }

    /// Makes a request, for which the engine must offer a capability, and waits for its result.
    pub fn call(&mut self, method: &str, capability: &str, params: Json) -> Result<Json, Error> {
        if !self.offers(capability) {
            let engine = self.hello.get("engine");
            let (name, version) = (engine.get("name").as_text(), engine.get("version").as_text());
            return Err(Error::of("unsupported", format!("{name} {version} does not offer \"{method}\"")));
        }
        let id = self.next_id + 1;
        self.send(object([("id", number(id)), ("method", text(method)), ("params", params)]), self.limits.1)?;
        self.next_id = id;
        loop {
            let message = self.receive();
            let (method, of) = (message.get("method").as_text(), message.get("id").as_number());
            if method == "cancel" && Some(message.get("params").get("id").as_number()) == self.work {
                return Err(Error::of("cancelled", "the build was given up"));
            } else if !method.is_empty() && of > 0 {
                self.refuse(of, Error::of("unsupported", "one process does one build"));
            } else if method.is_empty() {
                if of != id {
                    self.broken("an answer nobody asked for");
                }
                return self.result_of(id, message);
            }
        }
    }

    fn result_of(&self, id: i64, message: Json) -> Result<Json, Error> {
        let failure = message.get("error");
        if failure != &Json::Null {
            let kind = match (failure.get("data").get("kind").as_text(), failure.get("code").as_number()) {
                ("", -32601) => "unsupported",
                ("", -32602) => "invalidParams",
                ("", _) => "internal",
                (kind, _) => kind,
            };
            let data = if let Json::Object(_) = failure.get("data") { failure.get("data").clone() } else { object([]) };
            let mut error = Error::of(kind, failure.get("message").as_text());
            error.data = data.set("request", number(id));
            return Err(error);
        }
        if message.get("isGivenUp") == &Json::Bool(true) {
            return Err(Error::of("cancelled", "the engine gave a blob of its answer up"));
        }
        Ok(message.get("result").clone())
    }

    /// A ref of a tree, `Null` for the empty one. Nothing runs until something reads it.
    pub fn solve(&mut self, tree: &Tree, platform: &Json) -> Result<Json, Error> {
        if tree.vertex.is_none() {
            return Ok(Json::Null);
        }
        let params = object([("definition", object([("json", tree.definition(platform))]))]);
        Ok(self.call("solve", "solve", params)?.get("ref").clone())
    }

    /// Bytes of a file in the build's directory; nothing when there is none.
    pub fn read_context(&mut self, request: &Request, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let tree = self.solve(&local("context", &[path]), &request.platform)?;
        let mut data = Vec::new();
        loop {
            let offset = number(data.len() as i64);
            let params = object([("ref", tree.clone()), ("path", text(path)), ("offset", offset)]);
            let answer = match self.call("readFile", "readFile", params) {
                Err(error) if error.kind == "notFound" => return Ok(None),
                answer => answer?,
            };
            let count = data.len();
            match answer.get("data") {
                Json::Bytes(bytes) => data.extend_from_slice(bytes),
                other => data.extend_from_slice(other.as_text().as_bytes()),
            }
            if answer.get("eof") != &Json::Bool(false) || data.len() == count {
                return Ok(Some(data));
            }
        }
    }

    /// The answer to `build`: a tree with an image config whose `config` has members such as `Cmd`.
    pub fn result(&mut self, request: &Request, tree: &Tree, config: Json) -> Result<Json, Error> {
        let platform = &request.platform;
        let tree = self.solve(tree, platform)?;
        let rootfs = object([("type", text("layers")), ("diff_ids", Json::Array(vec![]))]);
        let whole = platform.clone().set("rootfs", rootfs).set("history", Json::Array(vec![])).set("config", config);
        let parts: Vec<&str> = ["os", "architecture", "variant"].iter().map(|name| platform.get(name).as_text())
            .filter(|part| !part.is_empty()).collect();
        let part = object([("id", text(parts.join("/"))), ("ref", tree), ("platform", platform.clone()),
            ("config", Json::Bytes(whole.encoded().into_bytes()))]);
        Ok(object([("refs", Json::Array(vec![part]))]))
    }

    fn initialize(&mut self, id: i64, params: &Json, version: &str) {
        let limit = |name: &str| params.get("limits").get(name).as_number() as usize;
        let limits = (limit("frame"), limit("message"), limit("blob"));
        let is_spoken = |version: &Json| {
            let minor = version.as_text().strip_prefix("1.").unwrap_or("");
            !minor.is_empty() && minor.len() < 10 && minor.bytes().all(|byte| byte.is_ascii_digit())
        };
        if limits.0 == 0 || limits.1 == 0 || !matches!(params.get("protocol"), Json::Array(_)) {
            self.refuse(id, Error::of("invalidParams", "\"initialize\" lacks a member or has a malformed one"));
        } else if !params.get("protocol").elements().iter().any(is_spoken) {
            let mut error = Error::of("incompatible", "speaks protocol 1.0, which the engine does not offer");
            error.data = object([("supported", strings(["1.0"]))]);
            self.refuse(id, error);
        } else {
            self.hello = params.clone();
            self.limits = limits;
            let program = object([("name", text(self.name.as_str())), ("version", text(version))]);
            let result = object([("protocol", text("1.0")), ("frontend", program), ("provides", Json::Array(vec![]))]);
            let _ = self.send(object([("id", number(id)), ("result", result)]), self.limits.1);
        }
    }
}

fn leave(status: i32, message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(status)
}

extern "C" {
    fn dup2(from: RawFd, to: RawFd) -> RawFd;
    fn raise(signal: i32) -> i32;
}

/// Moves the protocol off descriptors 0 and 1: nothing else of this process or its children can touch it then.
fn take_streams() -> std::io::Result<(File, File)> {
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let output = std::io::stdout().as_fd().try_clone_to_owned()?;
    let null = File::open("/dev/null").map(OwnedFd::from);
    // SAFETY: both take descriptor numbers alone; 1 and 0 stay open all the time.
    unsafe {
        dup2(2, 1);
        if let Ok(null) = &null {
            dup2(null.as_raw_fd(), 0);
        }
    }
    Ok((File::from(input), File::from(output)))
}

/// Runs the frontend until the engine closes stdin, and ends the process.
pub fn main(name: &str, version: &str, build: impl Fn(&mut Session, &Request) -> Result<Json, Error>) -> ! {
    let Ok((input, output)) = take_streams() else { leave(71, "cannot take over stdin and stdout") };
    if std::env::var("FRONTEND_WAIT").as_deref() == Ok("1") {
        eprintln!("process {0} waits: attach a debugger, then kill -CONT {0}", std::process::id());
        // SAFETY: stops this process; 19 is SIGSTOP.
        unsafe { raise(19) };
    }
    let mut session = Session { name: name.to_string(), input: BufReader::new(input), output, hello: Json::Null,
        limits: (1 << 20, FRAME_LIMIT - 1, 1 << 20), next_id: 0, next_stream: 1, work: None };
    let mut is_done = false;
    loop {
        let message = session.receive();
        let (method, id, params) = (message.get("method").as_text(), message.get("id").as_number(), message.get("params"));
        if method.is_empty() {
            session.broken("an answer nobody asked for");
        } else if id == 0 {
            continue;
        } else if !params.get("mustUnderstand").elements().is_empty() {
            session.refuse(id, Error::of("unsupported", "does not understand what the engine says must be"));
        } else if method == "initialize" && session.hello == Json::Null {
            session.initialize(id, params, version);
        } else if method != "build" {
            session.refuse(id, Error::of("unsupported", format!("no method \"{method}\" in this frontend")));
        } else if session.hello == Json::Null {
            session.refuse(id, Error::of("invalidParams", "\"build\" before \"initialize\""));
        } else if is_done {
            session.refuse(id, Error::of("unsupported", "one process does one build"));
        } else {
            is_done = true;
            let Some(request) = Request::new(params) else {
                session.refuse(id, Error::of("invalidParams", "\"build\" lacks a member or has a malformed one"));
                continue;
            };
            session.work = Some(id);
            let call = std::panic::AssertUnwindSafe(|| build(&mut session, &request));
            let answer = std::panic::catch_unwind(call)
                .unwrap_or_else(|_| Err(Error::of("internal", format!("{name}: it failed; stderr says where"))));
            session.work = None;
            let limit = session.limits.1;
            let sent = answer.and_then(|result| session.send(object([("id", number(id)), ("result", result)]), limit));
            if let Err(error) = sent {
                session.refuse(id, error);
            }
        }
    }
}
