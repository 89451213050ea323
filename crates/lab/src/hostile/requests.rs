//! Requests that nobody should make, against the page and the numbers of a daemon: a foreign host, a foreign page, no token or a
//! wrong one, bodies without end, two requests in one, other protocols, paths that are none, thousands of headers; and
//! clients that connect and say nothing, or a byte a second, or do not read.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Random;

/// Threads that send one request after the other.
const SENDERS: usize = 6;
/// Connections that say nothing, at a time.
const IDLE: usize = 1000;
/// Clients that say a byte a second.
const SLOW: usize = 30;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the next part of one is.
const SOON: Duration = Duration::from_millis(100);
/// Most of an answer that is looked at.
const ANSWER: usize = 1 << 20;
/// Most that is told of what went wrong.
const WRONG: usize = 20;
/// A body far above every limit.
const BODY: usize = 10 << 20;

/// Whom it is done to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where the page is.
    pub page: SocketAddr,
    /// Where the numbers are.
    pub metrics: SocketAddr,
    /// What opens the page.
    pub token: String,
    /// What no answer may have, with or without the token.
    pub secrets: Vec<String>,
    /// What no answer may have without it: names in the cluster.
    pub names: Vec<String>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Told {
    /// Requests that were sent.
    pub sent: u64,
    /// Connections that were made only to be held.
    pub held: u64,
    /// How often each status was answered.
    pub answers: BTreeMap<u16, u64>,
    /// What should not have been answered, in sentences.
    pub wrong: Vec<String>,
}

impl Told {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.held += other.held;
        other.answers.into_iter().for_each(|(code, count)| *self.answers.entry(code).or_default() += count);
        let room = WRONG.saturating_sub(self.wrong.len());
        self.wrong.extend(other.wrong.into_iter().take(room));
    }

    /// One line.
    pub fn line(&self) -> String {
        let answers: Vec<String> = self.answers.iter().map(|(code, count)| format!("{code}: {count}")).collect();
        let (sent, held) = (self.sent, self.held);
        format!("{sent} hostile requests and {held} connections that were held; answers {}", answers.join(", "))
    }
}

/// What may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    /// Anything but a success.
    Refuse,
    /// A success too, for the token was there; but no failure of the daemon.
    Look,
}

/// Does all of it for a while, in turns; the seed draws.
pub fn attack(target: &Target, length: Duration, seed: u64) -> Told {
    let (told, end) = (Mutex::new(Told::default()), Instant::now() + length);
    let (turn, mut round) = ((length / 6).min(Duration::from_secs(35)), 0_u64);
    while Instant::now() < end {
        let until = (Instant::now() + turn).min(end);
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let random = Random(
                    seed.wrapping_add(round).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (sender as u64 + 1) << 32 | 1,
                );
                let (told, target) = (&told, target);
                scope.spawn(move || {
                    let own = send(target, random, until);
                    told.lock().unwrap_or_else(PoisonError::into_inner).add(own);
                });
            }
            // In turns, because who holds all connections keeps out the others, too.
            let own = match round % 3 {
                0 => Told::default(),
                1 => hold(target, until),
                _ => trickle(target, until),
            };
            told.lock().unwrap_or_else(PoisonError::into_inner).add(own);
        });
        round += 1;
    }
    told.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// One request after the other.
fn send(target: &Target, mut random: Random, until: Instant) -> Told {
    let mut told = Told::default();
    while Instant::now() < until {
        let at = if random.below(8) == 0 { target.metrics } else { target.page };
        let (may, bytes) = if at == target.metrics { numbers(&mut random) } else { request(target, &mut random) };
        told.sent += 1;
        let Some(answer) = exchange(at, &bytes) else { continue };
        judge(target, may, &bytes, &answer, &mut told);
    }
    told
}

/// What is answered; `None` if nobody takes the connection.
fn exchange(at: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    // Who refuses need not hear it to its end.
    let _ = stream.write_all(bytes);
    let (mut answer, mut part) = (Vec::new(), vec![0; 16 << 10]);
    while answer.len() < ANSWER
        && let Ok(length @ 1..) = stream.read(&mut part)
    {
        // More comes soon or not at all: the connection stays open for another request.
        stream.set_read_timeout(Some(SOON)).ok()?;
        answer.extend_from_slice(&part[..length]);
    }
    Some(answer)
}

