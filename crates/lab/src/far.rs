//! The stand-in cloud from far away: its API is reached by name, over TLS, and each way takes its time. Names, connections,
//! handshakes and requests are noted, so that it shows what a failover had to pay for.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::netns::spawn_in;
use crate::run::run;
use crate::{Cluster, Error};

/// Where the cloud's own API is, and with it the names.
const CLOUD: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// What it is called.
const NAME: &str = "api.digitalocean.com";
/// What hosts trust, as they have it.
const TRUSTED: &str = "/etc/far-ca.pem";
/// How long a name may be kept: shorter than anything here.
const NAME_SECONDS: [u8; 4] = [0, 0, 0, 1];
/// How often a thread looks whether it is over.
const LOOK: Duration = Duration::from_millis(200);
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(300);

/// What was paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paid {
    /// A name was looked up.
    Name,
    /// A connection was made.
    Connection,
    /// TLS was agreed on.
    Handshake,
    /// Something was asked.
    Request,
}

/// See the [module documentation](self). It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Far {
    paid: Arc<Mutex<Vec<(Instant, Paid)>>>,
    ended: Arc<AtomicBool>,
}

impl Far {
    /// Puts the cloud of a lab, whose daemons do not run yet, far away: `trip` is the time there and back.
    ///
    /// # Errors
    /// When there is no `openssl`, or the hosts cannot be told.
    pub(crate) fn new(cluster: &Cluster, trip: Duration) -> Result<Self, Error> {
        let folder = cluster.lab().directory().to_owned();
        certify(&folder)?;
        for host in cluster.lab().hosts() {
            host.boot_with(&format!(
                "sed -i '/{NAME}/d' /etc/hosts\necho 'nameserver {CLOUD}' >/etc/resolv.conf\ncp \"$dir/../far-ca.pem\" {TRUSTED}\n"
            ))?;
            host.give("SSL_CERT_FILE", TRUSTED.to_owned());
        }
        cluster.rewrite(&format!("api_url = \"http://{CLOUD}\""), &format!("api_url = \"https://{NAME}\""))?;
        let far = Self { paid: Arc::default(), ended: Arc::default() };
        let (config, half) = (Arc::new(config(&folder)?), trip / 2);
        let (paid, ended) = (Arc::clone(&far.paid), Arc::clone(&far.ended));
        // Bound where one waits for it, so that a failure is told.
        let listen = move || {
            let listener = TcpListener::bind(SocketAddr::from((CLOUD, 443)))?;
            let names = UdpSocket::bind(SocketAddr::from((CLOUD, 53)))?;
            listener.set_nonblocking(true)?;
            names.set_read_timeout(Some(LOOK))?;
            let (told, over) = (Arc::clone(&paid), Arc::clone(&ended));
            thread::spawn(move || answer_names(&names, half * 2, &told, &over));
            thread::spawn(move || accept(&listener, &config, half, &paid, &ended));
            Ok(())
        };
        let started = spawn_in(Some(cluster.lab().plan().cloud_namespace()), "far", listen)?.join();
        started
            .map_err(|_| Error::Invalid("the far cloud panicked".to_owned()))?
            .map_err(Error::system("no far cloud"))?;
        Ok(far)
    }

    /// How often something was paid for between two moments.
    pub(crate) fn count(&self, what: Paid, from: Instant, to: Instant) -> usize {
        let paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        paid.iter().filter(|(at, paid)| *paid == what && (from..=to).contains(at)).count()
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn note(paid: &Mutex<Vec<(Instant, Paid)>>, what: Paid) {
    paid.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), what));
}

/// An authority, and a certificate of its for the name.
fn certify(folder: &Path) -> Result<(), Error> {
    let file = |name: &str| folder.join(name).display().to_string();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let (authority, secret) = (file("far-ca.pem"), file("far-ca.key"));
    let own = ["-x509", "-days", "2", "-subj", "/CN=lab", "-keyout", &secret, "-out", &authority];
    run("openssl", &[&["req"], &key[..], &own[..]].concat())?;
    let (wish, subject) = (file("far.csr"), format!("/CN={NAME}"));
    let asked = ["-subj", &subject, "-keyout", &file("far.key"), "-out", &wish].map(str::to_owned);
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    run("openssl", &[&["req"], &key[..], &asked[..]].concat())?;
    let more = file("far.cnf");
    std::fs::write(&more, format!("subjectAltName=DNS:{NAME}\nbasicConstraints=CA:FALSE\n"))
        .map_err(Error::file(&more))?;
    let sign = ["x509", "-req", "-in", &wish, "-CA", &authority, "-CAkey", &secret, "-CAcreateserial", "-days", "2"];
    run("openssl", &[&sign[..], &["-extfile", &more, "-out", &file("far.pem")]].concat()).map(drop)
}

