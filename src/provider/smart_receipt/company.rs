//! Smart Receipt's other calls: its list of receipts, files, and what is known of business registry configurations.

use async_trait::async_trait;
use reqwest::{Method, Url};
use serde_json::Value;

use super::{KIND, SmartReceipt, read_one};
use crate::provider::calls::{self, CallError, Calls, Fetch, Fetched, ReceiptFilter, not_offered};
use crate::provider::classify::{self, Seen};
use crate::provider::json::unwrap_data;
use crate::provider::pages::{Pages, rows};
use crate::provider::receipt;
use crate::provider::session::Ask;

impl SmartReceipt {
    fn registry(&self, more: &[&str]) -> Result<Url, CallError> {
        let segments = [&["business-registry-configurations"], more].concat();
        self.url(&segments).ok_or_else(|| CallError::Invalid("not a configuration's id".to_owned()))
    }

    async fn change(&self, method: Method, url: Url, body: &Value) -> Result<Value, CallError> {
        let reply = self.session.read(Ask::with_json(method, url, body.to_string().into_bytes())).await?;
        if reply.is_success() && reply.body.is_empty() {
            return Ok(Value::Null);
        }
        Ok(unwrap_data(&calls::judge(&reply)?).clone())
    }
}

#[async_trait]
impl Calls for SmartReceipt {
    async fn fetch(&self, what: Fetch, id: &str) -> Result<Fetched, CallError> {
        let url =
            |segments: &[&str]| self.url(segments).ok_or_else(|| CallError::Invalid("not a receipt's id".to_owned()));
        match what {
            Fetch::Pdf => {
                let ask = Ask { accept: "application/pdf", ..Ask::get(url(&["receipts", id, "details"])?) };
                calls::pdf(self.session.read(ask).await?)
            }
            Fetch::Status => {
                let reply = self.session.read(Ask::get(url(&["receipts", id])?)).await?;
                Ok(Fetched::Json(read_one(&reply, id)?))
            }
            Fetch::Details => {
                let reply = self.session.read(Ask::get(url(&["receipts", id, "details"])?)).await?;
                Ok(Fetched::Json(unwrap_data(&classify::read(&reply)?).clone()))
            }
            Fetch::NotePdf | Fetch::Customer | Fetch::Crf0 => Err(not_offered(what.name())),
        }
    }

    /// Not safe to repeat blindly: nothing says whether the provider refuses a second one for the same VAT number.
    async fn add_company(&self, body: &Value) -> Result<Value, CallError> {
        self.change(Method::POST, self.registry(&[])?, body).await
    }

    async fn update_company(&self, id: &str, body: &Value) -> Result<Value, CallError> {
        self.change(Method::PUT, self.registry(&[id])?, body).await
    }

    async fn update_credentials(&self, id: &str, body: &Value) -> Result<Value, CallError> {
        self.change(Method::PUT, self.registry(&[id, "credentials", "fisconline"])?, body).await
    }

    async fn receipts(&self, filter: &ReceiptFilter, row: &mut (dyn FnMut(Value) + Send)) -> Result<u64, CallError> {
        let unknown = [
            ("created_at", filter.created_at.is_some()),
            ("created_after", filter.created_after.is_some()),
            ("created_before", filter.created_before.is_some()),
            ("document_date", filter.document_date.is_some()),
            ("parent_receipt_id", filter.parent_receipt_id.is_some()),
        ];
        if let Some((name, _)) = unknown.iter().find(|(_, given)| *given) {
            return Err(not_offered(&format!("a list filtered by {name}")));
        }
        let (mut given, mut skip) = (0u64, filter.skip);
        // One value a list: nothing says that several are taken at once.
        for fiscal_id in each(&filter.fiscal_ids) {
            for status in each(&filter.statuses) {
                for kind in each(&filter.types) {
                    let filters = [
                        ("fiscal_id", fiscal_id),
                        ("status", status),
                        ("type", kind),
                        ("document_number", filter.document_number.as_deref()),
                        ("document_date[after]", filter.document_after.as_deref()),
                        ("document_date[before]", filter.document_before.as_deref()),
                    ];
                    let filters: Vec<(&str, &str)> =
                        filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                    let mut pages = Pages::endless();
                    for number in 1usize.. {
                        let reply = self.page_as_it_came(&filters, number, &mut Seen::default()).await?;
                        let page = calls::listed(&reply, classify::read(&reply).and_then(rows))?;
                        let new = pages.take(page, |one| receipt::id_of(KIND, one))?;
                        if new.is_empty() {
                            break;
                        }
                        for (_, one) in new {
                            if skip > 0 {
                                skip -= 1;
                                continue;
                            }
                            if filter.limit.is_some_and(|limit| given >= limit) {
                                return Ok(given);
                            }
                            given += 1;
                            row(one);
                        }
                    }
                }
            }
        }
        Ok(given)
    }
}

/// Each of the values, or once no value.
fn each(values: &[String]) -> impl Iterator<Item = Option<&str>> {
    let none = values.is_empty().then_some(None);
    values.iter().map(|value| Some(value.as_str())).chain(none)
}