fn judge(target: &Target, may: May, bytes: &[u8], answer: &[u8], told: &mut Told) {
    let text = String::from_utf8_lossy(answer);
    let mut wrong = |what: String| {
        if told.wrong.len() < WRONG {
            let asked: String = String::from_utf8_lossy(bytes).chars().take(300).collect();
            told.wrong.push(format!("{what}: {}", asked.escape_debug()));
        }
    };
    let statuses: Vec<u16> = text
        .match_indices("HTTP/1.")
        .filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok())
        .filter(|code| (100..600).contains(code))
        .collect();
    for code in &statuses {
        if *code >= 500 && *code != 503 {
            wrong(format!("answered {code}"));
        }
        if may == May::Refuse && (*code < 300 && *code != 100) {
            wrong(format!("answered {code} to what should be refused"));
        }
    }
    let shown = |names: &[String]| names.iter().find(|name| text.contains(name.as_str())).cloned();
    if shown(&target.secrets).is_some() {
        wrong("a secret is in the answer".to_owned());
    }
    if let Some(name) = shown(&target.names).filter(|_| may == May::Refuse) {
        wrong(format!("'{name}' is told to somebody without the token"));
    }
    statuses.into_iter().for_each(|code| *told.answers.entry(code).or_default() += 1);
}

/// A path that there is, for those who have the token.
fn known(random: &mut Random) -> &'static str {
    const PATHS: [&str; 9] = [
        "/",
        "/v1/status?view=true",
        "/v1/members",
        "/v1/quorum",
        "/v1/past",
        "/v1/alerts",
        "/v1/explain?name=FloatIP",
        "/v1/events?since=0&no_follow=true",
        "/v1/history?last=5",
    ];
    PATHS[random.below(PATHS.len())]
}

/// A path that there is not, or a query that makes no sense.
fn fuzzed(random: &mut Random) -> String {
    const BEGINNINGS: [&str; 14] = [
        "/v1/explain?name=",
        "/v1/explain?at=",
        "/v1/past?at=",
        "/v1/history?last=",
        "/v1/history?causes=",
        "/v1/history?since_ms=",
        "/v1/history?level=",
        "/v1/events?no_follow=true&since=",
        "/v1/status?view=",
        "/v1/cib?secrets=",
        "/../",
        "/%2e%2e/",
        "//",
        "/v1/",
    ];
    let mut path = BEGINNINGS[random.below(BEGINNINGS.len())].to_owned();
    let length = if random.below(50) == 0 { 30_000 } else { random.below(60) };
    for _ in 0..length {
        match random.below(6) {
            0 => path.push_str(&format!("%{:02x}", random.byte())),
            1 => path.push_str(["..", "/", "%00", "&", "=", "-1", "18446744073709551615", "1e999"][random.below(8)]),
            _ => path.push(char::from(b'!' + random.byte() % 94)),
        }
    }
    path.replace(['#', ' '], "_")
}

/// A request for the page.
fn request(target: &Target, random: &mut Random) -> (May, Vec<u8>) {
    let Target { page, token, .. } = target;
    let (own, open) = (format!("Host: {page}\r\n"), format!("Authorization: Bearer {token}\r\n"));
    let act = "POST /v1/act HTTP/1.1\r\nContent-Type: application/json\r\n";
    let wish = r#"{"action":"standby","subject":"primary","version":{"admin_epoch":0,"epoch":1,"num_updates":0}}"#;
    let length = |body: &str| format!("Content-Length: {}\r\n", body.len());
    let path = known(random);
    let (may, text) = match random.below(22) {
        0 => {
            let host =
                ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "0x7f.1"][random.below(6)];
            (May::Refuse, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{open}\r\n"))
        }
        1 => (May::Refuse, format!("GET {path} HTTP/1.1\r\n{own}Host: evil.example\r\n{open}\r\n")),
        2 => {
            let origin = ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"][random.below(4)];
            (May::Refuse, format!("GET {path} HTTP/1.1\r\n{own}Origin: {origin}\r\n{open}\r\n"))
        }
        3 => (May::Refuse, format!("GET {path} HTTP/1.1\r\n{own}\r\n")),
        4 => (May::Refuse, format!("GET {path} HTTP/1.1\r\n{own}Cookie: hacd={:032x}\r\n\r\n", random.next())),
        5 => {
            let wrong = token.get(..random.below(token.len())).unwrap_or_default();
            (May::Refuse, format!("GET /?token={wrong} HTTP/1.1\r\n{own}\r\n"))
        }
        6 => (May::Refuse, format!("{act}{own}{open}{}\r\n{wish}", length(wish))),
        7 => {
            let head = format!("{act}{own}{open}Origin: http://evil.example\r\n");
            (May::Refuse, format!("{head}{}\r\n{wish}", length(wish)))
        }
        8 => (May::Refuse, format!("{act}{own}Origin: http://{page}\r\n{}\r\n{wish}", length(wish))),
        // A body far too long, told or not.
        9 if random.below(20) == 0 => {
            let head = format!("{act}{own}{open}Origin: http://{page}\r\nContent-Length: {BODY}\r\n\r\n");
            (May::Refuse, head + &" ".repeat(BODY))
        }
        10 if random.below(20) == 0 => {
            let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, " ".repeat(1 << 16)).repeat(BODY >> 16);
            let head = format!("{act}{own}{open}Origin: http://{page}\r\nTransfer-Encoding: chunked\r\n\r\n");
            (May::Refuse, head + &chunk)
        }
        // One request within another one.
        11 | 12 => {
            let inner = format!("GET /v1/status?view=true HTTP/1.1\r\n{own}\r\n");
            let how = [
                "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "Content-Length: 0\r\nContent-Length: 30\r\n\r\n",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
                "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
                "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
                "Content-Length: +0\r\n\r\n",
                "X: y\n\nGET / HTTP/1.1\n\n",
                "\r\n",
            ][random.below(8)];
            (May::Refuse, format!("POST / HTTP/1.1\r\n{own}{how}{inner}"))
        }
        // Many at once.
        13 => (May::Refuse, format!("GET {path} HTTP/1.1\r\n{own}\r\n").repeat(1 + random.below(60))),
        14 => (May::Look, format!("GET /v1/members HTTP/1.1\r\n{own}{open}\r\n").repeat(1 + random.below(40))),
        15 => {
            let other = [
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
                "Expect: 100-continue\r\n",
                "Range: bytes=0-0,1-1,2-2,-5\r\nIf-Range: x\r\n",
                "Range: bytes=18446744073709551615-\r\n",
            ][random.below(5)];
            (May::Look, format!("GET {path} HTTP/1.1\r\n{own}{open}{other}\r\n"))
        }
        16 => {
            let many = "X-Many: y\r\n".repeat(50 + random.below(3000));
            (May::Refuse, format!("GET {path} HTTP/1.1\r\n{own}{many}\r\n"))
        }
        17 => {
            (May::Refuse, format!("GET {path} HTTP/1.1\r\n{own}X-Long: {}\r\n\r\n", "y".repeat(random.below(600_000))))
        }
        18 => {
            let method =
                ["DELETE", "PUT", "PATCH", "TRACE", "OPTIONS", "HEAD", "CONNECT", "get", "PROPFIND"][random.below(9)];
            (May::Refuse, format!("{method} {path} HTTP/1.1\r\n{own}{open}\r\n"))
        }
        19 => {
            let mut bytes = [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""]
                [random.below(3)]
            .to_vec();
            let length = random.below(2000);
            bytes.extend(random.bytes(length));
            return (May::Refuse, bytes);
        }
        _ => {
            let path = fuzzed(random);
            let named = if random.below(2) == 0 { (May::Look, &open) } else { (May::Refuse, &String::new()) };
            (named.0, format!("GET {path} HTTP/1.1\r\n{own}{}Connection: close\r\n\r\n", named.1))
        }
    };
    (may, text.into_bytes())
}

