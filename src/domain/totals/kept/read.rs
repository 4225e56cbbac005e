//! Reading them back: any bytes, without panic, each number in its one form.

use super::{CENT, DRAFT, RETURN, SALE};
use crate::domain::money::{Cents, EightPlaces};
use crate::domain::totals::{DraftTotals, ReturnLine, ReturnTotals, SaleLine, SaleTotals, Totals};

pub(super) fn unpack(bytes: &[u8]) -> Option<Totals> {
    let mut from = In(bytes);
    let totals = match from.byte()? {
        SALE => Totals::Sale(from.sale()?),
        RETURN => Totals::Return(from.returned()?),
        DRAFT => Totals::Draft(from.draft()?),
        _ => return None,
    };
    from.0.is_empty().then_some(totals)
}

fn unfolded(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

struct In<'a>(&'a [u8]);

impl In<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// The bits from `shift` on of a number whose lower ones are known.
    fn rest(&mut self, mut shift: u32) -> Option<u128> {
        let begin = shift;
        let mut number = 0u128;
        loop {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            let placed = bits.checked_shl(shift)?;
            if placed >> shift != bits {
                return None; // more bits than a number has
            }
            number |= placed;
            if byte & 0x80 == 0 {
                // A last byte of nothing is not how it is written, but for zero alone.
                return (byte != 0 || (shift == begin && begin == 0)).then_some(number);
            }
            shift += 7;
        }
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.rest(0)?).ok()
    }

    fn cents(&mut self) -> Option<Cents> {
        Some(Cents::new(unfolded(self.rest(0)?)))
    }

    fn eight(&mut self) -> Option<EightPlaces> {
        let first = self.byte()?;
        let more = if first & 0x80 == 0 { 0 } else { self.rest(6)? };
        let number = unfolded(more | u128::from(first >> 1 & 0x3f));
        match first & 1 {
            0 => number.checked_mul(CENT).map(EightPlaces::new),
            _ => (number % CENT != 0).then(|| EightPlaces::new(number)),
        }
    }

    fn id(&mut self) -> Option<Option<String>> {
        let Some(length) = self.count()?.checked_sub(1) else { return Some(None) };
        let (id, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(std::str::from_utf8(id).ok()?.to_owned()))
    }

    /// So many of something. Each has a byte at least: a count that cannot be takes no memory.
    fn many<T>(&mut self, one: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.count()?;
        let mut found = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            found.push(one(self)?);
        }
        Some(found)
    }

    fn sale(&mut self) -> Option<SaleTotals> {
        let line = |from: &mut Self| {
            Some(SaleLine {
                gross_price: from.eight()?,
                unit_price: from.eight()?,
                gross_discount: from.eight()?,
                unit_discount: from.eight()?,
                taxable_amount: from.eight()?,
                net_taxable_amount: from.eight()?,
                vat_amount: from.eight()?,
                total_amount: from.eight()?,
            })
        };
        Some(SaleTotals {
            items: self.many(line)?,
            total_amount: self.cents()?,
            total_amount_exact: self.eight()?,
            total_taxable_amount: self.eight()?,
            total_vat_amount: self.eight()?,
            total_discount: self.eight()?,
            total_gross_discount: self.eight()?,
            discount: self.cents()?,
            paid_amount: self.cents()?,
            total_uncollected_amount: self.cents()?,
            amount_to_settle: self.cents()?,
        })
    }

    fn returned(&mut self) -> Option<ReturnTotals> {
        let line = |from: &mut Self| {
            Some(ReturnLine {
                id: from.id()?,
                taxable_amount: from.eight()?,
                unit_discount: from.eight()?,
                net_taxable_amount: from.eight()?,
                vat_amount: from.eight()?,
                total_amount: from.eight()?,
            })
        };
        Some(ReturnTotals {
            items: self.many(line)?,
            total_amount: self.cents()?,
            total_amount_exact: self.eight()?,
            total_taxable_amount: self.eight()?,
            total_vat_amount: self.eight()?,
            total_discount: self.eight()?,
        })
    }

    fn draft(&mut self) -> Option<DraftTotals> {
        let line_nets = self.many(In::cents)?;
        let maybe = |from: &mut Self| match from.count()? {
            0 => Some(None),
            1 => from.cents().map(Some),
            _ => None,
        };
        Some(DraftTotals {
            gross_subtotal: self.cents()?,
            discount_gross: self.cents()?,
            gross_total: self.cents()?,
            line_nets,
            net_subtotal: self.cents()?,
            net_discount: maybe(self)?,
            net_total: maybe(self)?,
        })
    }
}
