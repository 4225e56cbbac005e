//! Numbers and totals against whole numbers without bounds: what is read is what is written, and every published field of
//! a sale is what the formulas say, rounded once.

use arbitrary::{Arbitrary, Unstructured};
use num_bigint::BigInt;
use staffetta::domain::document::{Item, Receipt};
use staffetta::domain::money::Decimal;
use staffetta::domain::totals::{self, SaleTotals};
use staffetta::domain::vat::VatRate;

use crate::totals::model::{self, Fraction, Line};

/// Lines of one sale; more of them find nothing more.
const MOST: usize = 40;

#[derive(Debug, Arbitrary)]
enum Input {
    Sale(Vec<LineInput>),
    Number(Number),
    Text(String),
}

/// In hundredths, 10^-8, thousandths of the line.
#[derive(Debug, Arbitrary)]
struct LineInput {
    quantity: u32,
    price: u64,
    discount: u16,
    rate: u8,
    gift: bool,
}

/// A number's spelling, sound or nearly so.
#[derive(Debug, Arbitrary)]
struct Number {
    negative: bool,
    whole: u64,
    fraction: Option<u64>,
    leading: u8,
    trailing: u8,
    exponent: Option<i8>,
}

pub fn run(bytes: &[u8]) {
    match Input::arbitrary_take_rest(Unstructured::new(bytes)) {
        Ok(Input::Sale(lines)) => sale(lines),
        Ok(Input::Number(number)) => read(&spelled(&number)),
        Ok(Input::Text(text)) => read(&text),
        Err(_) => {}
    }
}

fn spelled(number: &Number) -> String {
    let zeros = |count: u8| "0".repeat((count % 24).into());
    let sign = if number.negative { "-" } else { "" };
    let fraction =
        number.fraction.map(|fraction| format!(".{}{fraction}{}", zeros(number.leading), zeros(number.trailing)));
    let exponent = number.exponent.map(|exponent| format!("e{exponent}"));
    format!("{sign}{}{}{}", number.whole, fraction.unwrap_or_default(), exponent.unwrap_or_default())
}

/// What a text means by the grammar of JSON's numbers, without bounds; `None` when it is none, or absurdly large.
fn meaning(text: &str) -> Option<Fraction> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    let exponent = exponent.map_or(Some(0), |exponent| {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        digits(unsigned).then(|| exponent.parse::<i32>().ok()).flatten()
    })?;
    if exponent.abs() > 1_000 {
        return None;
    }
    let plain = Fraction::read(&format!("{whole}.{}", fraction.unwrap_or("0")));
    let power = Fraction::new(BigInt::from(10).pow(exponent.unsigned_abs()), 1);
    let value = if exponent < 0 { plain.over(&power) } else { plain.times(&power) };
    Some(if negative { Fraction::zero().minus(&value) } else { value })
}

fn read(text: &str) {
    let Ok(number) = text.parse::<Decimal>() else { return };
    let expected = meaning(text);
    let exact = |fraction: &Fraction| fraction.rounded(40);
    let value = of(number);
    // What is not judged here is zero with an exponent that is out of all bounds.
    if let Some(expected) = &expected {
        assert_eq!(exact(&value), exact(expected), "{text}");
    } else {
        assert!(number.is_zero(), "{text} is read as {number}, and is no number");
    }
    assert_eq!(number.to_string().parse::<Decimal>().ok().map(Decimal::normal), Some(number.normal()), "{text}");
    for places in 0..=8 {
        if let Some(rounded) = number.round(places) {
            assert_eq!(exact(&of(rounded)), exact(&value.round(places)), "{text} to {places} places");
        }
    }
    let other = Decimal::new(-1_234_567_890_123, 8).expect("a number");
    let pairs = [
        (number.checked_add(other), value.plus(&of(other))),
        (number.checked_sub(other), value.minus(&of(other))),
        (number.checked_mul(other), value.times(&of(other))),
    ];
    for (found, expected) in pairs {
        assert!(found.is_none_or(|found| exact(&of(found)) == exact(&expected)), "{text}: {found:?}");
    }
}

fn of(number: Decimal) -> Fraction {
    Fraction::new(number.mantissa(), BigInt::from(10).pow(number.places()))
}

fn sale(inputs: Vec<LineInput>) {
    let rates: Vec<VatRate> = VatRate::all().collect();
    let mut receipt = Receipt::new("12345678903".parse().expect("a VAT number")).invoice_issuing();
    let mut lines = Vec::new();
    for input in inputs.into_iter().take(MOST) {
        let quantity = i128::from(input.quantity % 1_000_000_000) + 1;
        let price = (i128::from(input.price) % 10i128.pow(19) / quantity).max(1);
        let whole = quantity * price / 100;
        let discount = (whole * i128::from(input.discount % 1_000) / 1_000).min(whole - 1).max(0);
        let rate = rates[usize::from(input.rate) % rates.len()];
        let decimal = |units, places| Decimal::new(units, places).expect("a number in bounds");
        let mut item = Item::new("x", decimal(price, 8), rate).quantity(decimal(quantity, 2));
        item = item.discount(decimal(discount, 8));
        receipt = receipt.item(if input.gift { item.clone().complimentary() } else { item.clone() });
        lines.push(Line {
            quantity: item.quantity.to_string(),
            price: item.unit_price.to_string(),
            discount: item.discount.to_string(),
            code: rate.code().to_owned(),
            gift: input.gift,
        });
    }
    let Ok(receipt) = receipt.build() else { return };
    let totals = totals::sale(&receipt).expect("a valid sale has totals");
    agree(&lines, &totals);
    let cents = totals::due(&receipt).expect("and something to pay");
    assert_eq!(cents.at(2).map(|cents| cents.to_string()), Some(digits(&totals.total_amount.to_string())), "{lines:?}");
}

fn digits(amount: &str) -> String {
    let digits = amount.replacen('.', "", 1);
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}

/// Every published field against the model.
fn agree(lines: &[Line], totals: &SaleTotals) {
    assert_eq!(totals.items.len(), lines.len());
    for (line, found) in lines.iter().zip(&totals.items) {
        let found = [
            &found.gross_price,
            &found.unit_price,
            &found.gross_discount,
            &found.unit_discount,
            &found.taxable_amount,
            &found.net_taxable_amount,
            &found.vat_amount,
            &found.total_amount,
        ];
        let expected = model::line(line).map(|field| field.rounded(8));
        assert_eq!(found.map(ToString::to_string), expected, "{line:?}");
    }
    let [taxable, vat, discount, gross_discount, total] = model::sums(lines);
    let found = [
        &totals.total_taxable_amount,
        &totals.total_vat_amount,
        &totals.total_discount,
        &totals.total_gross_discount,
        &totals.total_amount_exact,
    ];
    let expected = [taxable, vat, discount, gross_discount, total.clone()].map(|field| field.rounded(8));
    assert_eq!(found.map(ToString::to_string), expected, "{lines:?}");
    assert_eq!(totals.total_amount.to_string(), total.rounded(2), "{lines:?}");
}
