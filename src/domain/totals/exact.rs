//! Sums of prices without their VAT, exactly: fractions whose denominators are the divisors of all VAT rates.

use crate::domain::money::round_ratio;
use crate::domain::vat::VatRate;

/// A price divided by `1 + rate` is its digits divided by this: 12200 for 22 %, 10000 for the N codes.
pub(super) fn divisor(rate: VatRate) -> i128 {
    10_000 + i128::from(rate.basis_points())
}

/// A hundred times the least common multiple of the divisors of all rates. Every fraction of this module has a
/// denominator that divides it, and two of it fit in 128 bits many times over: so no sum of rates ever needs more.
const COMMON: i128 = 30_852_850_425_371_267_594_660_375_016_000_000;

/// A sum of fractions: a whole number and a rest of `rest / COMMON`, with `0 <= rest < COMMON`.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    whole: i128,
    rest: i128,
}

impl Sum {
    /// Adds `numerator / denominator`; `None` when it does not fit. The denominator is a divisor of a rate, or a hundred
    /// times that.
    fn add(&mut self, numerator: i128, denominator: i128) -> Option<()> {
        let (whole, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
        let rest = self.rest + rest * (COMMON / denominator); // both below COMMON
        let carry = i128::from(rest >= COMMON);
        self.rest = rest - carry * COMMON;
        self.whole = self.whole.checked_add(whole)?.checked_add(carry)?;
        Some(())
    }

    /// The sum rounded half away from zero to a whole number.
    fn round(self) -> Option<i128> {
        // A negative sum has its rest counted upwards: a half of it is rounded down, away from zero.
        let up = if self.whole < 0 { 2 * self.rest > COMMON } else { 2 * self.rest >= COMMON };
        self.whole.checked_add(i128::from(up))
    }
}

/// `amount`, in units of 10^-10, without its VAT, in units of 10^-8, rounded.
pub(super) fn net(amount: i128, rate: VatRate) -> Option<i128> {
    round_ratio(amount.checked_mul(100)?, divisor(rate))
}

/// The VAT in `amount`, in units of 10^-10, in units of 10^-8, rounded.
pub(super) fn vat(amount: i128, rate: VatRate) -> Option<i128> {
    round_ratio(amount.checked_mul(i128::from(rate.basis_points()))?, 100 * divisor(rate))
}

/// Exact sums over lines, by rate: amounts in units of 10^-10.
pub(super) struct ByRate([i128; VatRate::COUNT]);

impl ByRate {
    pub(super) fn new() -> ByRate {
        ByRate([0; VatRate::COUNT])
    }

    /// Adds an amount of this rate.
    pub(super) fn add(&mut self, rate: VatRate, amount: i128) -> Option<()> {
        let sum = self.0.get_mut(rate as usize)?;
        *sum = sum.checked_add(amount)?;
        Some(())
    }

    /// Of all rates, without their VAT, in units of 10^-8, rounded once.
    pub(super) fn net(&self) -> Option<i128> {
        let mut sum = Sum::default();
        for (rate, amount) in self.present() {
            sum.add(amount.checked_mul(100)?, divisor(rate))?;
        }
        sum.round()
    }

    /// The VAT of all rates, in units of 10^-8, rounded once.
    pub(super) fn vat(&self) -> Option<i128> {
        let mut sum = Sum::default();
        for (rate, amount) in self.present() {
            sum.add(amount.checked_mul(i128::from(rate.basis_points()))?, 100 * divisor(rate))?;
        }
        sum.round()
    }

    fn present(&self) -> impl Iterator<Item = (VatRate, i128)> {
        VatRate::all().zip(self.0).filter(|(_, amount)| *amount != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_denominator_serves_every_rate() {
        for rate in VatRate::all() {
            assert_eq!(COMMON % (100 * divisor(rate)), 0, "{rate}");
        }
        const { assert!(COMMON < i128::MAX / 4, "two rests and their double must fit") };
    }

    #[test]
    fn halves_go_away_from_zero_on_both_sides_and_thirds_do_not() {
        let sum = |parts: &[(i128, i128)]| {
            let mut sum = Sum::default();
            for (numerator, denominator) in parts {
                sum.add(*numerator, *denominator).unwrap();
            }
            sum.round().unwrap()
        };
        assert_eq!(sum(&[(1, 10_000); 4_999]), 0);
        assert_eq!(sum(&[(1, 10_000); 5_000]), 1);
        assert_eq!(sum(&[(-1, 10_000); 5_000]), -1);
        assert_eq!(sum(&[(-1, 10_000); 4_999]), 0);
        assert_eq!(sum(&[(15_000, 10_000)]), 2);
        assert_eq!(sum(&[(-15_000, 10_000)]), -2);
        assert_eq!(sum(&[(-14_999, 10_000)]), -1);
        assert_eq!(sum(&[(-15_001, 10_000)]), -2);
        assert_eq!(sum(&[(6_100, 12_200), (-1, 10_750), (1, 10_750)]), 1);
        assert_eq!(sum(&[(6_100, 12_200), (-1, 10_750)]), 0);
        assert_eq!(sum(&[(12_199, 12_200), (12_199, 12_200), (2, 12_200)]), 2);
        assert!(Sum { whole: i128::MAX, rest: 0 }.add(10_000, 10_000).is_none());
        assert!(Sum { whole: i128::MAX, rest: COMMON - 1 }.round().is_none());
    }
}
