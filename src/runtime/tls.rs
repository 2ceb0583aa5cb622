//! What every HTTP client of ours needs: a TLS provider, whether a host is this machine, what a failure was.

/// Installs ring as the process's TLS provider, unless one is there: without a provider the first handshake panics.
pub(in crate::runtime) fn install_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race to another thread is as good as winning it.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Whether a URL's host is this machine: `localhost` or a loopback address.
pub(in crate::runtime) fn is_this_machine(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The innermost cause: the outer ones only say that a request failed, and may hold the URL.
pub(in crate::runtime) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => "the request failed".into(),
        None => cause.to_string(),
    }
}
