//! Is that one ours? Comparing what was sent with what a provider has (PROVIDERS.md 4.3).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::Lost;
use super::json::{self, Moment};
use super::receipt::TAG_PREFIX;
use crate::domain::calendar::fiscal_day;
use crate::domain::document::{Item, Receipt};
use crate::domain::money::Decimal;
use crate::domain::trust;

/// How far a provider's clock may be off on top of what its `Date` header shows.
pub(crate) const SLACK: TimeDelta = TimeDelta::seconds(5);

/// A clock that is farther off than this is not a little off, it is wrong: then only the provider's is gone by. By both, the
/// window would be of years.
const WRONG_MS: u64 = 86_400_000;

/// When the provider must have taken a lost submission, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Window {
    /// From just before it was sent until it can no longer be under way, by both clocks: a window too wide costs a
    /// comparison, one too narrow a second fiscal document.
    pub(crate) fn of(lost: &Lost) -> Window {
        let settle = TimeDelta::from_std(lost.settle).unwrap_or(TimeDelta::days(1)).min(TimeDelta::days(1));
        let add = |at: DateTime<Utc>, by: TimeDelta| at.checked_add_signed(by).unwrap_or(at);
        let ended = lost.ended_at.max(lost.sent_at);
        let theirs = |at| trust::ahead(at, lost.clock_skew_ms);
        let (mut from, mut until) = (theirs(lost.sent_at), theirs(ended));
        if lost.clock_skew_ms.unsigned_abs() <= WRONG_MS {
            (from, until) = (from.min(lost.sent_at), until.max(ended));
        }
        Window { from: add(from, -SLACK), until: add(until, settle + SLACK) }
    }

    /// Whether a receipt was created in it. One that does not say when may have been.
    pub(crate) fn holds(&self, row: &Value) -> bool {
        Moment::created(row).is_none_or(|moment| moment.any(|at| (self.from..=self.until).contains(at)))
    }

    /// Whether a receipt was certainly created before it.
    pub(crate) fn is_after(&self, row: &Value) -> bool {
        self.is_after_by(TimeDelta::zero(), row)
    }

    /// Whether a receipt was certainly created long before it.
    pub(crate) fn is_long_after(&self, row: &Value) -> bool {
        self.is_after_by(TimeDelta::days(1), row)
    }

    fn is_after_by(&self, span: TimeDelta, row: &Value) -> bool {
        let latest = Moment::created(row).and_then(|moment| moment.latest());
        self.from.checked_sub_signed(span).is_some_and(|before| latest.is_some_and(|at| at < before))
    }

    /// The days it touches, by UTC and by Rome's calendar, `YYYY-MM-DD`; `None` when there are more than `most`.
    pub(crate) fn days(&self, most: usize) -> Option<Vec<String>> {
        let first = self.from.date_naive().min(fiscal_day(self.from));
        let last = self.until.date_naive().max(fiscal_day(self.until));
        let days: Vec<String> =
            first.iter_days().take_while(|day| *day <= last).take(most + 1).map(|day| day.to_string()).collect();
        (days.len() <= most).then_some(days)
    }
}

/// Whether a page shows that its list has the newest first and has come to receipts from long before the window: then
/// what follows need not be read. A list of a year's sales has hundreds of pages.
pub(crate) fn past_the_window(page: &[Value], window: &Window) -> bool {
    let times: Option<Vec<_>> = page.iter().map(|row| Moment::created(row)?.latest()).collect();
    let Some(times) = times else { return false };
    let falls = times.is_sorted_by(|a, b| a >= b) && times.first() > times.last();
    falls && page.last().is_some_and(|last| window.is_long_after(last))
}

/// What a receipt's tags say of its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagged {
    /// Our tag.
    Ours,
    /// The tag of another document of this program.
    Other,
    /// No tag of ours: nothing is proved, the provider may not give them back.
    No,
}

/// Looks for our tag; tags may be nested lists (PROVIDERS.md 1.5.14).
pub(crate) fn tagged(row: &Value, ours: &str) -> Tagged {
    fn walk(value: &Value, depth: u32, found: &mut Vec<String>) {
        match value {
            Value::Array(list) if depth < 4 => list.iter().for_each(|one| walk(one, depth + 1, found)),
            other => found.extend(json::as_text(other)),
        }
    }
    let mut tags = Vec::new();
    walk(row.get("tags").unwrap_or(&Value::Null), 0, &mut tags);
    if tags.iter().any(|tag| tag == ours) {
        Tagged::Ours
    } else if tags.iter().any(|tag| tag.starts_with(TAG_PREFIX)) {
        Tagged::Other
    } else {
        Tagged::No
    }
}

/// How far a receipt agrees with what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Agreement {
    /// Something differs.
    Differs,
    /// Nothing differs, but its lines are not shown.
    NoLines,
    /// The numbers agree, the descriptions nearly: they may have been cut or cleaned on the way.
    Nearly,
    /// All that is shown agrees.
    Same,
}

/// Compares a sale. Members that are not shown prove nothing.
pub(crate) fn sale(ours: &Receipt, row: &Value) -> Agreement {
    if !same_head(ours, row) {
        return Agreement::Differs;
    }
    let lines: Vec<Line> = json::objects(row, "items").into_iter().map(Line::read).collect();
    if lines.is_empty() || lines.iter().any(|line| line.quantity.is_none() || line.price.is_none()) {
        return Agreement::NoLines;
    }
    same_lines(&ours.items, lines)
}

