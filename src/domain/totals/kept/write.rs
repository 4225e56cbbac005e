//! Writing totals.

use super::{CENT, DRAFT, RETURN, SALE};
use crate::domain::money::{Cents, EightPlaces, divide};
use crate::domain::totals::{DraftTotals, ReturnTotals, SaleTotals, Totals};

pub(super) fn pack(totals: &Totals) -> Vec<u8> {
    let mut out = Out(Vec::with_capacity(256));
    match totals {
        Totals::Sale(sale) => out.sale(sale),
        Totals::Return(returned) => out.returned(returned),
        Totals::Draft(draft) => out.draft(draft),
    }
    out.0
}

struct Out(Vec<u8>);

impl Out {
    /// What is left of a number, seven bits a byte.
    fn rest(&mut self, mut rest: u128) {
        while rest >= 0x80 {
            self.0.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    fn count(&mut self, count: usize) {
        self.rest(count as u128);
    }

    fn cents(&mut self, amount: Cents) {
        self.rest(folded(amount.units()));
    }

    fn eight(&mut self, amounts: &[EightPlaces]) {
        for amount in amounts {
            let (fine, number) = match divide(amount.units(), CENT) {
                (cents, 0) => (0, folded(cents)),
                _ => (1, folded(amount.units())),
            };
            let first = ((number & 0x3f) as u8) << 1 | fine;
            match number >> 6 {
                0 => self.0.push(first),
                rest => {
                    self.0.push(first | 0x80);
                    self.rest(rest);
                }
            }
        }
    }

    fn sale(&mut self, sale: &SaleTotals) {
        self.0.push(SALE);
        self.count(sale.items.len());
        for line in &sale.items {
            self.eight(&[line.gross_price, line.unit_price, line.gross_discount, line.unit_discount]);
            self.eight(&[line.taxable_amount, line.net_taxable_amount, line.vat_amount, line.total_amount]);
        }
        self.cents(sale.total_amount);
        self.eight(&[sale.total_amount_exact, sale.total_taxable_amount, sale.total_vat_amount]);
        self.eight(&[sale.total_discount, sale.total_gross_discount]);
        self.cents(sale.discount);
        self.cents(sale.paid_amount);
        self.cents(sale.total_uncollected_amount);
        self.cents(sale.amount_to_settle);
    }

    fn returned(&mut self, returned: &ReturnTotals) {
        self.0.push(RETURN);
        self.count(returned.items.len());
        for line in &returned.items {
            // An id is written with its length and one more, so that 0 says that there is none.
            self.count(line.id.as_ref().map_or(0, |id| id.len() + 1));
            self.0.extend_from_slice(line.id.as_deref().unwrap_or_default().as_bytes());
            self.eight(&[line.taxable_amount, line.unit_discount, line.net_taxable_amount]);
            self.eight(&[line.vat_amount, line.total_amount]);
        }
        self.cents(returned.total_amount);
        self.eight(&[returned.total_amount_exact, returned.total_taxable_amount]);
        self.eight(&[returned.total_vat_amount, returned.total_discount]);
    }

    fn draft(&mut self, draft: &DraftTotals) {
        self.0.push(DRAFT);
        self.count(draft.line_nets.len());
        draft.line_nets.iter().for_each(|net| self.cents(*net));
        for amount in [draft.gross_subtotal, draft.discount_gross, draft.gross_total, draft.net_subtotal] {
            self.cents(amount);
        }
        for amount in [draft.net_discount, draft.net_total] {
            self.count(usize::from(amount.is_some()));
            amount.into_iter().for_each(|amount| self.cents(amount));
        }
    }
}

/// The sign in the lowest bit.
fn folded(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}
