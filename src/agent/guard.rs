//! Who is let in: before a call reaches anything, its `Host`, `Origin` and token are looked at.

use std::net::SocketAddr;

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use secrecy::SecretString;

use super::reply::{self, Answer};
use super::token::Expected;

/// The way in.
pub(super) struct Guard {
    /// What TCP callers must know; none on the socket, whose file's mode is the guard.
    tcp: Option<Tcp>,
}

struct Tcp {
    token: Expected,
    /// What `Host` may say.
    hosts: Vec<String>,
}

impl Guard {
    /// For the socket.
    pub(super) fn socket() -> Guard {
        Guard { tcp: None }
    }

    /// For this address, with this token.
    pub(super) fn tcp(address: SocketAddr, token: &SecretString) -> Guard {
        let port = address.port();
        let mut hosts = vec![address.to_string(), format!("localhost:{port}")];
        if port == 80 {
            hosts.extend(hosts.clone().iter().filter_map(|host| host.strip_suffix(":80").map(str::to_owned)));
        }
        Guard { tcp: Some(Tcp { token: Expected::new(token), hosts }) }
    }

    /// Lets a call in, or says why not.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Box<Answer>> {
        let headers = request.headers();
        // Programs send none; a browser does whenever a page of somebody's calls.
        if headers.contains_key(ORIGIN) {
            return Err(refused(StatusCode::FORBIDDEN, "origin", "calls from web pages are not taken"));
        }
        let Some(tcp) = &self.tcp else { return Ok(()) };
        // A name that somebody has made to point here would let a page in: only our own names are ours.
        if !tcp.is_us(headers, request.uri()) {
            let why = format!("call this address by its own name: {}", tcp.hosts.join(" or "));
            return Err(refused(StatusCode::MISDIRECTED_REQUEST, "host", &why));
        }
        // A provider knows another secret: it is looked at with the callback.
        let callback = request.method() == Method::POST && request.uri().path().starts_with("/v1/callbacks/");
        if callback || bearer(headers).is_some_and(|said| tcp.token.is(said)) {
            return Ok(());
        }
        let why = "say `Authorization: Bearer TOKEN`; the token is in the file that the configuration names";
        let mut answer = reply::error(StatusCode::UNAUTHORIZED, "unauthorized", why);
        answer.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
        Err(Box::new(answer))
    }
}

impl Tcp {
    fn is_us(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let ours = |name: &str| self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
        let mut named = headers.get_all(HOST).iter();
        let host = named.next().and_then(|host| host.to_str().ok());
        host.is_some_and(ours) && named.next().is_none() && uri.authority().is_none_or(|name| ours(name.as_str()))
    }
}

/// The token of `Authorization: Bearer TOKEN`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let said = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = said.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn refused(status: StatusCode, code: &str, why: &str) -> Box<Answer> {
    Box::new(reply::error(status, code, why))
}