/// A request for the numbers, which everybody may have who gets there.
fn numbers(random: &mut Random) -> (May, Vec<u8>) {
    let text = match random.below(5) {
        0 => "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        1 => format!("GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", fuzzed(random)),
        2 => "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1 + random.below(10)),
        3 => format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(random.below(100_000))),
        _ => "GET /metrics HTTP/1.0\r\nAccept-Encoding: gzip, br\r\nRange: bytes=0-1\r\n\r\n".to_owned(),
    };
    (May::Look, text.into_bytes())
}

/// Connections that say nothing.
fn hold(target: &Target, until: Instant) -> Told {
    let mut held = Vec::new();
    for number in 0..IDLE {
        let at = if number % 4 == 0 { target.metrics } else { target.page };
        if Instant::now() >= until {
            break;
        }
        held.extend(TcpStream::connect_timeout(&at, Duration::from_millis(200)).ok());
    }
    thread::sleep(until.saturating_duration_since(Instant::now()));
    Told { held: held.len() as u64, ..Told::default() }
}

/// Clients that say a byte a second, and others that ask for much and do not read it.
fn trickle(target: &Target, until: Instant) -> Told {
    let connect = |_| TcpStream::connect_timeout(&target.page, Duration::from_millis(200)).ok();
    let mut slow: Vec<TcpStream> = (0..SLOW).filter_map(connect).collect();
    let mut deaf: Vec<TcpStream> = (0..SLOW).filter_map(connect).collect();
    let (page, token) = (target.page, &target.token);
    let much =
        format!("GET /v1/events?since=0 HTTP/1.1\r\nHost: {page}\r\nAuthorization: Bearer {token}\r\n\r\n").repeat(20);
    deaf.iter_mut().for_each(|stream| drop(stream.write_all(much.as_bytes())));
    let text = format!("GET /v1/status?view=true HTTP/1.1\r\nHost: {page}\r\nX-Slow: {}", "y".repeat(1000));
    let mut bytes = text.bytes().cycle();
    while Instant::now() < until {
        let byte = [bytes.next().unwrap_or_default()];
        slow.iter_mut().for_each(|stream| drop(stream.write_all(&byte)));
        thread::sleep(Duration::from_secs(1).min(until.saturating_duration_since(Instant::now())));
    }
    Told { held: (slow.len() + deaf.len()) as u64, ..Told::default() }
}
