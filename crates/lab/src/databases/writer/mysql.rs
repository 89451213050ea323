//! As much of MySQL's protocol as a client needs that has no password and asks for one column.

use std::io::{self, Read, Write};

/// What this client can do: long passwords (1), name a database (8), protocol 4.1 (0x200), transactions (0x2000), answers to
/// challenges (0x8000).
const CAPABILITIES: u32 = 0xa209;
/// The longest packet that is taken.
const PACKET_MAX: u32 = 1 << 24;
/// utf8mb4.
const CHARSET: u8 = 45;

/// Takes the server's greeting and says who this is.
pub(super) fn greet(stream: &mut (impl Read + Write), user: &str, database: &str) -> io::Result<()> {
    let (number, greeting) = packet(stream)?;
    refused(&greeting)?;
    let mut body = [CAPABILITIES.to_le_bytes(), PACKET_MAX.to_le_bytes()].concat();
    body.push(CHARSET);
    body.extend([0; 23]);
    body.extend([user.as_bytes(), b"\0", b"\0", database.as_bytes(), b"\0"].concat());
    stream.write_all(&framed(number.wrapping_add(1), &body))?;
    let (_, answer) = packet(stream)?;
    match answer.first() {
        Some(0) => Ok(()),
        _ => refused(&answer).and_then(|()| Err(io::Error::other("the server wants more than a name"))),
    }
}

/// Runs a statement and gives the first column of its rows.
pub(super) fn query(stream: &mut (impl Read + Write), sql: &str) -> io::Result<Vec<String>> {
    stream.write_all(&framed(0, &[b"\x03", sql.as_bytes()].concat()))?;
    let (_, first) = packet(stream)?;
    refused(&first)?;
    if first.first() == Some(&0) {
        return Ok(Vec::new());
    }
    // Descriptions of the columns, and then the rows; each list has its end.
    while !ends(&packet(stream)?.1) {}
    let mut rows = Vec::new();
    loop {
        let (_, row) = packet(stream)?;
        refused(&row)?;
        if ends(&row) {
            return Ok(rows);
        }
        rows.push(first_column(&row));
    }
}

/// A packet: three bytes of length, its number, its body.
fn framed(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&length[..3], &[number], body].concat()
}

/// The next packet's number and body.
fn packet(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let [one, two, three, number] = head;
    let length = usize::try_from(u32::from_le_bytes([one, two, three, 0])).unwrap_or(usize::MAX);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((number, body))
}

/// An error of the server is ours.
fn refused(body: &[u8]) -> io::Result<()> {
    match body {
        [0xff, text @ ..] => Err(io::Error::other(String::from_utf8_lossy(text).into_owned())),
        _ => Ok(()),
    }
}

/// Whether a list ends with this packet.
fn ends(body: &[u8]) -> bool {
    body.first() == Some(&0xfe) && body.len() < 9
}

/// The first column of a row: a byte of length, as long as it is short, and its text.
fn first_column(row: &[u8]) -> String {
    let (length, text) = row.split_first().unwrap_or((&0, &[]));
    String::from_utf8_lossy(text.get(..usize::from(*length)).unwrap_or(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read, Write};

    use super::{first_column, framed, greet, query};

    /// A server whose answers are known beforehand.
    struct Server {
        answers: Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Server {
        fn new(answers: &[Vec<u8>]) -> Self {
            Self { answers: Cursor::new(answers.concat()), heard: Vec::new() }
        }
    }

    impl Read for Server {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.answers.read(into)
        }
    }

    impl Write for Server {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_greeting_is_answered_with_the_names() {
        let mut server = Server::new(&[framed(0, b"\x0aMariaDB"), framed(2, b"\0\0\0\x02\0\0\0")]);
        greet(&mut server, "writer", "lab").expect("is let in");
        assert_eq!(server.heard.get(3), Some(&1));
        assert!(server.heard.ends_with(b"writer\0\0lab\0"));
        let mut server = Server::new(&[framed(0, b"\xff\x10\x04Too many connections")]);
        assert!(greet(&mut server, "writer", "lab").is_err());
    }

    #[test]
    fn rows_are_read_and_errors_are_errors() {
        let end = b"\xfe\0\0\x02\0";
        let rows = [framed(1, b"\x01"), framed(2, b"\x03def"), framed(3, end), framed(4, b"\x0242"), framed(5, end)];
        assert_eq!(query(&mut Server::new(&rows), "select n from entries").expect("rows"), ["42"]);
        let done = [framed(1, b"\0\x01\0\x02\0\0\0")];
        assert!(query(&mut Server::new(&done), "insert").expect("done").is_empty());
        let read_only = [framed(1, b"\xff\x0a\x05#HY000read only")];
        assert!(query(&mut Server::new(&read_only), "insert").is_err());
        assert_eq!(first_column(&[]), "");
    }
}
