//! The little HTTP that the lab speaks as a client: one request a connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Error;

/// The longest answer that is read.
const ANSWER_MAX: u64 = 1 << 20;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header lines as they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or(serde_json::Value::Null)
    }

    /// Whether an answer that says how long it is has come to its end.
    fn is_whole(bytes: &[u8]) -> bool {
        Self::parse(bytes).is_some_and(|answer| answer.header("content-length").is_some())
    }

    /// Reads a whole answer; `None` if it is cut short or none at all.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let answer = Self { status, headers, body: body.to_owned() };
        let whole = answer
            .header("content-length")
            .and_then(|length| length.parse::<usize>().ok())
            .is_none_or(|length| body.len() >= length);
        whole.then_some(answer)
    }
}

/// The text of a request.
pub(crate) fn request_text(server: SocketAddr, method: &str, path: &str, token: Option<&str>, body: &str) -> String {
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\
         Content-Type: application/json\r\n{authorization}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends one request and reads its answer; `limit` bounds connecting and each read.
///
/// # Errors
/// When the server cannot be reached, or closes the connection without a whole answer.
pub fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
    limit: Duration,
) -> Result<Answer, Error> {
    let failed = || Error::system(format!("{method} http://{server}{path}"));
    let mut stream = TcpStream::connect_timeout(&server, limit).map_err(failed())?;
    stream.set_read_timeout(Some(limit)).map_err(failed())?;
    stream.set_write_timeout(Some(limit)).map_err(failed())?;
    let text = request_text(server, method, path, token, body);
    stream.write_all(text.as_bytes()).map_err(failed())?;
    let mut bytes = Vec::new();
    let mut stream = stream.take(ANSWER_MAX);
    // Some servers leave the connection open although they were asked to close it: the answer's own length says enough.
    while !Answer::is_whole(&bytes) {
        let mut part = [0; 16 << 10];
        match stream.read(&mut part).map_err(failed())? {
            0 => break,
            length => bytes.extend_from_slice(&part[..length]),
        }
    }
    Answer::parse(&bytes).ok_or_else(|| {
        let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        failed()(source)
    })
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn a_whole_answer_is_read() {
        let bytes = b"HTTP/1.1 429 Too Many\r\nRetry-After: 2\r\nContent-Length: 2\r\n\r\n{}";
        let answer = Answer::parse(bytes).expect("whole");
        assert_eq!(answer.status, 429);
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(answer.json(), serde_json::json!({}));
    }

    #[test]
    fn a_torn_answer_is_none() {
        assert_eq!(Answer::parse(b""), None);
        assert_eq!(Answer::parse(b"HTTP/1.1 200 OK\r\nContent-"), None);
        assert_eq!(Answer::parse(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"), None);
        assert_eq!(Answer::parse(b"nonsense\r\n\r\n"), None);
    }
}