/// The VAT number, payments, discount and lottery code.
fn same_head(ours: &Receipt, row: &Value) -> bool {
    let amounts = [
        ("cash_payment_amount", ours.cash_payment_amount),
        ("electronic_payment_amount", ours.electronic_payment_amount),
        ("ticket_restaurant_payment_amount", ours.ticket_restaurant_payment_amount),
        ("ticket_restaurant_quantity", Decimal::from(ours.ticket_restaurant_quantity)),
        ("services_uncollected_amount", ours.services_uncollected_amount),
        ("goods_uncollected_amount", ours.goods_uncollected_amount),
        ("discount", ours.discount),
    ];
    // The answers to sales with a lottery code or a linked receipt were seen without them: only another one differs.
    let same_text = |name: &str, ours: Option<&str>| {
        let theirs = json::text(row, name);
        theirs.is_none_or(|theirs| ours.is_some_and(|ours| ours.eq_ignore_ascii_case(&theirs)))
    };
    amounts.iter().all(|(name, amount)| json::number(row, name).is_none_or(|theirs| theirs == *amount))
        && json::text(row, "fiscal_id").is_none_or(|theirs| theirs == ours.fiscal_id.as_str())
        && json::flag(row, "invoice_issuing").is_none_or(|theirs| theirs == ours.invoice_issuing)
        && same_text("lottery_code", ours.lottery_code.as_deref())
}

/// A line in either shape; prices gross.
struct Line {
    quantity: Option<Decimal>,
    price: Option<Decimal>,
    vat: Option<String>,
    discount: Option<Decimal>,
    complimentary: Option<bool>,
    description: Option<String>,
}

impl Line {
    fn read(line: &Value) -> Line {
        let fiscal = line.get("gross_price").is_some_and(|price| !price.is_null());
        let (price, discount) = if fiscal { ("gross_price", "gross_discount") } else { ("unit_price", "discount") };
        Line {
            quantity: json::number(line, "quantity"),
            price: json::number(line, price),
            vat: json::text(line, "vat_rate").or_else(|| json::text(line, "vat_rate_code")),
            discount: json::number(line, discount),
            complimentary: json::flag(line, "complimentary"),
            description: json::text(line, "description"),
        }
    }

    fn agrees(&self, ours: &Item) -> Agreement {
        let numbers = self.quantity.is_none_or(|quantity| quantity == ours.quantity)
            && self.price.is_none_or(|price| price == ours.unit_price)
            && self.discount.is_none_or(|discount| discount == ours.discount)
            && self.complimentary.is_none_or(|gift| gift == ours.complimentary)
            && self.vat.as_deref().is_none_or(|vat| same_rate(vat, ours.vat_rate_code.code()));
        if !numbers {
            return Agreement::Differs;
        }
        self.description.as_deref().map_or(Agreement::Same, |theirs| same_words(&ours.description, theirs))
    }
}

/// `22` and `22.00` are one rate; `N2` is itself.
fn same_rate(a: &str, b: &str) -> bool {
    match (a.parse::<Decimal>(), b.parse::<Decimal>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Descriptions: letters and digits decide; accents may have been lost and the end cut.
fn same_words(ours: &str, theirs: &str) -> Agreement {
    let fold = |text: &str, keep: fn(&char) -> bool| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).filter(keep).flat_map(char::to_lowercase).collect()
    };
    if fold(ours, |_| true) == fold(theirs, |_| true) {
        return Agreement::Same;
    }
    let (ours, theirs) = (fold(ours, char::is_ascii), fold(theirs, char::is_ascii));
    if ours.starts_with(&theirs) || theirs.starts_with(&ours) { Agreement::Nearly } else { Agreement::Differs }
}

/// The lines as multisets: each of ours must find one of theirs, the best first.
fn same_lines(ours: &[Item], theirs: Vec<Line>) -> Agreement {
    if ours.len() != theirs.len() {
        return Agreement::Differs;
    }
    let mut left = theirs;
    let mut open: Vec<&Item> = ours.iter().collect();
    for level in [Agreement::Same, Agreement::Nearly] {
        open.retain(|item| match left.iter().position(|line| line.agrees(item) >= level) {
            Some(index) => {
                left.swap_remove(index);
                false
            }
            None => true,
        });
        if open.is_empty() {
            return level;
        }
    }
    Agreement::Differs
}

/// Whether the quantities of a return, as far as they are shown, can be ours. Its lines were seen with the quantity
/// given back in `quantity` and, the sale's in `quantity`, in `return`.
pub(crate) fn return_quantities(ours: &[(String, Decimal)], row: &Value) -> bool {
    let lines = json::objects(row, "items");
    let shown = |name: &str| -> Vec<Decimal> {
        let all = lines.iter().filter_map(|line| json::number(line, name));
        let mut given_back: Vec<Decimal> = all.filter(|quantity| quantity.is_positive()).collect();
        given_back.sort();
        given_back
    };
    let (quantity, returned) = (shown("quantity"), shown("return"));
    let mut ours: Vec<Decimal> = ours.iter().map(|(_, quantity)| *quantity).collect();
    ours.sort();
    (quantity.is_empty() && returned.is_empty()) || quantity == ours || returned == ours
}
