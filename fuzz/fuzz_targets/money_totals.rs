#![no_main]

#[path = "../../tests/totals/model.rs"]
mod model;
#[path = "../../tests/corpora/money_totals.rs"]
mod money_totals;
mod totals {
    pub(crate) use crate::model;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| money_totals::run(bytes));
