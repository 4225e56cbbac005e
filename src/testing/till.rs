//! What tills do at the [machine](super::machine): they hand over documents, and the same key once more.

use super::action::Paper;
use super::machine::{Checked, Machine, pick};
use crate::domain::document::{Item, Kind, NewDocument, Parent, Receipt, Return, Void};
use crate::domain::money::Decimal;
use crate::domain::vat::VatRate;
use crate::error::Error;

impl Machine {
    fn document(&self, key: &str, kind: Kind, parent: Option<&str>, price: &str) -> Checked<NewDocument> {
        let parent = || Parent::Key(parent.unwrap_or_default().parse().expect("a key"));
        Ok(match kind {
            Kind::Return => Return::of(parent()).line(0, 1).into(),
            Kind::Void => Void::of(parent()),
            _ => {
                // Three VAT numbers: three lanes.
                let issuer = format!("it-{}", key.bytes().map(u32::from).sum::<u32>() % 3);
                let price: Decimal = price.parse().expect("an amount");
                let due = price.checked_add(price).ok_or("too much")?;
                let sale = Receipt::new(issuer.parse().expect("a VAT number"));
                let sale = sale.item(Item::new("Caffè", price, VatRate::Ten).quantity(2)).cash(due).build();
                sale.map_err(|violations| violations.to_string())?.into()
            }
        })
    }

    pub fn enqueue(&mut self, paper: Paper) -> Checked {
        let sales = || {
            let sales = self.model.docs.iter().filter(|(_, doc)| doc.kind == Kind::Receipt);
            sales.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        let (kind, parent) = match paper {
            Paper::Sale => (Kind::Receipt, None),
            Paper::Return(which) => (Kind::Return, pick(which, sales())),
            Paper::Void(which) => (Kind::Void, pick(which, sales())),
        };
        if kind != Kind::Receipt && parent.is_none() {
            return Ok(());
        }
        self.papers += 1;
        let key = format!("k{:03}", self.papers);
        let document = self.document(&key, kind, parent.as_deref(), "1.20")?;
        let mut next = self.model.clone();
        let expected = next.take(&key, kind, parent.as_deref());
        if expected.is_err() {
            next = self.model.clone();
        }
        let said = self.commit(next, |queue| match queue.enqueue(&key, document) {
            Ok(ticket) => Ok(Ok(ticket)),
            Err(Error::Rejected(rejection)) => Ok(Err(rejection)),
            Err(other) => Err(other),
        })?;
        match (said, expected) {
            (None, _) => Ok(()),
            (Some(Ok(ticket)), Ok(())) if !ticket.duplicate && Some(ticket.state) == self.state(&key) => Ok(()),
            (Some(Err(rejection)), Err(code)) if rejection.code == code => Ok(()),
            (Some(said), expected) => Err(format!("{key} as {kind} of {parent:?}: {said:?}, expected {expected:?}")),
        }
    }
    /// The same key once more.
    pub fn again(&mut self, which: u8, other_content: bool) -> Checked {
        let Some((key, doc)) = pick(which, self.model.docs.iter().collect()) else { return Ok(()) };
        let (key, doc) = (key.clone(), doc.clone());
        let kind = if other_content { Kind::Receipt } else { doc.kind };
        let price = if other_content { "7.50" } else { "1.20" };
        let document = self.document(&key, kind, doc.parent.as_deref(), price)?;
        let id = self.id(&key)?.to_string();
        match self.queue()?.enqueue(&key, document) {
            Ok(ticket) if !other_content && ticket.duplicate && ticket.id == id && ticket.state == doc.state => Ok(()),
            Err(Error::Rejected(rejection)) if other_content && rejection.code == "key_reused" => Ok(()),
            Err(Error::Journal(_)) if self.trouble => Ok(()),
            said => Err(format!("{key} once more (other content: {other_content}): {said:?}, and it is {doc:?}")),
        }
    }
}
