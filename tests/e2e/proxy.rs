//! A proxy between `provision` and the emulator that a test rules over, call by call.
//!
//! It passes a call on, answers it itself, delays it, cuts the connection, or kills the caller right
//! before the call is passed on or right after its answer came. HTTP/1.1, no TLS, bodies by length:
//! what the SDK sends to an emulator.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A call to AWS as it arrives.
#[derive(Clone, Debug)]
pub struct Call {
    /// As in the signature: `s3`, `apigateway`.
    pub service: String,
    /// `CreateTable`, or where the protocol is REST `PUT /bucket?tagging`.
    pub operation: String,
    pub at: Instant,
}

impl Call {
    /// Whether it can change anything.
    pub fn mutates(&self) -> bool {
        let reads = ["Get", "List", "Describe", "BatchGet", "BatchCheck", "Query", "GET ", "HEAD "];
        !reads.iter().any(|read| self.operation.starts_with(read))
    }
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub enum Verdict {
    Pass,
    /// Passed on after a while.
    After(Duration),
    /// Not passed on: this status, these headers and this body instead.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Passed on, with one text for another wherever it is in the answer.
    Edited(&'static str, &'static str),
    /// AWS does it, and the connection is closed without its answer.
    CutAfter,
    /// The caller gets SIGKILL, and the call does not reach AWS.
    KillBefore,
    /// AWS does it, and the caller gets SIGKILL instead of the answer.
    KillAfter,
}

type Judge = dyn Fn(&Call) -> Verdict + Send + Sync;

struct Shared {
    upstream: String,
    judge: Mutex<Arc<Judge>>,
    calls: Mutex<Vec<Call>>,
    in_flight: AtomicUsize,
    victim: Mutex<Option<Child>>,
    over: AtomicBool,
}

pub struct Proxy {
    pub endpoint: String,
    shared: Arc<Shared>,
}

impl Proxy {
    /// `upstream` is `http://host:port`.
    pub fn start(upstream: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            upstream: upstream.trim_start_matches("http://").to_owned(),
            judge: Mutex::new(Arc::new(|_| Verdict::Pass)),
            calls: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            victim: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.over.load(Ordering::SeqCst) {
                    break;
                }
                let shared = serving.clone();
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Proxy { endpoint, shared }
    }

    /// From now on `judge` decides, and calls are counted anew.
    pub fn judge(&self, judge: impl Fn(&Call) -> Verdict + Send + Sync + 'static) {
        *self.shared.judge.lock().unwrap() = Arc::new(judge);
        self.shared.calls.lock().unwrap().clear();
    }

    /// The calls since `judge` was set, as they arrived.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// Runs `command` as the one to be killed; answers how it ended and what it said.
    pub fn run(&self, command: &mut Command) -> (ExitStatus, String) {
        let mut said = tempfile::tempfile().unwrap();
        let child = command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .stdout(Stdio::from(said.try_clone().unwrap()))
            .stderr(Stdio::from(said.try_clone().unwrap()))
            .spawn()
            .unwrap();
        *self.shared.victim.lock().unwrap() = Some(child);
        let status = loop {
            if let Some(status) = self.shared.victim.lock().unwrap().as_mut().unwrap().try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        // What was passed on before the end still happens.
        while self.shared.in_flight.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut text = String::new();
        std::io::Seek::rewind(&mut said).unwrap();
        said.read_to_string(&mut text).unwrap();
        (status, text)
    }

    /// Sends the running command a signal, such as `INT`.
    pub fn signal(&self, signal: &str) {
        let id = self.shared.victim.lock().unwrap().as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Some(request) = Request::read(&mut reader) {
            self.in_flight.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer(&request);
            let over = answer.is_none_or(|answer| writer.write_all(&answer).is_err());
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            if over {
                break;
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }

    fn answer(&self, request: &Request) -> Option<Vec<u8>> {
        let (call, judge) = {
            let mut calls = self.calls.lock().unwrap();
            let call = request.call();
            calls.push(call.clone());
            (call, self.judge.lock().unwrap().clone())
        };
        match judge(&call) {
            Verdict::Pass => self.pass(request),
            Verdict::After(pause) => {
                std::thread::sleep(pause);
                self.pass(request)
            }
            Verdict::Answer(status, headers, body) => {
                let headers: String =
                    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let head = format!(
                    "HTTP/1.1 {status} As asked\r\ncontent-length: {}\r\n{headers}\r\n{body}",
                    body.len()
                );
                Some(head.into_bytes())
            }
            Verdict::Edited(from, to) => Some(edited(&self.pass(request)?, from, to)),
            Verdict::CutAfter => {
                self.pass(request);
                None
            }
            Verdict::KillBefore => {
                self.kill();
                None
            }
            Verdict::KillAfter => {
                self.pass(request);
                self.kill();
                None
            }
        }
    }

    fn kill(&self) {
        if let Some(child) = self.victim.lock().unwrap().as_mut() {
            child.kill().unwrap();
        }
    }

    /// One connection a call, closed by the emulator: its end is the answer's end.
    fn pass(&self, request: &Request) -> Option<Vec<u8>> {
        let mut upstream = TcpStream::connect(&self.upstream).ok()?;
        let head = request.head.trim_end().lines().filter(|line| !is_header(line, "connection"));
        let head: String = head.map(|line| format!("{line}\r\n")).collect();
        upstream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).ok()?;
        upstream.write_all(&request.body).ok()?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let framed = head
            .lines()
            .any(|line| is_header(line, "content-length") || is_header(line, "transfer-encoding"));
        let mut kept: String = head
            .lines()
            .filter(|line| !is_header(line, "connection"))
            .map(|line| format!("{line}\r\n"))
            .collect();
        if !framed {
            let length = answer.len() - end - 4;
            kept.extend(["content-length: ", &length.to_string(), "\r\n"]);
        }
        let mut passed = format!("{kept}\r\n").into_bytes();
        passed.extend(&answer[end + 4..]);
        Some(passed)
    }
}

/// An answer with another text in its body, and the length and the checksum left to the reader's trust.
fn edited(answer: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(!head.to_lowercase().contains("transfer-encoding"), "a body without a length: {head}");
    let body = body.replace(from, to);
    let kept = ["content-length", "x-amz-crc32"];
    let head = head.lines().filter(|line| !kept.iter().any(|name| is_header(line, name)));
    let head: String = head.map(|line| format!("{line}\r\n")).collect();
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn is_header(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
}

struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn read(reader: &mut impl BufRead) -> Option<Request> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let mut request = Request { head, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        assert!(request.header("transfer-encoding").is_none(), "a body without a length: {}", request.head);
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| is_header(line, name))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }

    fn call(&self) -> Call {
        // Credential=KEY/DATE/REGION/SERVICE/aws4_request
        let scope = self.header("authorization").and_then(|text| text.split_once("Credential="));
        let service = scope.and_then(|(_, scope)| scope.split('/').nth(3)).unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(&self.body).into_owned();
        let target = self.header("x-amz-target").and_then(|target| target.rsplit_once('.'));
        let action = body.split('&').find_map(|field| field.strip_prefix("Action="));
        let operation = match (target, action) {
            (Some((_, operation)), _) => operation.to_owned(),
            (None, Some(action)) => action.to_owned(),
            _ => {
                let line = self.head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
                // Smithy's RPC v2 has the operation in the path.
                line.split_once("/operation/").map_or(line, |(_, operation)| operation).to_owned()
            }
        };
        Call { service, operation, at: Instant::now() }
    }
}
