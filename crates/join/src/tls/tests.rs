//! Connections of two ends with the right code, a wrong one and none.

use rustls::server::ResolvesServerCertUsingSni;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Both ends of a handshake at once: whether the host and the guest came to an end.
async fn handshake(host: &TlsAcceptor, guest: &TlsConnector, name: ServerName<'static>) -> (bool, bool) {
    let (one, other) = tokio::io::duplex(64 << 10);
    meet(host, one, guest, other, name).await
}

async fn meet(
    host: &TlsAcceptor,
    one: DuplexStream,
    guest: &TlsConnector,
    other: DuplexStream,
    name: ServerName<'static>,
) -> (bool, bool) {
    let host = async {
        let Ok(mut stream) = host.accept(one).await else { return false };
        let mut word = [0; 4];
        stream.read_exact(&mut word).await.is_ok() && stream.write_all(&word).await.is_ok()
    };
    let guest = async {
        let Ok(mut stream) = guest.connect(name, other).await else { return false };
        let mut word = [0; 4];
        stream.write_all(b"word").await.is_ok() && stream.read_exact(&mut word).await.is_ok()
    };
    tokio::join!(host, guest)
}

#[test]
fn who_has_the_code_is_let_in_and_nobody_else() {
    runtime().block_on(async {
        let code = Code::generate().expect("randomness");
        let another = Code::generate().expect("randomness");
        let host = acceptor(&code).expect("a host");
        let (guest, name) = connector(&code).expect("a guest");
        assert_eq!(handshake(&host, &guest, name.clone()).await, (true, true));
        let (stranger, _) = connector(&another).expect("a guest");
        assert_eq!(handshake(&host, &stranger, name.clone()).await, (false, false), "a guest with another code");
        let impostor = acceptor(&another).expect("a host");
        assert_eq!(handshake(&impostor, &guest, name).await, (false, false), "a host with another code");
    });
}

/// Who only looks at what passes has the host's public key, and that opens nothing: the guest asks for the private one.
#[test]
fn a_guest_that_knows_the_hosts_key_alone_is_not_let_in() {
    runtime().block_on(async {
        let code = Code::generate().expect("randomness");
        let host = acceptor(&code).expect("a host");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let only = Only::new(&key(&code.host_seed()).expect("a key"), Arc::clone(&provider));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("a version")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(only))
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        let name = ServerName::try_from(code.host_name()).expect("a name");
        let guest = TlsConnector::from(Arc::new(config));
        assert_eq!(handshake(&host, &guest, name).await, (false, false));
    });
}

#[test]
fn another_version_of_tls_a_certificate_and_another_protocol_are_refused() {
    runtime().block_on(async {
        let code = Code::generate().expect("randomness");
        let host = acceptor(&code).expect("a host");
        let name = ServerName::try_from(code.host_name()).expect("a name");
        let guest = |versions: &[&'static rustls::SupportedProtocolVersion], alpn: &[u8], raw: bool| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let only = Only::new(&key(&code.host_seed()).expect("a key"), Arc::clone(&provider));
            let own = key(&code.guest_seed()).expect("a key");
            let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
            let builder =
                builder.expect("a version").dangerous().with_custom_certificate_verifier(Arc::new(Loose(only, raw)));
            let mut config = builder.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(own)));
            config.alpn_protocols = vec![alpn.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        let right = guest(&[&rustls::version::TLS13], ALPN, true);
        assert_eq!(handshake(&host, &right, name.clone()).await, (true, true), "the test's own guest works");
        let old = guest(&[&rustls::version::TLS12], ALPN, false);
        assert_eq!(handshake(&host, &old, name.clone()).await, (false, false), "TLS 1.2");
        let certificate = guest(&[&rustls::version::TLS13], ALPN, false);
        assert_eq!(handshake(&host, &certificate, name.clone()).await, (false, false), "wants a certificate");
        let other = guest(&[&rustls::version::TLS13], b"h2", true);
        assert_eq!(handshake(&host, &other, name).await, (false, false), "another protocol");
        // A host that has certificates and no raw keys has nothing to offer the guest.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("a version")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
        let impostor = TlsAcceptor::from(Arc::new(config));
        let (guest, name) = connector(&code).expect("a guest");
        assert_eq!(handshake(&impostor, &guest, name).await, (false, false), "a host with certificates");
    });
}

/// [`Only`], asking for raw keys or not.
#[derive(Debug)]
struct Loose(Only, bool);

impl ServerCertVerifier for Loose {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0.is_it(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.1
    }
}
