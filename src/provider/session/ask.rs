//! A request before it has its token, and why it may have no answer.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use super::token::Token;
use crate::domain::id::Key;
use crate::domain::outcome::HoldAnswer;
use crate::provider::http::{Broken, Request};

/// A request before it has its token.
#[derive(Clone)]
pub(crate) struct Ask {
    pub method: Method,
    pub url: Url,
    pub accept: &'static str,
    pub content_type: Option<&'static str>,
    pub body: Option<Vec<u8>>,
    pub idempotency_key: Option<String>,
    /// Whether its answer names the id of a new document, by which an answer that is another's is known.
    pub names_new: bool,
}

impl Ask {
    pub(crate) fn get(url: Url) -> Ask {
        let accept = "application/json";
        let (content_type, body, idempotency_key) = (None, None, None);
        Ask { method: Method::GET, url, accept, content_type, body, idempotency_key, names_new: false }
    }

    pub(crate) fn with_json(method: Method, url: Url, body: Vec<u8>) -> Ask {
        Ask { method, content_type: Some("application/json"), body: Some(body), ..Ask::get(url) }
    }

    /// A submission, with our key: no provider here knows the header (PROVIDERS.md 4.1), it harms none, and it may
    /// serve a person who reads their logs.
    pub(crate) fn submission(method: Method, url: Url, body: Option<Vec<u8>>, key: &Key) -> Ask {
        let ask = match body {
            Some(body) => Ask::with_json(method, url, body),
            None => Ask { method, ..Ask::get(url) },
        };
        Ask { idempotency_key: Some(key.to_string()), ..ask }
    }

    /// A submission whose answer names the id of a new document.
    pub(crate) fn naming(self, names_new: bool) -> Ask {
        Ask { names_new, ..self }
    }

    pub(super) fn into_request(self, token: &Token) -> Result<Request, Broken> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(self.accept));
        if let Some(kind) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let bad = |what: &str| Broken::NotSent(format!("{what} cannot be sent in a header"));
        if let Some(key) = &self.idempotency_key {
            let value = HeaderValue::from_str(key).map_err(|_| bad("the key"))?;
            headers.insert(HeaderName::from_static("idempotency-key"), value);
        }
        headers.insert(AUTHORIZATION, token.header().ok_or_else(|| bad("the token"))?);
        Ok(Request { method: self.method, url: self.url, headers, body: self.body, again: self.names_new })
    }
}

/// Why a request has no answer to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing of the request proper left.
    NotSent(String),
    /// It may have arrived.
    Unknown { why: String, status: Option<u16>, skew_ms: Option<i64> },
    /// The login was told to wait.
    Deferred { why: String, retry_after: Option<Duration> },
    /// The credentials are refused, also after a renewal.
    Hold { hold: HoldAnswer, status: u16 },
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Trouble {
        match broken {
            Broken::NotSent(why) => Trouble::NotSent(why),
            Broken::Unknown { why, status, skew_ms } => Trouble::Unknown { why, status, skew_ms },
        }
    }
}

impl Trouble {
    /// In words.
    pub(crate) fn words(&self) -> &str {
        match self {
            Trouble::NotSent(why) | Trouble::Unknown { why, .. } | Trouble::Deferred { why, .. } => why,
            Trouble::Hold { hold, .. } => &hold.detail,
        }
    }
}
