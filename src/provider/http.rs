//! The one place that makes an HTTP client, and that says what a failed request proves (PROVIDERS.md 4.2).
//!
//! No redirects, no retries, no environment proxies, HTTP/1.1 only; connect and total time-outs; answers are read up
//! to [`MAX_ANSWER`] bytes. Which connection a submission takes, says [`kept`].

pub(crate) mod kept;

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode, Url};

use self::kept::{Ends, Habit, Trip, Way};
use super::classify::OTHERS_ANSWER;
use super::config::ConfigError;
use super::moment::Moment;
use super::turns;
use crate::clock::Clock;
use crate::domain::limits::{MAX_ANSWER, MAX_REASON, MAX_RETRY_AFTER_S};

const MAX_RETRY_AFTER: Duration = Duration::from_secs(MAX_RETRY_AFTER_S);

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
    /// Whether it may be submitted on a connection that was used before ([`kept`]).
    pub again: bool,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    /// When it wants to be asked again.
    pub retry_after: Option<Duration>,
    /// The provider's clock minus ours, in milliseconds.
    pub skew_ms: Option<i64>,
    pub body: Vec<u8>,
    /// When it arrived, by our clock.
    pub at: DateTime<Utc>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// No byte of the request left.
    NotSent(String),
    /// The request, or a part of it, may have arrived.
    Unknown { why: String, status: Option<u16>, skew_ms: Option<i64> },
}

/// The clients of an account: their connections are apart.
pub(crate) struct Http {
    own: Client,
    watched: Client,
    kept: Client,
    read: Client,
    habit: Habit,
    clock: Arc<dyn Clock>,
    wall: Duration,
}

/// How to connect.
#[derive(Clone)]
pub(crate) struct Wires<'a> {
    pub connect_timeout: Duration,
    pub answer_timeout: Duration,
    pub proxy: Option<&'a str>,
    /// Whether any of the addresses is https.
    pub tls: bool,
}

