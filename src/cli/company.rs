//! `staffetta company`: the receipt provider's configurations of companies.

use serde_json::{Map, Value, json};

use super::args::{self, CompanyCommand, CompanySettings};
use super::ask::call_failed;
use super::config::Config;
use super::output::{self, Output, plain, table};
use super::trouble::Trouble;
use super::{Exit, connect};
use crate::domain::account::ProviderKind;
use crate::domain::id::AccountName;
use crate::provider::{Adapter, CallError};

/// Runs `company …`.
///
/// # Errors
/// [`Trouble`] when no account can be asked, a secret is missing or the output cannot be written.
pub fn run(args: &args::Company, config: &Config, out: &mut Output) -> Result<Exit, Trouble> {
    let (name, kind) = account(args, config)?;
    let provider = connect::reach(config, &name)?;
    let company = Company { provider: &*provider, kind };
    let runtime = super::runtime()?;
    let (what, answer) = match &args.command {
        CompanyCommand::List => match runtime.block_on(provider.companies()) {
            Ok(rows) => {
                print_list(&rows, out)?;
                return Ok(Exit::DONE);
            }
            Err(error) => (name.as_str(), Err(error)),
        },
        CompanyCommand::Show { fiscal_id } => {
            (fiscal_id.as_str(), runtime.block_on(provider.company(fiscal_id.as_str())))
        }
        CompanyCommand::Add { fiscal_id, name, email, settings } => {
            let mut body = company.body(settings)?;
            let credentials = company.credentials(settings)?;
            for (member, value) in [("fiscal_id", fiscal_id.as_str()), ("name", name), ("email", email)] {
                body.insert(member.to_owned(), json!(value));
            }
            (fiscal_id.as_str(), runtime.block_on(company.add(body, credentials)))
        }
        CompanyCommand::Update { fiscal_id, settings } => {
            let (body, credentials) = (company.body(settings)?, company.credentials(settings)?);
            if body.is_empty() && credentials.is_none() {
                return Err(Trouble::usage("nothing to change: see `staffetta company update --help`"));
            }
            (fiscal_id.as_str(), runtime.block_on(company.update(fiscal_id.as_str(), body, credentials)))
        }
        CompanyCommand::Remove { fiscal_id } => {
            let removed = runtime.block_on(provider.remove_company(fiscal_id.as_str()));
            (fiscal_id.as_str(), removed.map(|()| json!({"fiscal_id": fiscal_id, "removed": true})))
        }
    };
    match answer {
        Ok(value) => {
            print_one(&value, out)?;
            Ok(Exit::DONE)
        }
        Err(error) => call_failed(what, error, out),
    }
}

/// Which account asks: the one named, else the only one of Openapi, else the only one of a receipt provider.
fn account(args: &args::Company, config: &Config) -> Result<(AccountName, ProviderKind), Trouble> {
    let all: Vec<_> =
        config.accounts.iter().map(|known| (known.account.name.clone(), known.account.provider)).collect();
    let of = |kinds: &[ProviderKind]| {
        let mut fitting = all.iter().filter(|(_, kind)| kinds.contains(kind));
        fitting.next().filter(|_| fitting.next().is_none()).cloned()
    };
    if let Some(name) = &args.account {
        let known = all.iter().find(|(known, _)| known == name);
        return known.cloned().ok_or_else(|| Trouble::usage(format!("the configuration has no account {name}")));
    }
    of(&[ProviderKind::Openapi])
        .or_else(|| of(&[ProviderKind::Openapi, ProviderKind::SmartReceipt]))
        .ok_or_else(|| Trouble::usage("name the account of a receipt provider with --account NAME"))
}

/// A receipt provider, with its own names for things.
struct Company<'a> {
    provider: &'a dyn Adapter,
    kind: ProviderKind,
}

