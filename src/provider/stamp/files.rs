//! Stamp's other calls: the invoice's PDF, its note's, the customer, the state.

use async_trait::async_trait;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;

use super::{Stamp, read};
use crate::provider::calls::{self, CallError, Calls, Fetch, Fetched, not_offered};
use crate::provider::http::{Broken, Request, is_loopback};
use crate::provider::json;
use crate::provider::session::Ask;

#[async_trait]
impl Calls for Stamp {
    async fn fetch(&self, what: Fetch, id: &str) -> Result<Fetched, CallError> {
        let path = match what {
            Fetch::Pdf => &self.paths.pdf,
            Fetch::NotePdf => &self.paths.note_pdf,
            Fetch::Customer => &self.paths.customer,
            Fetch::Status => &self.paths.status,
            Fetch::Crf0 => &self.paths.crf0,
            Fetch::Details => return Err(not_offered(what.name())),
        };
        let answer = self.about_for_a_person(path, id).await?;
        match what {
            Fetch::Pdf | Fetch::NotePdf => {
                let link = json::text(&answer, "FileUri");
                let link = link.ok_or_else(|| CallError::Unanswered("the answer has no FileUri".to_owned()))?;
                self.download(&link).await
            }
            _ => Ok(Fetched::Json(answer)),
        }
    }
}

impl Stamp {
    async fn about_for_a_person(&self, path: &str, id: &str) -> Result<Value, CallError> {
        let url = self.url(path, id).ok_or_else(|| CallError::Invalid("not an invoice's id".to_owned()))?;
        // JSON, although the document asks for XML in one place and shows JSON (PROVIDERS.md 1.5.4).
        let reply = self.session.read(Ask::get(url)).await?;
        match read(&reply) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(CallError::NotYet("the merchant has not completed the draft".to_owned())),
            Err(_) if reply.is_success() && reply.body.trim_ascii_start().starts_with(b"<") => {
                Err(CallError::Unanswered(format!("HTTP {}, but XML instead of JSON", reply.status)))
            }
            Err(_) => Err(calls::judge(&reply)
                .err()
                .unwrap_or_else(|| CallError::Unanswered("the answer is not an object".to_owned()))),
        }
    }

    /// Fetches the file at once: the link is a key to it for a day. It is shown nowhere, and our token does not go there.
    async fn download(&self, link: &str) -> Result<Fetched, CallError> {
        let unusable = || CallError::Unanswered("the file's address cannot be used".to_owned());
        let url = Url::parse(link).map_err(|_| unusable())?;
        let http = match url.scheme() {
            "http" if is_loopback(&url) => &self.session.http,
            "https" => self.files.as_ref().map_err(|err| CallError::Unanswered(err.to_string()))?,
            _ => return Err(unusable()),
        };
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/pdf, */*"))]);
        let request = Request { method: Method::GET, url, headers, body: None, again: false };
        let reply = http.read(request).await.map_err(|broken| {
            let (Broken::NotSent(why) | Broken::Unknown { why, .. }) = broken;
            CallError::Unanswered(format!("the file: {why}"))
        })?;
        if !reply.is_success() {
            return Err(CallError::Unanswered(format!("the file: HTTP {}", reply.status)));
        }
        calls::pdf(reply)
    }
}
