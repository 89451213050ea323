//! TLS for those who come by TCP, with a certificate that is given. One that is renewed on the disk is taken; a new one that
//! cannot be used leaves the one before in use.

use std::fs::File;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::config::Certificate;
use crate::storage::words;

/// When both files were changed last.
type Stamp = (SystemTime, SystemTime);

/// A certificate as it was read last.
#[derive(Debug)]
pub(super) struct Identity {
    files: Certificate,
    read: Mutex<Option<(Stamp, Arc<ServerConfig>)>>,
}

impl Identity {
    pub(super) const fn new(files: Certificate) -> Self {
        Self { files, read: Mutex::new(None) }
    }

    /// What the next connection is accepted with, if a certificate was read.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.as_ref().map(|(_, config)| TlsAcceptor::from(Arc::clone(config)))
    }

    /// Reads the files if they are others than before. May wait for a disk.
    ///
    /// # Errors
    /// They cannot be used: a sentence.
    pub(super) fn refresh(&self) -> Result<(), String> {
        let stamp = self.stamp()?;
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(known, _)| *known);
        if known != Some(stamp) {
            let config = Arc::new(self.load()?);
            *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, config));
        }
        Ok(())
    }

    fn stamp(&self) -> Result<Stamp, String> {
        let changed = |path: &Path| {
            let changed = std::fs::metadata(path).and_then(|file| file.modified());
            changed.map_err(|error| format!("{} cannot be read: {}", path.display(), words(&error)))
        };
        Ok((changed(&self.files.certificate)?, changed(&self.files.key)?))
    }

    fn load(&self) -> Result<ServerConfig, String> {
        let Certificate { certificate, key } = &self.files;
        let at = |path: &Path| {
            let path = path.display().to_string();
            move |why: String| format!("{path} cannot be used: {why}")
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_reader_iter(open(certificate)?).collect();
        let chain = chain.map_err(|error| at(certificate)(error.to_string()))?;
        if chain.is_empty() {
            return Err(at(certificate)("there is no certificate in it".to_owned()));
        }
        let private = PrivateKeyDer::from_pem_reader(open(key)?)
            .map_err(|_| at(key)("there is no private key in it".to_owned()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?.with_no_client_auth();
        let mut config =
            builder.with_single_cert(chain, private).map_err(|error| at(certificate)(error.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// A file that is no device and no pipe: those would be waited for.
fn open(path: &Path) -> Result<File, String> {
    let wrong = |why: &str| format!("{} cannot be read: {why}", path.display());
    let file = std::fs::metadata(path).map_err(|error| wrong(words(&error).as_ref()))?;
    if !file.is_file() {
        return Err(wrong("it is no file"));
    }
    File::open(path).map_err(|error| wrong(words(&error).as_ref()))
}

/// A connection: in clear, or with TLS, whose greeting is part of the first read or write, so that nobody who connects and
/// says nothing holds up the next one.
pub(super) enum Wire {
    Clear(TcpStream),
    Greeting(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) fn tls(acceptor: &TlsAcceptor, stream: TcpStream) -> Self {
        Self::Greeting(Box::new(acceptor.accept(stream)))
    }

    /// Waits for the end of the greeting, if there is one.
    fn greeted(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Greeting(accept) = self {
            *self = Self::Tls(Box::new(ready!(Pin::new(&mut **accept).poll(context))?));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.greeted(context))?;
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(context, buffer),
            Self::Greeting(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.greeted(context))?;
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
            Self::Greeting(_) => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(context),
            Self::Greeting(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(context),
            Self::Greeting(_) => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named_with_its_file() {
        let place = crate::testing::TempDir::new();
        let (certificate, key) = (place.path().join("cert.pem"), place.path().join("key.pem"));
        let identity = Identity::new(Certificate { certificate: certificate.clone(), key: key.clone() });
        let why = || identity.refresh().expect_err("cannot be used");
        assert!(why().contains("cert.pem cannot be read: "), "{}", why());
        std::fs::write(&certificate, "nothing").expect("is written");
        std::fs::write(&key, "nothing").expect("is written");
        assert!(why().ends_with("cert.pem cannot be used: there is no certificate in it"), "{}", why());
        std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .expect("is written");
        assert!(why().ends_with("key.pem cannot be used: there is no private key in it"), "{}", why());
        assert!(identity.acceptor().is_none());
        // Who opens a FIFO waits for its other end.
        std::fs::remove_file(&key).expect("is removed");
        crate::testing::fifo(&key);
        assert!(why().ends_with("key.pem cannot be read: it is no file"), "{}", why());
    }
}
