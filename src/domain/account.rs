//! What the core knows of an account: who it is, whose documents it takes, when it must be silent. No secrets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::calendar::Window;
use super::document::Kind;
use super::id::{AccountName, FiscalId};

/// The three providers that Staffetta speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// Openapi "Invoice" (IT-receipts).
    Openapi,
    /// A-Cube Smart Receipt.
    SmartReceipt,
    /// Stamp tax-free (OTELLO).
    Stamp,
}

impl ProviderKind {
    /// The name in configuration files and output.
    pub fn name(self) -> &'static str {
        match self {
            ProviderKind::Openapi => "openapi",
            ProviderKind::SmartReceipt => "smart-receipt",
            ProviderKind::Stamp => "stamp",
        }
    }

    /// Whether this provider has documents of this kind at all.
    pub fn takes(self, kind: Kind) -> bool {
        match self {
            ProviderKind::Openapi | ProviderKind::SmartReceipt => {
                matches!(kind, Kind::Receipt | Kind::Return | Kind::Void)
            }
            ProviderKind::Stamp => matches!(kind, Kind::Draft | Kind::NoteNumber | Kind::Void),
        }
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider must be openapi, smart-receipt or stamp")]
pub struct UnknownProvider;

impl FromStr for ProviderKind {
    type Err = UnknownProvider;
    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        [ProviderKind::Openapi, ProviderKind::SmartReceipt, ProviderKind::Stamp]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(UnknownProvider)
    }
}

/// An account as intake and planning see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name in the configuration.
    pub name: AccountName,
    /// Who is asked.
    pub provider: ProviderKind,
    /// The VAT numbers whose receipts it takes; empty for Stamp.
    pub fiscal_ids: Vec<FiscalId>,
    /// When nothing is submitted.
    pub blackout: Window,
}
