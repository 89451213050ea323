//! `bench page`: how fast the stream orders commands while browsers have the page open and Prometheus asks each second,
//! beside the same without them, in turns.
//!
//! A browser here does what the page's script does: it follows the events, and asks how things stand after some, not
//! more often than the script would. All of it runs on the cores of this machine, the clients' own work too.

use std::io::{BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{LIMIT, pause};
use crate::http::request;
use crate::{Agents, Cluster, Error, Tools};

/// Where page and numbers are.
const PAGE: ([u8; 4], u16) = ([127, 0, 0, 1], 7630);
const NUMBERS: ([u8; 4], u16) = ([127, 0, 0, 1], 9664);
/// Clients that change an attribute again and again, each waiting until that is agreed on.
const SENDERS: usize = 4;
/// After a change to the other mode all that was under way comes to its end.
const CALM: Duration = Duration::from_millis(700);
/// An answer that takes longer counts as none.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is measured in one turn.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    /// Commands a second.
    rate: f64,
    /// The median time of one, microseconds.
    each_us: f64,
}

/// Measures in turns, and prints medians and their ratio.
///
/// # Errors
/// When the lab cannot be built, or nothing is agreed on.
pub fn page(
    tools: &Tools,
    browsers: usize,
    length: Duration,
    repetitions: usize,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let (page, numbers) = (SocketAddr::from(PAGE), SocketAddr::from(NUMBERS));
    let more = format!("[web]\nlisten = \"{page}\"\n[metrics]\nlisten = \"{numbers}\"\n");
    let cluster = Cluster::running(tools, 2, Agents::Native, &more, LIMIT)?;
    let link: serde_json::Value = serde_json::from_str(&cluster.hacctl(1, &["--json", "web"])?).unwrap_or_default();
    let token = link["url"].as_str().and_then(|url| url.split_once("token=")).map(|(_, token)| token.to_owned());
    let token = token.ok_or_else(|| Error::Invalid("hacctl web prints no link".to_owned()))?;
    let failed = Error::system("cannot write");
    let socket = cluster.host(1).outside("/run/hacd/hacd.sock")?;
    let mut alone: [Vec<Turn>; 2] = Default::default();
    let mut watched = alone.clone();
    let (mut events, mut looks, mut scrapes) = (0, 0, 0);
    for _ in 0..repetitions {
        for (kind, senders) in [SENDERS, 1].into_iter().enumerate() {
            pause(CALM);
            alone[kind].push(turn(&socket, senders, length)?);
            let ended = Arc::new(AtomicBool::new(false));
            let counts: Arc<[AtomicU64; 3]> = Arc::default();
            let (stop, counted, token) = (Arc::clone(&ended), Arc::clone(&counts), token.clone());
            // The threads live on the host's network as long as one waits for them.
            let watching = thread::scope(|scope| {
                let lab = cluster.lab();
                let viewers = scope.spawn(move || {
                    lab.at_host(1, "browsers", move || {
                        watch(page, numbers, &token, browsers, &stop, &counted);
                        Ok(())
                    })
                });
                pause(CALM);
                let measured = turn(&socket, senders, length);
                ended.store(true, Ordering::Relaxed);
                let viewed = viewers.join().unwrap_or_else(|_| Err(Error::Invalid("a browser panicked".to_owned())));
                measured.and_then(|measured| viewed.map(|()| measured))
            });
            watched[kind].push(watching?);
            for (sum, count) in [&mut events, &mut looks, &mut scrapes].into_iter().zip(counts.iter()) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
    }
    let mut all = || -> std::io::Result<()> {
        let mut print = |text: String| writeln!(out, "{text}");
        print(format!(
            "\nordered commands on two hosts, alone and with {browsers} pages open and a scrape each second ({events} events, \
             {looks} looks at the status, {scrapes} scrapes)"
        ))?;
        for (kind, what) in [format!("{SENDERS} clients, commands a second"), "1 client, commands a second".to_owned()]
            .into_iter()
            .enumerate()
        {
            let rates = |turns: &[Turn]| median(turns.iter().map(|turn| turn.rate).collect());
            let (before, after) = (rates(&alone[kind]), rates(&watched[kind]));
            print(format!("{what:<32} {before:>9.0} {after:>9.0}  ratio {:.3}", after / before))?;
            let each = |turns: &[Turn]| median(turns.iter().map(|turn| turn.each_us).collect());
            let (before, after) = (each(&alone[kind]), each(&watched[kind]));
            print(format!("{:<32} {before:>9.0} {after:>9.0}", "  median time of one, us"))?;
        }
        Ok(())
    };
    all().map_err(failed)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Has commands ordered for a while.
fn turn(socket: &Path, senders: usize, length: Duration) -> Result<Turn, Error> {
    let begin = Instant::now();
    let threads: Vec<_> = (0..senders)
        .map(|number| {
            let socket: PathBuf = socket.to_owned();
            thread::spawn(move || order(&socket, number, begin + length))
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        let times = thread.join().map_err(|_| Error::Invalid("a client panicked".to_owned()))?;
        all.extend(times.map_err(Error::system("a command was not agreed on"))?);
    }
    let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    Ok(Turn { rate, each_us: median(all.iter().map(|time| time.as_secs_f64() * 1e6).collect()) })
}

/// One command after the other on one connection; how long each took.
fn order(socket: &Path, number: usize, end: Instant) -> std::io::Result<Vec<Duration>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut times = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        let body = format!(
            r#"{{"command":"attribute","node":"primary","name":"bench{number}","value":"{}","private":true}}"#,
            times.len()
        );
        let length = body.len();
        let head = format!(
            "POST /v1/command HTTP/1.1\r\nHost: hacd\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + &body).as_bytes())?;
        let (status, answer) = answer(&mut reader)?;
        if status != 200 {
            return Err(std::io::Error::other(format!("{status}: {answer}")));
        }
        times.push(begin.elapsed());
    }
    Ok(times)
}

/// Reads one answer that says how long it is.
fn answer(reader: &mut impl std::io::BufRead) -> std::io::Result<(u16, String)> {
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end();
        if let Some(rest) = text.strip_prefix("HTTP/1.1 ") {
            status = rest.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0);
        }
        if let Some(value) = text.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if text.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Browsers with the page open, and Prometheus.
fn watch(
    page: SocketAddr,
    numbers: SocketAddr,
    token: &str,
    browsers: usize,
    ended: &AtomicBool,
    counts: &[AtomicU64; 3],
) {
    let [events, looks, scrapes] = counts;
    thread::scope(|scope| {
        for _ in 0..browsers {
            let news = Arc::new(AtomicBool::new(true));
            let told = Arc::clone(&news);
            scope.spawn(move || follow(page, token, ended, &told, events));
            scope.spawn(move || look(page, token, ended, &news, looks));
        }
        while !ended.load(Ordering::Relaxed) {
            scrapes.fetch_add(
                u64::from(request(numbers, "GET", "/metrics", None, "", PATIENCE).is_ok()),
                Ordering::Relaxed,
            );
            pause(Duration::from_secs(1));
        }
    });
}

/// Follows the events as the page does.
fn follow(page: SocketAddr, token: &str, ended: &AtomicBool, news: &AtomicBool, events: &AtomicU64) {
    let connected = || -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&page, PATIENCE)?;
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        let head = "GET /v1/events?since=0&unnamed=true HTTP/1.1";
        write!(stream, "{head}\r\nHost: {page}\r\nAuthorization: Bearer {token}\r\n\r\n")?;
        let mut part = vec![0; 64 << 10];
        while !ended.load(Ordering::Relaxed) {
            match stream.read(&mut part) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    let count = part[..length].windows(6).filter(|window| window == b"\ndata:").count();
                    events.fetch_add(count as u64, Ordering::Relaxed);
                    news.store(true, Ordering::Relaxed);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    while !ended.load(Ordering::Relaxed) {
        // Who is turned away comes again, as browsers do.
        let _ = connected();
        pause(Duration::from_millis(100));
    }
}

/// Asks how things stand when something happened: at once, then with the pauses of the page's script.
fn look(page: SocketAddr, token: &str, ended: &AtomicBool, news: &AtomicBool, looks: &AtomicU64) {
    let mut waited = Duration::ZERO;
    while !ended.load(Ordering::Relaxed) {
        if !news.swap(false, Ordering::Relaxed) {
            waited = Duration::ZERO;
            pause(Duration::from_millis(20));
            continue;
        }
        let answered = request(page, "GET", "/v1/status?view=true", Some(token), "", PATIENCE).is_ok();
        looks.fetch_add(u64::from(answered), Ordering::Relaxed);
        // The script's own rule.
        waited = (waited * 2).clamp(Duration::from_millis(60), Duration::from_millis(400));
        pause(waited);
    }
}
