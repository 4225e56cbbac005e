//! Sends callbacks: a POST over plain HTTP to an address of this machine, as Openapi would send it to the world. The
//! sandbox calls nobody else.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::callbacks::{self, Callback};
use super::edge::Shared;

/// How long a callback may take (OAS: 30 s).
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most times a callback is sent again, whatever its configuration says (OAS: 5).
const MAX_RETRIES: u32 = 5;

/// Sends what is due and has not been sent.
pub fn send_due(shared: &Arc<Shared>) {
    let now = shared.clock.now();
    let due = {
        let mut world = shared.world();
        let mut due = callbacks::due(&world, now);
        due.retain(|callback| !world.sent_callbacks.contains_key(&callback.id));
        for callback in &due {
            world.sent_callbacks.insert(callback.id.clone(), (now, 0)); // on its way
        }
        due
    };
    for callback in due {
        tokio::spawn(send(Arc::clone(shared), callback));
    }
}

async fn send(shared: Arc<Shared>, callback: Callback) {
    let mut code = 0;
    for attempt in 0..=callback.retries.min(MAX_RETRIES) {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_secs(1 << attempt)).await;
        }
        code = tokio::time::timeout(TIMEOUT, post(&callback)).await.ok().flatten().unwrap_or(0);
        if code == 200 {
            break;
        }
    }
    let now = shared.clock.now();
    shared.world().sent_callbacks.insert(callback.id, (now, code));
}

/// The status that one attempt got; `None` for no answer, or an address that is not this machine's.
async fn post(callback: &Callback) -> Option<u16> {
    let uri: Uri = callback.url.parse().ok()?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !loopback {
        return None;
    }
    let (content_type, body) = match callback.method.as_str() {
        "POST" => {
            let data = encode(&callback.body.to_string());
            ("application/x-www-form-urlencoded", format!("{}={data}", encode(&callback.field)))
        }
        _ => ("application/json", callback.body.to_string()),
    };
    let mut head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n",
        uri.path_and_query().map_or("/", |path| path.as_str()),
        uri.authority()?,
        body.len(),
    );
    for (name, value) in &callback.headers {
        let fine = axum::http::HeaderName::try_from(name).is_ok() && axum::http::HeaderValue::try_from(value).is_ok();
        if fine {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    let mut stream = TcpStream::connect((bare, uri.port_u16().unwrap_or(80))).await.ok()?;
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(1024).read_to_end(&mut answer).await.ok()?;
    let text = String::from_utf8_lossy(&answer);
    text.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

/// Percent-encoding of everything but letters and digits.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3 / 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
