//! What can be typed of the commands that ask a provider directly.

use std::path::PathBuf;

use crate::domain::id::{AccountName, FiscalId};
use crate::provider::calls;
use chrono::NaiveDate;
use clap::{Args, Subcommand};

/// `fetch`.
#[derive(Debug, Args)]
pub struct Fetch {
    /// The document's key
    pub key: String,
    /// What to ask for
    #[arg(value_parser = what, value_name = "pdf|note-pdf|customer|status|crf0|details")]
    pub what: calls::Fetch,
    /// Write it to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `company`.
#[derive(Debug, Args)]
pub struct Company {
    #[command(subcommand)]
    pub command: CompanyCommand,
    /// The account to ask with; not needed when there is one that can
    #[arg(long, global = true, value_name = "NAME")]
    pub account: Option<AccountName>,
}

/// `company …`.
#[derive(Debug, Subcommand)]
pub enum CompanyCommand {
    /// All of them
    #[command(after_help = "Example:\n  staffetta company list --account shop-roma")]
    List,
    /// One
    #[command(after_help = "Example:\n  staffetta company show 12345678903")]
    Show {
        /// The company's VAT number
        fiscal_id: FiscalId,
    },
    /// Make one; a company that is there already with the same values is no error
    #[command(after_help = "Example:
  staffetta company add 12345678903 --name 'Bar Roma srl' --email bar@example.com --receipts true \\
      --tax-code RSSMRA80A01H501U --password-env FISCONLINE_PASSWORD --pin-env FISCONLINE_PIN")]
    Add {
        /// The company's VAT number
        fiscal_id: FiscalId,
        /// Its name
        #[arg(long)]
        name: String,
        /// Its e-mail address; cannot be changed later
        #[arg(long)]
        email: String,
        #[command(flatten)]
        settings: CompanySettings,
    },
    /// Change one; the provider's id will do as well as the VAT number
    #[command(after_help = "Example:
  staffetta company update 12345678903 --receipts true --callback receipt=https://till.example.com/hook")]
    Update {
        /// The company's VAT number
        fiscal_id: FiscalId,
        #[command(flatten)]
        settings: CompanySettings,
    },
    /// Delete one; refused by the provider once a receipt was sent
    #[command(after_help = "Example:\n  staffetta company remove 12345678903")]
    Remove {
        /// The company's VAT number
        fiscal_id: FiscalId,
    },
}

/// What can be set of a company.
#[derive(Debug, Args)]
pub struct CompanySettings {
    /// Whether receipts may be sent for it
    #[arg(long, value_name = "true|false")]
    pub receipts: Option<bool>,
    /// The tax code that logs in at the authority (Fisconline)
    #[arg(long, value_name = "CODE", requires_all = ["password_env", "pin_env"])]
    pub tax_code: Option<String>,
    /// The variable that holds the Fisconline password
    #[arg(long, value_name = "NAME", requires = "tax_code")]
    pub password_env: Option<String>,
    /// The variable that holds the Fisconline PIN
    #[arg(long, value_name = "NAME", requires = "tax_code")]
    pub pin_env: Option<String>,
    /// Where the provider calls back for an event; an empty URL ends it
    #[arg(long, value_name = "EVENT=URL", value_parser = callback)]
    pub callback: Vec<(String, Option<String>)>,
    /// A file with a JSON object: members of the provider's own that have no option here
    #[arg(long, value_name = "FILE")]
    pub body: Option<PathBuf>,
}

/// `receipts`.
#[derive(Debug, Args)]
pub struct Receipts {
    /// The account to ask with
    pub account: AccountName,
    /// Only of these VAT numbers
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub fiscal_id: Vec<FiscalId>,
    /// Only in these states: new, retry, submitted, ready, failed, voided
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub status: Vec<String>,
    /// Only of these types: sale, return, void
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub kind: Vec<String>,
    /// Only with this number of the authority
    #[arg(long, value_name = "NUMBER")]
    pub document_number: Option<String>,
    /// Only made on this day
    #[arg(long, value_name = "DAY")]
    pub created_at: Option<NaiveDate>,
    /// Only made before this day
    #[arg(long, value_name = "DAY")]
    pub created_before: Option<NaiveDate>,
    /// Only made after this day
    #[arg(long, value_name = "DAY")]
    pub created_after: Option<NaiveDate>,
    /// Only with this date of the authority
    #[arg(long, value_name = "DAY")]
    pub document_date: Option<NaiveDate>,
    /// Only with a date of the authority before this day
    #[arg(long, value_name = "DAY")]
    pub document_date_before: Option<NaiveDate>,
    /// Only with a date of the authority after this day
    #[arg(long, value_name = "DAY")]
    pub document_date_after: Option<NaiveDate>,
    /// Only returns and voids of this receipt
    #[arg(long, value_name = "REMOTE_ID")]
    pub parent: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Leave out so many first
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: u64,
}

fn callback(text: &str) -> Result<(String, Option<String>), String> {
    match text.split_once('=') {
        Some((event, url)) if !event.is_empty() => Ok((event.to_owned(), (!url.is_empty()).then(|| url.to_owned()))),
        _ => Err("write EVENT=URL, e.g. receipt=https://till.example.com/hook".to_owned()),
    }
}

fn what(text: &str) -> Result<calls::Fetch, String> {
    let all = calls::Fetch::ALL;
    all.into_iter()
        .find(|what| what.name() == text)
        .ok_or_else(|| format!("ask for one of {}", all.map(calls::Fetch::name).join(", ")))
}