impl Http {
    pub(crate) fn new(wires: &Wires<'_>, clock: Arc<dyn Clock>) -> Result<Http, ConfigError> {
        Ok(Http {
            own: client(wires, 0, Duration::ZERO)?,
            watched: client(wires, 1, kept::WATCHED)?,
            kept: client(wires, usize::MAX, kept::IDLE)?,
            read: client(wires, 2, Duration::from_secs(20))?,
            habit: Habit::new(clock.clone()),
            clock,
            wall: wires.connect_timeout.saturating_add(wires.answer_timeout),
        })
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Now, by both clocks.
    pub(crate) fn moment(&self) -> Moment {
        Moment::of(&*self.clock)
    }

    /// The longest that one request may take.
    pub(crate) fn wall(&self) -> Duration {
        self.wall
    }

    /// Sends a submission. With a successful answer comes its trip: who reads the answer says whether it is this one's.
    pub(crate) async fn submit(&self, request: Request) -> Result<(Reply, Option<Trip<'_>>), Broken> {
        turns::count();
        let trip = self.habit.begin(request.again);
        let client = match trip.way() {
            Way::Own => &self.own,
            Way::Watched => &self.watched,
            Way::Kept => &self.kept,
        };
        match self.send(client, request).await {
            Ok((reply, ends)) => arrived(trip.arrived(ends), reply),
            Err(broken) => {
                if matches!(broken, Broken::NotSent(_)) {
                    trip.in_trouble()
                } else {
                    drop(trip)
                }
                Err(broken)
            }
        }
    }

    /// Sends a request that may be repeated without harm.
    pub(crate) async fn read(&self, request: Request) -> Result<Reply, Broken> {
        turns::wait().await;
        turns::count();
        Ok(self.send(&self.read, request).await?.0)
    }

    /// Sends a request; with the answer, the ends of its connection, if they are known.
    async fn send(&self, client: &Client, request: Request) -> Result<(Reply, Option<Ends>), Broken> {
        let mut builder = client.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let request = builder.build().map_err(|err| Broken::NotSent(describe(err)))?;
        let mut response = client.execute(request).await.map_err(no_answer)?;
        let now = self.clock.now();
        let status = response.status().as_u16();
        let (skew_ms, retry_after) = clock_hints(response.headers(), now);
        let ends = response.extensions().get::<HttpInfo>().map(|info| (info.local_addr(), info.remote_addr()));
        let broken = |why: String| Broken::Unknown { why, status: Some(status), skew_ms };
        let mut body = Vec::new();
        loop {
            let chunk = response
                .chunk()
                .await
                .map_err(|err| broken(format!("HTTP {status}, and the answer broke off: {}", describe(err))))?;
            let Some(chunk) = chunk else { break };
            if body.len().saturating_add(chunk.len()) > MAX_ANSWER {
                return Err(broken(format!("HTTP {status}, and the answer is longer than {MAX_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((Reply { status, retry_after, skew_ms, body, at: now }, ends))
    }
}

/// An answer, if it can be this request's; of a successful one its trip, too.
fn arrived(trip: Trip<'_>, reply: Reply) -> Result<(Reply, Option<Trip<'_>>), Broken> {
    let (status, skew_ms) = (reply.status, reply.skew_ms);
    if trip.is_mixed() {
        trip.anothers();
        let why = format!("{OTHERS_ANSWER}: HTTP {status} on a connection that gave one");
        return Err(Broken::Unknown { why, status: Some(status), skew_ms });
    }
    if reply.is_success() {
        return Ok((reply, Some(trip)));
    }
    // So some servers say that they close an idle connection, whatever was sent on it meanwhile.
    if status == StatusCode::REQUEST_TIMEOUT.as_u16() {
        drop(trip);
    } else {
        trip.in_trouble();
    }
    Ok((reply, None))
}

impl Reply {
    /// An answer from its parts.
    pub(crate) fn from_parts(status: u16, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Reply {
        let (skew_ms, retry_after) = clock_hints(headers, now);
        Reply { status, retry_after, skew_ms, body: body.to_vec(), at: now }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A client that keeps so many connections, each idle for no longer than that.
fn client(wires: &Wires<'_>, kept: usize, idle: Duration) -> Result<Client, ConfigError> {
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(kept)
        .pool_idle_timeout(idle)
        .http1_only()
        .referer(false)
        .no_proxy()
        .connect_timeout(wires.connect_timeout)
        .timeout(wires.connect_timeout.saturating_add(wires.answer_timeout))
        .user_agent(concat!("staffetta/", env!("CARGO_PKG_VERSION")));
    if kept == 0 {
        // Five calls of the system to watch over a connection that lives no longer than its time-out.
        builder =
            builder.tcp_keepalive(None).tcp_keepalive_interval(None).tcp_keepalive_retries(None).tcp_user_timeout(None);
    }
    if !wires.tls {
        // Loopback only: a machine without a store of authorities must be able to play with the sandbox.
        builder = builder.tls_certs_only([]);
    }
    if let Some(proxy) = wires.proxy {
        let proxy = reqwest::Proxy::all(proxy).map_err(|_| ConfigError::Proxy)?;
        builder = builder.proxy(proxy.no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.0/8,::1")));
    }
    builder.build().map_err(|err| ConfigError::Client(describe(err)))
}

/// Reads a base URL: https, or plain http to this machine; no credentials, query or fragment.
pub(crate) fn base_url(name: &'static str, text: &str) -> Result<Url, ConfigError> {
    let bad = |why: &'static str| ConfigError::Url { name, why };
    let url = Url::parse(text.trim()).map_err(|_| bad("not a URL"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(bad("plain http is taken only for this machine (127.0.0.1, [::1], localhost); use https"));
        }
        _ => return Err(bad("the URL must begin with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("a URL must not hold a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("a base URL must have neither ? nor #"));
    }
    if url.as_str().parse::<hyper::Uri>().is_err() {
        return Err(bad("a URL that cannot be asked for"));
    }
    match url.host_str() {
        None | Some("") => Err(bad("a URL needs a host")),
        Some(_) => Ok(url),
    }
}

/// Whether the URL points to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `base` with more path segments, each escaped. `None` when a segment would change the meaning of the path.
pub(crate) fn join(base: &Url, segments: &[&str]) -> Option<Url> {
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return None;
    }
    let mut url = base.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(segments);
    Some(url)
}

/// What a request that failed proves: only an error of connecting shows that nothing left.
fn no_answer(err: reqwest::Error) -> Broken {
    let (connect, timeout) = (err.is_connect(), err.is_timeout());
    let text = describe(err);
    if !connect {
        let what = if timeout { "no answer in time" } else { "the connection broke before the answer" };
        return Broken::Unknown { why: format!("{what}: {text}"), status: None, skew_ms: None };
    }
    Broken::NotSent(if text.contains("certificate") {
        format!("the provider's TLS certificate is not trusted: {text}")
    } else if timeout {
        format!("no connection in time: {text}")
    } else {
        text
    })
}

/// The error with its causes, without the address (which may hold ids) and cut to a sensible length.
fn describe(err: reqwest::Error) -> String {
    // What the layers of the client say of themselves tells nobody anything.
    const NOISE: [&str; 4] =
        ["error sending request", "client error", "error decoding response body", "request or response body error"];
    let err = err.without_url();
    let whole = err.to_string();
    let mut causes: Vec<String> = Vec::new();
    let mut source = err.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !NOISE.iter().any(|noise| text.starts_with(noise)) && !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        source = cause.source();
    }
    clip(&if causes.is_empty() { whole } else { causes.join(": ") })
}

/// At most [`MAX_REASON`] characters, without control characters: a provider's words end in logs and on terminals.
pub(crate) fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(MAX_REASON).collect()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The provider's clock minus ours, and when it wants to be asked again.
fn clock_hints(headers: &HeaderMap, now: DateTime<Utc>) -> (Option<i64>, Option<Duration>) {
    let date = header(headers, DATE.as_str()).and_then(http_date);
    // The header has whole seconds: half a second more is the middle of what it can mean.
    let skew = date.map(|date| (date - now).num_milliseconds().saturating_add(500));
    let retry_after = header(headers, RETRY_AFTER.as_str()).and_then(|text| {
        let text = text.trim();
        let wait = match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => MAX_RETRY_AFTER,
            Err(_) => (http_date(text)? - date.unwrap_or(now)).to_std().unwrap_or(Duration::ZERO),
        };
        Some(wait.min(MAX_RETRY_AFTER))
    });
    (skew, retry_after)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?))).collect()
    }

    #[test]
    fn plain_http_only_to_this_machine() {
        for fine in
            ["https://invoice.openapi.com", "http://127.0.0.1:7070/openapi", "http://[::1]:1", "http://localhost/"]
        {
            assert!(base_url("base_url", fine).is_ok(), "{fine}");
        }
        for bad in [
            "http://invoice.openapi.com",
            "http://127.0.0.1.evil.com/",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "https://u:p@h.com",
            "https://h.com/?a=1",
            "nonsense",
            "",
        ] {
            assert!(base_url("base_url", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_cannot_change_the_path() {
        let base = Url::parse("http://127.0.0.1/a/").unwrap();
        let joined = |id| join(&base, &["IT-receipts", id]).map(|url| url.to_string());
        assert_eq!(joined("x/../y?z#"), Some("http://127.0.0.1/a/IT-receipts/x%2F..%2Fy%3Fz%23".to_owned()));
        for bad in ["", ".", ".."] {
            assert_eq!(joined(bad), None);
        }
    }

    #[test]
    fn the_clocks_of_the_answer() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let hints = |pairs: &[(&'static str, &str)]| clock_hints(&headers(pairs), now);
        let date = "Sun, 22 Nov 2026 10:00:05 GMT";
        assert_eq!(hints(&[("date", date)]), (Some(5500), None));
        assert_eq!(hints(&[("retry-after", "7")]), (None, Some(Duration::from_secs(7))));
        assert_eq!(hints(&[("retry-after", "99999999999999999999999")]).1, Some(MAX_RETRY_AFTER));
        assert_eq!(hints(&[("retry-after", "86400")]).1, Some(MAX_RETRY_AFTER));
        let later = "Sun, 22 Nov 2026 10:01:05 GMT";
        assert_eq!(hints(&[("date", date), ("retry-after", later)]).1, Some(Duration::from_secs(60)));
        assert_eq!(hints(&[("retry-after", "Sat, 21 Nov 2026 10:01:05 GMT")]).1, Some(Duration::ZERO));
        assert_eq!(hints(&[("retry-after", "soon"), ("date", "now")]), (None, None));
    }
}
