//! A tax-free invoice at Stamp, from draft to customs.

use chrono::{DateTime, Utc};

use crate::domain::document::Draft;
use crate::domain::totals::DraftTotals;

use super::authority::later;
use super::settings::{CustomsStatus, Delay, Settings};

/// What a note or a cancel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaperKind {
    /// Debit note for the VAT.
    DebitVat,
    /// Credit note for goods.
    CreditGoods,
    /// Credit note for the VAT.
    CreditVat,
    /// The whole invoice cancelled.
    Cancel,
}

impl PaperKind {
    /// The name in the ledger: as in our own documents.
    pub fn name(self) -> &'static str {
        match self {
            PaperKind::DebitVat => "debit_vat",
            PaperKind::CreditGoods => "credit_goods",
            PaperKind::CreditVat => "credit_vat",
            PaperKind::Cancel => "cancel",
        }
    }
}

/// A note's number, or a cancel.
#[derive(Debug, Clone)]
pub struct Paper {
    /// Which.
    pub kind: PaperKind,
    /// The number given.
    pub number: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
}

/// A tax-free invoice.
#[derive(Debug, Clone)]
pub struct Invoice {
    /// For the portal.
    pub draft_id: String,
    /// For everything else.
    pub invoice_id: String,
    /// What was uploaded.
    pub draft: Draft,
    /// Computed from it.
    pub totals: DraftTotals,
    /// When it was uploaded.
    pub received_at: DateTime<Utc>,
    /// When somebody completed it.
    pub completed_at: Option<DateTime<Utc>>,
    /// What somebody made customs say.
    pub customs: Option<CustomsStatus>,
    /// Its id at OTELLO, given when it is completed.
    pub otello_id: String,
    /// Notes and cancels.
    pub papers: Vec<Paper>,
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
    /// Whether Stamp has lost it (a fault).
    pub lost: bool,
}

impl Invoice {
    /// When it was completed, if it was by `now`: by somebody, or by the merchant's own habit.
    pub fn completed(&self, settings: &Settings, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let habit = match settings.merchant_delay {
            Delay::After(delay) => {
                Some(later(self.received_at, chrono::TimeDelta::from_std(delay).unwrap_or(chrono::TimeDelta::MAX)))
            }
            Delay::Never => None,
        };
        self.completed_at.or(habit).filter(|at| *at <= now && !self.lost)
    }

    /// What customs say at `now`.
    pub fn customs(&self, settings: &Settings, now: DateTime<Utc>) -> CustomsStatus {
        if self.papers.iter().any(|paper| paper.kind == PaperKind::Cancel) {
            return CustomsStatus::Cancelled;
        }
        if let Some(customs) = self.customs {
            return customs;
        }
        match (self.completed(settings, now), settings.customs_delay) {
            (Some(completed), Delay::After(delay))
                if later(completed, chrono::TimeDelta::from_std(delay).unwrap_or(chrono::TimeDelta::MAX)) <= now =>
            {
                settings.customs_status
            }
            _ => CustomsStatus::Pending,
        }
    }

    /// Keeps what has happened so far, before other settings apply.
    pub fn freeze(&mut self, settings: &Settings, now: DateTime<Utc>) {
        self.completed_at = self.completed(settings, now).or(self.completed_at);
        if self.customs.is_none() && self.customs(settings, now) == settings.customs_status {
            let decided = matches!(settings.customs_delay, Delay::After(_)) && self.completed_at.is_some();
            self.customs = Some(settings.customs_status).filter(|_| decided);
        }
    }
}
