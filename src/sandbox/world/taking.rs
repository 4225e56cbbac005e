//! Sales, returns and voids, as both receipt providers take them or say why not.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{ALREADY_VOIDED, Entry, NOT_RETURNABLE, NOT_VOIDABLE, Refusal, TOO_LATE, World};
use crate::domain::account::ProviderKind;
use crate::domain::check::{self, Context};
use crate::domain::document::{Kind, Receipt, Return, ReturnItem};
use crate::domain::input::{ReceiptInput, ReturnInput};
use crate::domain::totals;
use crate::sandbox::ask::Ask;
use crate::sandbox::authority::{self, Passage, Status};
use crate::sandbox::document::{Doc, DocTotals, Line, Terms};
use crate::sandbox::fault::Outcome;

impl World {
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
