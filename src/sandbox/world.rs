//! Everything the sandbox remembers, and what both receipt providers do alike. One lock, synchronous functions: what a
//! request does happens at once and whole, whatever becomes of its connection.

mod taking;

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::account::ProviderKind;
use crate::domain::check::Violation;
use crate::domain::document::Kind;
use crate::domain::id::FiscalId;

use super::authority::{self, Status};
use super::configuration::Configuration;
use super::document::Doc;
use super::ids::Ids;
use super::live::Live;
use super::log::Logged;
use super::oauth::OauthToken;
use super::settings::{Blackout, Credentials, Settings};
use super::stamp_invoice::Invoice;

/// An event in the order in which it happened, for the ledger.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    /// A document of a receipt provider.
    Doc(usize),
    /// A tax-free draft.
    Draft(usize),
    /// A note or a cancel of a tax-free invoice: which invoice, which of its papers.
    Paper(usize, usize),
}

/// The state of the three providers and the authority.
#[derive(Debug)]
pub struct World {
    /// Behaviour.
    pub settings: Settings,
    /// Where the sandbox listens, for the links it gives out.
    pub base_url: String,
    /// Receipt documents, in order of arrival.
    pub docs: Vec<Doc>,
    /// By provider and id.
    pub by_id: HashMap<(ProviderKind, String), usize>,
    /// Openapi's configurations, and A-Cube's.
    pub configurations: BTreeMap<(ProviderKind, String), Configuration>,
    /// Tax-free invoices.
    pub invoices: Vec<Invoice>,
    /// By `InvoiceId`.
    pub by_invoice: HashMap<String, usize>,
    /// By `DraftId`.
    pub by_draft: HashMap<String, usize>,
    /// Openapi's tokens.
    pub oauth: BTreeMap<String, OauthToken>,
    /// Tokens of an earlier generation are void.
    pub token_epoch: u64,
    /// The ledger's order.
    pub entries: Vec<Entry>,
    /// The plan of faults.
    pub live: Live,
    /// The last requests.
    pub log: VecDeque<Logged>,
    /// Requests ever.
    pub requests: u64,
    /// Ids to come.
    pub ids: Ids,
    /// Callbacks that were sent, when, and the status they got (0: no answer).
    pub sent_callbacks: HashMap<String, (DateTime<Utc>, u16)>,
}

/// Why a document cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing here has that id.
    NotFound,
    /// Rules broken.
    Violations(Vec<Violation>),
    /// Not in this state; in words.
    State(&'static str),
    /// The authority takes nothing now.
    Unavailable,
}

/// A-Cube's sentence (AC-SDK); also said of a parent that has no verdict yet.
pub const NOT_VOIDABLE: &str = "Only receipts in submitted and ready status can be voided";
/// No source has a wording.
pub const NOT_RETURNABLE: &str = "Only items of sale receipts in submitted and ready status can be returned";
/// No source has a wording.
pub const ALREADY_VOIDED: &str = "The receipt has already been voided";
/// S1 states the limit, not the wording.
pub const TOO_LATE: &str = "The receipt can be voided only within 24 hours from its submission";

impl World {
    /// A new world.
    pub fn new(settings: Settings, base_url: String, now: DateTime<Utc>) -> World {
        let mut world = World {
            ids: Ids::new(settings.seed),
            settings,
            base_url,
            docs: Vec::new(),
            by_id: HashMap::new(),
            configurations: BTreeMap::new(),
            invoices: Vec::new(),
            by_invoice: HashMap::new(),
            by_draft: HashMap::new(),
            oauth: BTreeMap::new(),
            token_epoch: 0,
            entries: Vec::new(),
            live: Live::default(),
            log: VecDeque::new(),
            requests: 0,
            sent_callbacks: HashMap::new(),
        };
        world.know_fiscal_ids(now);
        world
    }

