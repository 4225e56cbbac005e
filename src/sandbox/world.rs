//! Everything the sandbox remembers, and what both receipt providers do alike. One lock, synchronous functions: what a
//! request does happens at once and whole, whatever becomes of its connection.

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::domain::account::ProviderKind;
use crate::domain::check::{self, Context, Violation};
use crate::domain::document::{Kind, Receipt, Return, ReturnItem};
use crate::domain::id::FiscalId;
use crate::domain::input::{ReceiptInput, ReturnInput};
use crate::domain::totals;

use super::ask::Ask;
use super::authority::{self, Passage, Status};
use super::configuration::Configuration;
use super::document::{Doc, DocTotals, Line, Terms};
use super::fault::Outcome;
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

    /// Takes a sale, or says what is wrong with it.
    pub fn take_sale(
        &mut self,
        provider: ProviderKind,
        ask: &Ask,
        input: &ReceiptInput,
        request_items: Value,
        tags: Option<Value>,
    ) -> Result<usize, Refusal> {
        let known = self.fiscal_ids(provider);
        let context = Context { provider: Some(provider), fiscal_ids: Some(&known), now: Some(ask.at) };
        let receipt = check::receipt(input, &context).map_err(Refusal::Violations)?;
        self.must_be_open(provider, ask)?;
        let Some(totals) = totals::sale(&receipt) else {
            return Err(Refusal::State("The amounts are too large"));
        };
        let mut left = totals::parent_lines(&receipt, &totals);
        let mut lines = Vec::new();
        for ((item, computed), left) in receipt.items.iter().zip(&totals.items).zip(&mut left) {
            let line = Line::of(self.ids.item(), item, computed);
            left.id = Some(line.id.clone());
            lines.push(line);
        }
        let mut doc = self.doc(provider, Kind::Receipt, ask, &receipt);
        doc.lines = lines;
        doc.left = left;
        doc.totals = DocTotals::of_sale(&totals);
        doc.request_items = request_items;
        doc.tags = tags;
        Ok(self.add(doc))
    }

    fn doc(&mut self, provider: ProviderKind, kind: Kind, ask: &Ask, receipt: &Receipt) -> Doc {
        Doc {
            provider,
            kind,
            id: self.new_id(provider, ask.at),
            fiscal_id: receipt.fiscal_id.to_string(),
            parent: None,
            children: Vec::new(),
            received_at: ask.at,
            passage: Passage::plan(&self.settings, provider, ask.at, &ask.outcome),
            lost: ask.outcome == Outcome::Lose,
            number: self.ids.document(),
            lines: Vec::new(),
            request_items: Value::Null,
            left: Vec::new(),
            totals: DocTotals::default(),
            terms: Terms::of(receipt),
            tags: None,
            idempotency_key: ask.header("idempotency-key").map(str::to_owned),
            after_returns: false,
        }
    }

    fn new_id(&mut self, provider: ProviderKind, at: DateTime<Utc>) -> String {
        match provider {
            ProviderKind::Openapi => self.ids.object_id(self.shown(at)),
            _ => self.ids.uuid(),
        }
    }

    fn add(&mut self, doc: Doc) -> usize {
        let index = self.docs.len();
        if let Some(parent) = doc.parent.and_then(|parent| self.docs.get_mut(parent)) {
            parent.children.push(index);
        }
        self.by_id.insert((doc.provider, doc.id.clone()), index);
        self.entries.push(Entry::Doc(index));
        self.docs.push(doc);
        index
    }

    fn must_be_open(&self, provider: ProviderKind, ask: &Ask) -> Result<(), Refusal> {
        // Openapi queues during the blackout, A-Cube cannot send (PROVIDERS.md 5).
        let shut = provider == ProviderKind::SmartReceipt && authority::is_shut(&self.settings, ask.at);
        if shut { Err(Refusal::Unavailable) } else { Ok(()) }
    }

    /// Takes a return of the document `id`.
    pub fn take_return(
        &mut self,
        provider: ProviderKind,
        ask: &Ask,
        id: &str,
        input: &ReturnInput,
    ) -> Result<usize, Refusal> {
        let (parent_index, parent) = self.find(provider, id).ok_or(Refusal::NotFound)?;
        let parent = parent.clone();
        let status = self.status(&parent, ask.at);
        if status == Status::Voided || self.is_being_voided(&parent, ask.at) {
            return Err(Refusal::State(ALREADY_VOIDED));
        }
        if parent.kind != Kind::Receipt || status == Status::Failed {
            return Err(Refusal::State(NOT_RETURNABLE));
        }
        // While the authority has not answered, the sale has no item ids, so none can match.
        let left = if status.is_issued() { parent.left.clone() } else { Vec::new() };
        let (Return { items, .. }, which) = check::return_of(input, &left).map_err(Refusal::Violations)?;
        self.must_be_open(provider, ask)?;
        let lines: Vec<_> = which.iter().filter_map(|index| left.get(*index)).collect();
        let Some(totals) = totals::returned(&items, &lines) else {
            return Err(Refusal::State("The amounts are too large"));
        };
        let mut doc = self.child(&parent, parent_index, Kind::Return, ask);
        for ((line, item), computed) in which.iter().zip(&items).zip(&totals.items) {
            if let Some(sold) = parent.lines.get(*line) {
                let id = self.ids.item();
                doc.lines.push(sold.returned(id, item.quantity, computed));
            }
        }
        doc.totals = DocTotals::of_return(&totals);
        if !matches!(ask.outcome, Outcome::Fail { .. } | Outcome::Lose) && doc.passage.failed.is_none() {
            self.take_back(parent_index, &which, &items);
        }
        Ok(self.add(doc))
    }

    /// Returns are cumulative: what came back once cannot come back again.
    fn take_back(&mut self, parent: usize, which: &[usize], items: &[ReturnItem]) {
        let Some(parent) = self.docs.get_mut(parent) else { return };
        for (line, item) in which.iter().zip(items) {
            if let Some(left) = parent.left.get_mut(*line)
                && let Some(returned) = left.returned.checked_add(item.quantity)
            {
                left.returned = returned;
                if let Some(shown) = parent.lines.get_mut(*line) {
                    shown.returned = returned.normal().to_string();
                }
            }
        }
    }

    fn is_being_voided(&self, doc: &Doc, now: DateTime<Utc>) -> bool {
        let alive = |child: &Doc| child.passage.status(now) != Status::Failed && !child.lost;
        self.children(doc).any(|child| child.kind == Kind::Void && alive(child))
    }

    fn child(&mut self, parent: &Doc, parent_index: usize, kind: Kind, ask: &Ask) -> Doc {
        let passage = Passage::plan(&self.settings, parent.provider, ask.at, &ask.outcome);
        Doc {
            kind,
            id: self.new_id(parent.provider, ask.at),
            parent: Some(parent_index),
            children: Vec::new(),
            received_at: ask.at,
            passage,
            lost: ask.outcome == Outcome::Lose,
            number: self.ids.document(),
            lines: Vec::new(),
            request_items: Value::Null,
            left: Vec::new(),
            terms: parent.terms.unpaid(kind == Kind::Void),
            idempotency_key: ask.header("idempotency-key").map(str::to_owned),
            ..parent.clone()
        }
    }

    /// Takes a void of the document `id`. A sale with returns can be voided, as at the authority: it reverses the
    /// amount twice, and the ledger says so.
    pub fn take_void(&mut self, provider: ProviderKind, ask: &Ask, id: &str) -> Result<usize, Refusal> {
        let (parent_index, parent) = self.find(provider, id).ok_or(Refusal::NotFound)?;
        let parent = parent.clone();
        let status = self.status(&parent, ask.at);
        let again = status == Status::Voided || self.is_being_voided(&parent, ask.at);
        if again && self.settings.refuse_second_void {
            return Err(Refusal::State(ALREADY_VOIDED));
        }
        if parent.kind != Kind::Receipt || !status.is_issued() {
            return Err(Refusal::State(NOT_VOIDABLE));
        }
        let age = ask.at.signed_duration_since(parent.received_at);
        if provider == ProviderKind::Openapi && age >= TimeDelta::hours(24) {
            return Err(Refusal::State(TOO_LATE)); // A-Cube states no limit
        }
        self.must_be_open(provider, ask)?;
        let mut doc = self.child(&parent, parent_index, Kind::Void, ask);
        doc.tags = None; // S1's return carries its parent's tags, its void none
        for line in &parent.lines {
            let id = self.ids.item();
            doc.lines.push(Line { id, returned: "0".to_owned(), ..line.clone() });
        }
        doc.totals.total_uncollected_amount = "0.00".to_owned();
        doc.after_returns = parent.left.iter().any(|line| line.returned.is_positive());
        Ok(self.add(doc))
    }
}