fn config(folder: &Path) -> Result<ServerConfig, Error> {
    let failed = |what: String| Error::Invalid(format!("no TLS for the far cloud: {what}"));
    // Only fails if it is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let read = |name: &str| -> Result<Vec<u8>, Error> {
        let (path, mut bytes) = (folder.join(name), Vec::new());
        File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(Error::file(&path))?;
        Ok(bytes)
    };
    let certificate = CertificateDer::from_pem_slice(&read("far.pem")?).map_err(|error| failed(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&read("far.key")?).map_err(|error| failed(error.to_string()))?;
    let built = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    built.map_err(|error| failed(error.to_string()))
}

/// Tells where the API is, after a while.
fn answer_names(socket: &UdpSocket, trip: Duration, paid: &Mutex<Vec<(Instant, Paid)>>, ended: &AtomicBool) {
    let mut question = [0; 512];
    while !ended.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
        let Some(answer) = named(&question[..length]) else { continue };
        note(paid, Paid::Name);
        let Ok(socket) = socket.try_clone() else { continue };
        // Each question is on its own way: those for both kinds of address are asked together.
        thread::spawn(move || {
            thread::sleep(trip);
            // Who is gone needs no answer.
            let _ = socket.send_to(&answer, from);
        });
    }
}

/// The answer to a question: this address, or for other kinds that there is none.
fn named(question: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *question.get(end)? != 0 {
        end += usize::from(*question.get(end)?) + 1;
    }
    end += 5;
    let is_address = question.get(end - 4..end)? == [0, 1, 0, 1];
    let mut answer = question.get(..end)?.to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    if is_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1]);
        answer.extend(NAME_SECONDS);
        answer.extend([0, 4]);
        answer.extend(CLOUD.octets());
    }
    Some(answer)
}

fn accept(
    listener: &TcpListener,
    config: &Arc<ServerConfig>,
    half: Duration,
    paid: &Arc<Mutex<Vec<(Instant, Paid)>>>,
    ended: &AtomicBool,
) {
    while !ended.load(Ordering::Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        note(paid, Paid::Connection);
        let (config, paid) = (Arc::clone(config), Arc::clone(paid));
        // A connection that breaks is its client's business.
        thread::spawn(move || drop(serve(stream, config, half, &paid)));
    }
}

/// A connection on which each turn takes a while.
struct Distant {
    stream: TcpStream,
    half: Duration,
    /// The last that passed came from here.
    answered: bool,
}

impl Read for Distant {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        if std::mem::take(&mut self.answered) {
            thread::sleep(self.half);
        }
        Ok(length)
    }
}

impl Write for Distant {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.answered, true) {
            thread::sleep(self.half);
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Passes requests on to the cloud, one after the other.
fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    half: Duration,
    paid: &Mutex<Vec<(Instant, Paid)>>,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    // The connection's own handshake goes there and back.
    thread::sleep(half * 2);
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut outside = StreamOwned::new(connection, Distant { stream, half, answered: true });
    while outside.conn.is_handshaking() {
        outside.conn.complete_io(&mut outside.sock)?;
    }
    note(paid, Paid::Handshake);
    let mut inside = TcpStream::connect(SocketAddr::from((CLOUD, 80)))?;
    inside.set_nodelay(true)?;
    loop {
        let request = message(&mut outside)?;
        note(paid, Paid::Request);
        inside.write_all(&request)?;
        let answer = message(&mut inside)?;
        outside.write_all(&answer)?;
        outside.flush()?;
    }
}

/// A request or an answer that says how long it is.
fn message(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let (mut bytes, mut part) = (Vec::new(), [0; 16 << 10]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok();
            let body: usize = head.lines().find_map(length).unwrap_or(0);
            if bytes.len() >= head.len() + 4 + body {
                return Ok(bytes);
            }
        }
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => bytes.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_address_and_no_other_kind() {
        let question = |kind: u8| {
            let mut bytes = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            bytes.extend(b"\x03api\x07example\x00\x00");
            bytes.extend([kind, 0, 1]);
            bytes
        };
        let answer = named(&question(1)).expect("is a question");
        assert!(answer.starts_with(&[7, 7, 0x81, 0x80, 0, 1, 0, 1]) && answer.ends_with(&[0, 4, 203, 0, 113, 1]));
        let none = named(&question(28)).expect("is a question");
        assert_eq!(none.get(6..8), Some(&[0, 0][..]));
        assert_eq!(named(&question(1)[..14]), None);
    }
}
