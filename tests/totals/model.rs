//! The totals of PROVIDERS.md 2 once more, from its formulas alone: fractions of unlimited whole numbers, nothing shared
//! with the crate, no thought of speed.

use num_bigint::BigInt;

/// A fraction, never reduced.
#[derive(Clone, Debug)]
pub struct Fraction {
    up: BigInt,
    down: BigInt,
}

impl Fraction {
    pub fn new(up: impl Into<BigInt>, down: impl Into<BigInt>) -> Fraction {
        Fraction { up: up.into(), down: down.into() }
    }

    /// From `12.34`.
    pub fn read(text: &str) -> Fraction {
        let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits: BigInt = text.replacen('.', "", 1).parse().unwrap();
        Fraction::new(digits, BigInt::from(10).pow(places as u32))
    }

    pub fn zero() -> Fraction {
        Fraction::new(0, 1)
    }

    pub fn plus(&self, other: &Fraction) -> Fraction {
        Fraction::new(&self.up * &other.down + &other.up * &self.down, &self.down * &other.down)
    }

    pub fn minus(&self, other: &Fraction) -> Fraction {
        Fraction::new(&self.up * &other.down - &other.up * &self.down, &self.down * &other.down)
    }

    pub fn times(&self, other: &Fraction) -> Fraction {
        Fraction::new(&self.up * &other.up, &self.down * &other.down)
    }

    pub fn over(&self, other: &Fraction) -> Fraction {
        Fraction::new(&self.up * &other.down, &self.down * &other.up)
    }

    /// As decimal text with so many places, rounded half away from zero.
    pub fn rounded(&self, places: u32) -> String {
        let zero = BigInt::from(0);
        let scaled: BigInt = &self.up * BigInt::from(10).pow(places) * 2;
        let negative = (scaled < zero) != (self.down < zero);
        let positive = |number: &BigInt| if *number < zero { -number.clone() } else { number.clone() };
        let (up, down) = (positive(&scaled), positive(&self.down));
        // Twice the value, plus one, halved: the whole part of value + 1/2.
        let digits: BigInt = (up + &down) / (&down * 2);
        let text = format!("{:0>width$}", digits.to_string(), width = places as usize + 1);
        let (whole, fraction) = text.split_at(text.len() - places as usize);
        let sign = if negative && text.bytes().any(|digit| digit != b'0') { "-" } else { "" };
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// Rounded to so many places, as a fraction again.
    pub fn round(&self, places: u32) -> Fraction {
        Fraction::read(&self.rounded(places))
    }
}

/// A line of a sale as text.
#[derive(Clone, Debug)]
pub struct Line {
    pub quantity: String,
    pub price: String,
    pub discount: String,
    pub code: String,
    pub gift: bool,
}

/// `r / 100` of a code; the N codes have no VAT.
pub fn rate(code: &str) -> Fraction {
    if code.starts_with('N') { Fraction::zero() } else { Fraction::read(code).over(&Fraction::new(100, 1)) }
}

/// A line's fields, exact: gross price, unit price, gross discount, unit discount, taxable, net taxable, VAT, total.
pub fn line(line: &Line) -> [Fraction; 8] {
    let (quantity, price) = (Fraction::read(&line.quantity), Fraction::read(&line.price));
    let discount = Fraction::read(&line.discount);
    let rate = rate(&line.code);
    let divisor = Fraction::new(1, 1).plus(&rate);
    let taxable = quantity.times(&price).over(&divisor);
    let unit_discount = discount.over(&divisor);
    let net = taxable.minus(&unit_discount);
    let vat = net.times(&rate);
    let total = quantity.times(&price).minus(&discount);
    [price.clone(), price.over(&divisor), discount, unit_discount, taxable, net, vat, total]
}

/// What a sale comes to, exact: taxable, VAT, net discount, gross discount, total.
pub fn sums(lines: &[Line]) -> [Fraction; 5] {
    let mut sums = [(); 5].map(|()| Fraction::zero());
    for one in lines {
        let [_, _, gross_discount, unit_discount, taxable, _, vat, total] = line(one);
        let total = if one.gift { Fraction::zero() } else { total };
        for (sum, part) in sums.iter_mut().zip([taxable, vat, unit_discount, gross_discount, total]) {
            *sum = sum.plus(&part);
        }
    }
    sums
}

#[test]
fn the_model_rounds_half_away_from_zero() {
    for (up, down, places, text) in [
        (1, 2, 0, "1"),
        (-1, 2, 0, "-1"),
        (1, 3, 2, "0.33"),
        (-2, 3, 2, "-0.67"),
        (-1, 300, 2, "0.00"),
        (4515, 1000, 2, "4.52"),
    ] {
        assert_eq!(Fraction::new(up, down).rounded(places), text);
    }
}
