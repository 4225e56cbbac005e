//! What can be typed of a person's decisions; each has a reason, for the record.

use clap::Args;

use crate::domain::id::{AccountName, FiscalId, RemoteId};

/// `retry`.
#[derive(Debug, Args)]
pub struct Retry {
    /// The documents' keys
    #[arg(required = true, value_name = "KEY")]
    pub keys: Vec<String>,
    /// Why, for the record
    #[arg(long, default_value = "retried by hand", value_parser = reason)]
    pub reason: String,
}

/// `cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The documents' keys
    #[arg(required = true, value_name = "KEY")]
    pub keys: Vec<String>,
    /// Why, for the record
    #[arg(long, value_parser = reason)]
    pub reason: String,
}

/// `resolve`.
#[derive(Debug, Args)]
pub struct Resolve {
    /// The document's key
    pub key: String,
    /// The provider has it, under this id
    #[arg(long, value_name = "REMOTE_ID", required_unless_present = "not_accepted")]
    pub accepted: Option<RemoteId>,
    /// The provider does not have it: it is sent again
    #[arg(long, conflicts_with = "accepted")]
    pub not_accepted: bool,
    /// How you know, for the record
    #[arg(long, value_parser = reason)]
    pub reason: String,
}

/// `release`.
#[derive(Debug, Args)]
pub struct Release {
    /// The account
    pub account: AccountName,
    /// Only this fiscal id of it
    pub fiscal_id: Option<FiscalId>,
    /// Why, for the record
    #[arg(long, default_value = "released by hand", value_parser = reason)]
    pub reason: String,
}

/// A person's reason: not empty.
fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why, for the record".to_owned()),
        text => Ok(text.to_owned()),
    }
}
