//! Totals are exact: every published field is what an independent model of unlimited precision computes, rounded once.

mod compared;
pub mod model;
mod returned;
mod sales;

/// A decimal text as a whole number of its smallest unit: what is summed here is summed exactly.
pub fn units(text: impl std::fmt::Display) -> i128 {
    text.to_string().replacen('.', "", 1).parse().unwrap_or_else(|_| panic!("not an amount: {text}"))
}

/// So many 10^-8 or cents as text.
pub fn amount(units: i128, places: u32) -> String {
    let one = 10i128.pow(places);
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}.{:0width$}", units.abs() / one, units.abs() % one, width = places as usize)
}
