//! The guard over TLS.

use crate::guard_support::{Guarding, RawUpstream, chat_body, judge, whole};
use crate::support::Scratch;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/cert.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/key.pem");

/// A client that trusts the certificate of the tests alone.
fn client(address: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(CERTIFICATE).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    StreamOwned::new(connection, TcpStream::connect(address).expect("the guard listens"))
}

#[test]
fn guard_serves_over_tls_and_nothing_in_the_clear() {
    let scratch = Scratch::new();
    let judge = judge("never asked");
    let upstream = RawUpstream::that_says("application/json", whole("Fine."));
    let more = ["--tls-cert", CERTIFICATE, "--tls-key", KEY];
    let guard = Guarding::start(&scratch, &upstream.url, &judge.url, &more);
    let mut secure = client(&guard.address);
    let body = chat_body("Hello", false);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: guard\r\nconnection: close\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    secure.write_all(request.as_bytes()).expect("a request");
    let mut text = String::new();
    let _ = secure.read_to_string(&mut text);
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("Fine."), "{text}");
    let mut plain = TcpStream::connect(&guard.address).expect("the guard listens");
    plain.write_all(request.as_bytes()).expect("a request");
    let mut bytes = Vec::new();
    let _ = plain.read_to_end(&mut bytes);
    assert!(!String::from_utf8_lossy(&bytes).contains("HTTP/1.1"), "{bytes:?}");
}

#[test]
fn guard_names_the_file_that_is_no_certificate() {
    let scratch = Scratch::new();
    let guard = ["guard", "--constitution", "minimal", "--model", "m", "--base-url", "http://127.0.0.1:9/v1"];
    let told = scratch.run(&[&guard[..], &["--tls-cert", KEY, "--tls-key", KEY]].concat()).code(2).err;
    assert!(told.contains("key.pem` has no certificate"), "{told}");
    let told = scratch.run(&[&guard[..], &["--tls-cert", CERTIFICATE]].concat()).code(2).err;
    assert!(told.contains("--tls-key"), "{told}");
}