impl Company<'_> {
    /// What is to be set, in the provider's words, without the authority's credentials.
    fn body(&self, settings: &CompanySettings) -> Result<Map<String, Value>, Trouble> {
        let mut body = match &settings.body {
            Some(path) => read_object(path)?,
            None => Map::new(),
        };
        if let Some(receipts) = settings.receipts {
            let member = if self.kind == ProviderKind::Openapi { "receipts" } else { "receipts_enabled" };
            body.insert(member.to_owned(), json!(receipts));
        }
        if !settings.callback.is_empty() {
            if self.kind != ProviderKind::Openapi {
                return Err(Trouble::usage("--callback is for Openapi accounts"));
            }
            let events: Vec<Value> = settings
                .callback
                .iter()
                .map(|(event, url)| {
                    let callback = url.as_ref().map(|url| json!({"method": "JSON", "url": url}));
                    json!({"event": event, "callback": callback})
                })
                .collect();
            body.insert("api_configurations".to_owned(), Value::Array(events));
        }
        Ok(body)
    }

    /// The authority's credentials, from the environment.
    fn credentials(&self, settings: &CompanySettings) -> Result<Option<Value>, Trouble> {
        let CompanySettings { tax_code: Some(code), password_env: Some(password), pin_env: Some(pin), .. } = settings
        else {
            return Ok(None);
        };
        let read = |name: &String| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.ok_or_else(|| Trouble::new("secret_missing", format!("the variable {name} is not set: set it")))
        };
        Ok(Some(json!({"taxCode": code, "password": read(password)?, "pin": read(pin)?})))
    }

    async fn add(&self, mut body: Map<String, Value>, credentials: Option<Value>) -> Result<Value, CallError> {
        if self.kind == ProviderKind::Openapi {
            body.extend(credentials.map(|credentials| ("receipts_authentication".to_owned(), credentials)));
            return self.provider.add_company(&Value::Object(body)).await;
        }
        let added = self.provider.add_company(&Value::Object(body)).await?;
        if let Some(credentials) = credentials {
            let id = ["uuid", "id"].iter().find_map(|name| added.get(*name)?.as_str());
            let unknown =
                || CallError::Unanswered("made, but its id is not known: send the credentials again".to_owned());
            self.provider.update_credentials(id.ok_or_else(unknown)?, &credentials).await?;
        }
        Ok(added)
    }

    async fn update(
        &self,
        id: &str,
        mut body: Map<String, Value>,
        credentials: Option<Value>,
    ) -> Result<Value, CallError> {
        if self.kind == ProviderKind::Openapi {
            body.extend(credentials.map(|credentials| ("receipts_authentication".to_owned(), credentials)));
            return self.provider.update_company(id, &Value::Object(body)).await;
        }
        let mut answer = Value::Null;
        if !body.is_empty() {
            answer = self.provider.update_company(id, &Value::Object(body)).await?;
        }
        if let Some(credentials) = credentials {
            answer = self.provider.update_credentials(id, &credentials).await?;
        }
        Ok(answer)
    }
}

fn read_object(path: &std::path::Path) -> Result<Map<String, Value>, Trouble> {
    let trouble = |why: String| Trouble::new("input", format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| trouble(format!("cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| trouble(format!("is no JSON object: {error}")))
}

fn print_one(value: &Value, out: &mut Output) -> Result<(), Trouble> {
    if out.is_json() {
        return out.object(value);
    }
    match value {
        Value::Null => out.line("done"),
        value => out.line(serde_json::to_string_pretty(value).unwrap_or_default()),
    }
}

fn print_list(rows: &[Value], out: &mut Output) -> Result<(), Trouble> {
    if out.is_json() {
        return rows.iter().try_for_each(|row| out.object(row));
    }
    let mut table = table(&["fiscal id", "name", "email", "receipts"]);
    for row in rows {
        let cell = |name: &str| match row.get(name) {
            Some(Value::String(text)) => plain(text).into_owned(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        table.add_row([cell("fiscal_id"), cell("name"), cell("email"), cell("receipts")]);
    }
    out.line(output::text(table))
}
