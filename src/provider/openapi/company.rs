//! Openapi's other calls: `IT-configurations`, the list of receipts, files.

use async_trait::async_trait;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::{KIND, Openapi, read, read_one};
use crate::provider::calls::{self, CallError, Calls, Fetch, Fetched, ReceiptFilter, contains, not_offered};
use crate::provider::classify::Seen;
use crate::provider::http::Reply;
use crate::provider::json::{text, unwrap_data};
use crate::provider::pages::{PAGE, Pages, rows};
use crate::provider::receipt;
use crate::provider::session::Ask;

impl Openapi {
    fn configuration(&self, fiscal_id: &str) -> Result<Url, CallError> {
        self.url(&["IT-configurations", fiscal_id]).ok_or_else(|| CallError::Invalid("not a fiscal id".to_owned()))
    }

    fn configurations(&self) -> Result<Url, CallError> {
        self.url(&["IT-configurations"]).ok_or_else(|| CallError::Invalid("not a base URL".to_owned()))
    }

    async fn change(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Reply, CallError> {
        let ask = match body {
            Some(body) => Ask::with_json(method, url, body.to_string().into_bytes()),
            None => Ask { method, ..Ask::get(url) },
        };
        Ok(self.session.read(ask).await?)
    }
}

#[async_trait]
impl Calls for Openapi {
    async fn fetch(&self, what: Fetch, id: &str) -> Result<Fetched, CallError> {
        let url = || self.url(&["IT-receipts", id]).ok_or_else(|| CallError::Invalid("not a receipt's id".to_owned()));
        match what {
            Fetch::Pdf => {
                // The document names the request's Content-Type, where one would expect Accept (S1): both say it.
                let pdf = "application/pdf";
                let ask = Ask { accept: pdf, content_type: Some(pdf), ..Ask::get(url()?) };
                calls::pdf(self.session.read(ask).await?)
            }
            Fetch::Status | Fetch::Details => {
                let reply = self.session.read(Ask::get(url()?)).await?;
                let row = read_one(&reply, id)?;
                Ok(Fetched::Json(if what == Fetch::Details { row } else { summary(&row) }))
            }
            Fetch::NotePdf | Fetch::Customer | Fetch::Crf0 => Err(not_offered(what.name())),
        }
    }

    async fn companies(&self) -> Result<Vec<Value>, CallError> {
        let reply = self.session.read(Ask::get(self.configurations()?)).await?;
        Ok(rows(read(&reply)?)?)
    }

    async fn company(&self, id: &str) -> Result<Value, CallError> {
        let reply = self.session.read(Ask::get(self.configuration(id)?)).await?;
        if reply.status == 404 {
            return Err(CallError::NotFound(crate::provider::classify::words(&reply)));
        }
        let answer = calls::judge(&reply)?;
        match unwrap_data(&answer) {
            row @ Value::Object(_) => Ok(row.clone()),
            _ => Err(CallError::Unanswered("the answer is not a configuration".to_owned())),
        }
    }

    async fn add_company(&self, body: &Value) -> Result<Value, CallError> {
        let id = text(body, "fiscal_id").ok_or_else(|| CallError::Invalid("fiscal_id is missing".to_owned()))?;
        let reply = self.change(Method::POST, self.configurations()?, Some(body)).await?;
        // There already: 409 says one document, 404 the other (PROVIDERS.md 1.5.17). Then the values decide.
        if matches!(reply.status, 404 | 409) {
            let there = self.company(&id).await.map_err(|_| {
                let said = crate::provider::classify::words(&reply);
                CallError::Unanswered(format!("{said}; and the configuration cannot be read"))
            })?;
            return if contains(&there, body) {
                Ok(there)
            } else {
                Err(CallError::Conflict(summary(&there).to_string()))
            };
        }
        Ok(unwrap_data(&calls::judge(&reply)?).clone())
    }

    async fn update_company(&self, id: &str, body: &Value) -> Result<Value, CallError> {
        let reply = self.change(Method::PATCH, self.configuration(id)?, Some(body)).await?;
        if reply.status == 404 {
            return Err(CallError::NotFound(crate::provider::classify::words(&reply)));
        }
        Ok(unwrap_data(&calls::judge(&reply)?).clone())
    }

    async fn update_credentials(&self, id: &str, body: &Value) -> Result<Value, CallError> {
        self.update_company(id, &json!({ "receipts_authentication": body })).await
    }

    async fn remove_company(&self, id: &str) -> Result<(), CallError> {
        let reply = self.change(Method::DELETE, self.configuration(id)?, None).await?;
        match reply.status {
            404 => Err(CallError::NotFound(crate::provider::classify::words(&reply))),
            _ => calls::judge(&reply).map(drop),
        }
    }

    async fn receipts(&self, filter: &ReceiptFilter, row: &mut (dyn FnMut(Value) + Send)) -> Result<u64, CallError> {
        let joined = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
        let filters: Vec<(&str, String)> = [
            ("fiscal_id", joined(&filter.fiscal_ids)),
            ("document_number", filter.document_number.clone()),
            ("status", joined(&filter.statuses)),
            ("type", joined(&filter.types)),
            ("created_at", filter.created_at.clone()),
            ("created_at[after]", filter.created_after.clone()),
            ("created_at[before]", filter.created_before.clone()),
            ("document_date", filter.document_date.clone()),
            ("document_date[after]", filter.document_after.clone()),
            ("document_date[before]", filter.document_before.clone()),
            ("parent_receipt_id", filter.parent_receipt_id.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let filters: Vec<(&str, &str)> = filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (mut pages, mut given) = (Pages::endless(), 0u64);
        let mut skip = usize::try_from(filter.skip).unwrap_or(usize::MAX);
        loop {
            let left = filter.limit.map_or(PAGE as u64, |limit| limit.saturating_sub(given));
            let limit = usize::try_from(left).unwrap_or(PAGE).min(PAGE);
            if limit == 0 {
                return Ok(given);
            }
            let reply = self.page_as_it_came(&filters, skip, limit, &mut Seen::default()).await?;
            let page = calls::listed(&reply, read(&reply).and_then(rows))?;
            skip = skip.saturating_add(page.len());
            let new = pages.take(page, |row| receipt::id_of(KIND, row))?;
            if new.is_empty() {
                return Ok(given);
            }
            for (_, one) in new.into_iter().take(limit) {
                given += 1;
                row(one);
            }
        }
    }
}

/// The few members that say where a receipt, or what a configuration, is.
fn summary(row: &Value) -> Value {
    const NAMES: [&str; 14] = [
        "id",
        "fiscal_id",
        "name",
        "email",
        "receipts",
        "type",
        "status",
        "document_number",
        "document_date",
        "transaction_id",
        "created_at",
        "error_code",
        "error_message",
        "parent_receipt_id",
    ];
    let members = NAMES.iter().filter_map(|name| Some(((*name).to_owned(), row.get(name)?.clone())));
    Value::Object(members.collect())
}