    /// Forgets every document, token and request; settings and faults stay, the faults' counts begin anew.
    pub fn reset(&mut self, now: DateTime<Utc>) {
        let mut fresh = World::new(self.settings.clone(), self.base_url.clone(), now);
        fresh.live = self.live.again();
        if self.settings.seed.is_none() {
            fresh.ids = self.ids.clone(); // an id once given out is never given out again
        }
        (fresh.token_epoch, fresh.requests) = (self.token_epoch, self.requests);
        *self = fresh;
    }

    /// Changes the settings.
    pub fn set_settings(&mut self, settings: Settings, now: DateTime<Utc>) {
        for invoice in &mut self.invoices {
            invoice.freeze(&self.settings, now); // what has happened stays, whatever is said of later ones
        }
        let reopened = self.settings.blackout == Blackout::On && settings.blackout != Blackout::On;
        self.settings = settings;
        self.know_fiscal_ids(now);
        if reopened {
            let submitted = authority::later(now, self.settings.submit_delay.delta());
            for doc in self.docs.iter_mut().filter(|doc| doc.passage.parked) {
                doc.passage.settle(&self.settings, submitted);
            }
        }
    }

    fn know_fiscal_ids(&mut self, now: DateTime<Utc>) {
        for fiscal_id in self.settings.known_fiscal_ids.clone() {
            for provider in [ProviderKind::Openapi, ProviderKind::SmartReceipt] {
                if !self.configurations.contains_key(&(provider, fiscal_id.clone())) {
                    let id = match provider {
                        ProviderKind::Openapi => self.ids.object_id(now),
                        _ => self.ids.uuid(),
                    };
                    let known = Configuration::known(id, &fiscal_id, now);
                    self.configurations.insert((provider, fiscal_id.clone()), known);
                }
            }
        }
    }

    /// Whether a login is taken.
    pub fn login_is_good(&self, email: &str, password: &str) -> bool {
        let listed = |accepted: &Vec<Credentials>| accepted.iter().any(|c| c.email == email && c.password == password);
        !email.is_empty()
            && !password.is_empty()
            && !self.settings.rejected_passwords.iter().any(|rejected| rejected == password)
            && self.settings.accepted_credentials.as_ref().is_none_or(listed)
    }

    /// A time as a provider's clock shows it.
    pub fn shown(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let skew = TimeDelta::try_milliseconds(self.settings.clock_skew_ms).unwrap_or(TimeDelta::zero());
        authority::later(at, skew)
    }

    /// A document by its provider and id, unless the provider has lost it.
    pub fn find(&self, provider: ProviderKind, id: &str) -> Option<(usize, &Doc)> {
        let index = *self.by_id.get(&(provider, id.to_owned()))?;
        self.docs.get(index).filter(|doc| !doc.lost).map(|doc| (index, doc))
    }

    /// A document's state at `now`.
    pub fn status(&self, doc: &Doc, now: DateTime<Utc>) -> Status {
        let status = doc.passage.status(now);
        let voided =
            || self.children(doc).any(|child| child.kind == Kind::Void && child.passage.status(now).is_issued());
        if status.is_issued() && voided() { Status::Voided } else { status }
    }

    /// Returns and voids of a sale.
    pub fn children<'a>(&'a self, doc: &'a Doc) -> impl Iterator<Item = &'a Doc> {
        doc.children.iter().filter_map(|index| self.docs.get(*index))
    }

    /// The VAT numbers that a provider may issue for.
    pub fn fiscal_ids(&self, provider: ProviderKind) -> Vec<FiscalId> {
        // A-Cube's are known once receipts are enabled; Openapi says so in its own words.
        let enabled = |known: &Configuration| known.receipts || provider == ProviderKind::Openapi;
        let of = self.configurations.iter().filter(|((whose, _), known)| *whose == provider && enabled(known));
        of.filter_map(|((_, fiscal_id), _)| fiscal_id.parse().ok()).collect()
    }
}
