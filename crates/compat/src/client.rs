//! One request on the daemon's socket: HTTP in its simplest form, without a runtime.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Ends, Said, exit};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it is waited for that the cluster agrees where the caller does not ask for it. What was asked for is under way
/// then, and an agent that waited longer would be taken for one that hangs.
pub(crate) const BRIEF: Duration = Duration::from_secs(2);

/// Longest answer, bytes.
const ANSWER_MAX: u64 = 256 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nobody listens.
    Nobody,
    /// It did not come in time.
    Late,
    /// The daemon refuses: the exit code, and why.
    Refused(u8, String),
}

/// What is asked.
pub(crate) enum Ask<'a> {
    /// `GET` of this path with its query.
    Get(&'a str),
    /// `POST` of this to this path.
    Post(&'a str, Vec<u8>),
}

/// Asks, and reads the answer.
pub(crate) fn ask<A: DeserializeOwned>(ask: &Ask<'_>, patience: Option<Duration>) -> Result<A, Trouble> {
    // What is installed stands in no file.
    let of_agents = matches!(ask, Ask::Get(path) if path.starts_with(hac_api::route::AGENTS));
    if let Some(name) = crate::file::named().filter(|_| !of_agents) {
        let answer = crate::file::answer(ask, &name)?;
        return serde_json::from_value(answer).map_err(|error| Trouble::Refused(exit::ERROR, error.to_string()));
    }
    let (code, body) = exchange(ask, patience.unwrap_or(PATIENCE)).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Trouble::Late,
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            Trouble::Nobody
        }
        _ => Trouble::Refused(exit::ERROR, error.to_string()),
    })?;
    if code == 200 {
        return serde_json::from_slice(&body).map_err(|error| Trouble::Refused(exit::ERROR, error.to_string()));
    }
    match serde_json::from_slice::<hac_api::ErrorBody>(&body) {
        Ok(error) => Err(Trouble::Refused(error.code.exit_code(), error.message)),
        Err(error) => Err(Trouble::Refused(exit::ERROR, format!("hacd answers {code}: {error}"))),
    }
}

fn exchange(ask: &Ask<'_>, patience: Duration) -> io::Result<(u16, Vec<u8>)> {
    let socket =
        std::env::var_os("HACD_SOCKET").filter(|path| !path.is_empty()).unwrap_or_else(|| hac_api::SOCKET.into());
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let (method, path, body) = match ask {
        Ask::Get(path) => ("GET", path, &[][..]),
        Ask::Post(path, body) => ("POST", path, body.as_slice()),
    };
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        hac_api::HOST,
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
    split(&answer).ok_or_else(|| io::Error::other("hacd answered something else than HTTP"))
}

/// Status code and body of an answer that is there as a whole.
fn split(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?.to_ascii_lowercase();
    let code = head.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let body = answer.get(end + 4..)?;
    if head.lines().any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked")) {
        return Some((code, unchunk(body)?));
    }
    Some((code, body.to_vec()))
}

fn unchunk(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|bytes| bytes == b"\r\n")?;
        let size = std::str::from_utf8(body.get(..end)?).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        let begin = end.checked_add(2)?;
        if size == 0 {
            return Some(whole);
        }
        let stop = begin.checked_add(size)?;
        whole.extend_from_slice(body.get(begin..stop)?);
        body = body.get(stop.checked_add(2)?..)?;
    }
}

/// `GET`, for `program`; `unreachable` is what it says without a daemon.
pub(crate) fn get<A: DeserializeOwned>(program: &str, path: &str, unreachable: &str) -> Ends<A> {
    ask(&Ask::Get(path), None).map_err(|trouble| troubled(program, trouble, unreachable))
}

/// `POST`. Without `wait` it is enough that it is under way.
pub(crate) fn post(program: &str, path: &str, body: &impl Serialize, wait: bool, unreachable: &str) -> Ends<()> {
    let body = serde_json::to_vec(body)
        .map_err(|error| Said::failed(exit::ERROR, format!("{program}: could not write the request: {error}")))?;
    let answer = ask::<serde_json::Value>(&Ask::Post(path, body), (!wait).then_some(BRIEF));
    match answer {
        Ok(_) => Ok(()),
        Err(Trouble::Late) if !wait => Ok(()),
        Err(trouble) => Err(troubled(program, trouble, unreachable)),
    }
}

/// What a program says where there is no answer.
pub(crate) fn troubled(program: &str, trouble: Trouble, unreachable: &str) -> Said {
    match trouble {
        Trouble::Nobody => Said::failed(exit::DISCONNECT, unreachable),
        Trouble::Late => Said::failed(124, format!("{program}: Error performing operation: Timer expired")),
        Trouble::Refused(code, why) => Said::failed(code, format!("{program}: Error performing operation: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_whole_or_in_pieces() {
        assert_eq!(split(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"), Some((200, b"{}".to_vec())));
        let pieces = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n \r\n0\r\n\r\n";
        assert_eq!(split(pieces), Some((404, b"{} ".to_vec())));
        for broken in [
            &b""[..],
            b"HTTP/1.1",
            b"HTTP/1.1 200\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        ] {
            assert_eq!(split(broken), None, "{broken:?}");
        }
    }
}
