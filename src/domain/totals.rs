//! Totals (PROVIDERS.md 2): computed exactly, each published field rounded once, half away from zero. They are journaled
//! with the document ([`Kept`]) and never computed again by newer rules.

mod compare;
mod draft;
mod exact;
mod kept;
mod returned;
mod sale;

use serde::{Serialize, Serializer};

pub use compare::differences;
pub use draft::{DraftTotals, draft, draft_of_input};
pub use kept::{BadTotals, Kept};
pub use returned::{ReturnLine, ReturnTotals, returned};
pub use sale::{SaleLine, SaleTotals, due, parent_lines, sale, sale_of_input};

pub(crate) use draft::gross as draft_gross;
pub(crate) use sale::{Due, Line};

use super::document::{Body, Kind};
use super::money::Cents;

/// The totals of a document, with the field names of `tests/vectors/`; in JSON just the fields, amounts as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Totals {
    /// Of a sale; of a void, which mirrors its parent.
    Sale(SaleTotals),
    /// Of a return.
    Return(ReturnTotals),
    /// Of a tax-free invoice.
    Draft(DraftTotals),
}

impl Totals {
    /// The totals of a sale or a draft, which need nothing but the document. `None` for the other kinds.
    pub fn of(body: &Body) -> Option<Totals> {
        match body {
            Body::Receipt(receipt) => sale(receipt).map(Totals::Sale),
            Body::Draft(document) => draft(document).map(Totals::Draft),
            Body::Return(_) | Body::Void(_) | Body::NoteNumber(_) => None,
        }
    }

    /// Compact JSON, as shown.
    ///
    /// # Errors
    /// None in practice: texts always serialise.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Reads back what [`to_json`](Totals::to_json) wrote for a document of this kind.
    ///
    /// # Errors
    /// When the text is not that.
    pub fn from_json(kind: Kind, json: &str) -> serde_json::Result<Totals> {
        match kind {
            Kind::Receipt => serde_json::from_str(json).map(Totals::Sale),
            Kind::Return => serde_json::from_str(json).map(Totals::Return),
            Kind::Draft => serde_json::from_str(json).map(Totals::Draft),
            // A void mirrors a sale; the cancelling of a tax-free invoice mirrors that.
            Kind::Void | Kind::NoteNumber => serde_json::from_str(json)
                .map(Totals::Sale)
                .or_else(|sale| serde_json::from_str(json).map(Totals::Draft).map_err(|_| sale)),
        }
    }
}

impl Serialize for Totals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Totals::Sale(totals) => totals.serialize(serializer),
            Totals::Return(totals) => totals.serialize(serializer),
            Totals::Draft(totals) => totals.serialize(serializer),
        }
    }
}

/// The totals of a void: the parent's, with no payments; the discount stays (PROVIDERS.md 2.4, measured).
pub fn void(parent: &Totals) -> Totals {
    match parent {
        Totals::Sale(sale) => Totals::Sale(SaleTotals {
            paid_amount: Cents::default(),
            total_uncollected_amount: Cents::default(),
            ..sale.clone()
        }),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_compact_and_comes_back() {
        let line = SaleLine { gross_price: "1.00000000".parse().unwrap(), ..SaleLine::default() };
        let sale = SaleTotals {
            items: vec![line],
            total_amount: "1.00".parse().unwrap(),
            discount: "0.10".parse().unwrap(),
            paid_amount: "0.50".parse().unwrap(),
            total_uncollected_amount: "0.40".parse().unwrap(),
            ..SaleTotals::default()
        };
        let sale = Totals::Sale(sale);
        let draft = Totals::Draft(DraftTotals { net_total: None, ..DraftTotals::default() });
        for (kind, totals) in [
            (Kind::Receipt, sale.clone()),
            (Kind::Void, void(&sale)),
            (Kind::Return, Totals::Return(ReturnTotals::default())),
            (Kind::Draft, draft.clone()),
            (Kind::Void, void(&draft)),
        ] {
            let json = totals.to_json().unwrap();
            assert!(!json.contains(' ') && !json.contains('\n'));
            assert_eq!(Totals::from_json(kind, &json).unwrap(), totals);
        }
        assert!(Totals::from_json(Kind::Receipt, "{}").is_err());
        assert!(Totals::from_json(Kind::Void, "{}").is_err());
        assert!(draft.to_json().unwrap().contains(r#""net_total":null"#));
        let Totals::Sale(voided) = void(&sale) else { panic!("a void of a sale has a sale's totals") };
        assert_eq!((voided.paid_amount, voided.total_uncollected_amount), (Cents::new(0), Cents::new(0)));
        assert_eq!((voided.discount, voided.total_amount), (Cents::new(10), Cents::new(100)));
    }
}
