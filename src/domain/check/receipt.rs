//! The rules of a sale.

use super::report::{Report, blank, longer};
use super::{Checked, Context, Violation, codes};
use crate::domain::account::ProviderKind;
use crate::domain::document::{Item, Receipt};
use crate::domain::id::FiscalId;
use crate::domain::input::{ItemInput, ReceiptInput};
use crate::domain::limits::{MAX_AMOUNT, MAX_DESCRIPTION, MAX_ITEMS, MAX_LINKED_RECEIPT, MAX_TAGS, MAX_TEXT};
use crate::domain::money::{Decimal, Numeral};
use crate::domain::totals::{Due, Line};
use crate::domain::vat::VatRate;

/// The receipt, or every rule it breaks.
pub fn receipt(input: &ReceiptInput, context: &Context<'_>) -> Result<Receipt, Vec<Violation>> {
    receipt_of(input.clone(), context).sound()
}

/// The same of one that is no longer needed: its texts become the receipt's.
pub(super) fn receipt_of(mut input: ReceiptInput, context: &Context<'_>) -> Checked<Receipt> {
    let input = &mut input;
    let mut report = Report::default();
    let fiscal_id = fiscal_id(&mut report, &input.fiscal_id, context);
    let Items { items, due } = items(&mut report, &mut input.items, context.provider);
    let money = Money::read(&mut report, input);
    let invoice_issuing = input.invoice_issuing.unwrap_or(false);
    if invoice_issuing {
        invoice(&mut report, &money);
    } else if let Some(due) = due {
        total(&mut report, &money, due);
    }
    let lottery_code = lottery(&mut report, input.lottery_code.as_deref(), &money, due);
    let tickets = tickets(&mut report, input, &money);
    let (tags, linked_receipt, email) = texts(&mut report, input, context.provider);
    let built = (|| {
        Some(Receipt {
            fiscal_id: fiscal_id?,
            items: items?,
            cash_payment_amount: money.cash?,
            electronic_payment_amount: money.electronic?,
            ticket_restaurant_payment_amount: money.ticket?,
            ticket_restaurant_quantity: tickets?,
            services_uncollected_amount: money.services?,
            goods_uncollected_amount: money.goods?,
            discount: money.discount?,
            invoice_issuing,
            lottery_code,
            linked_receipt,
            tags,
            email,
        })
    })();
    report.finish(built)
}

/// Only the account's own VAT numbers are known to the provider; a wrong check digit is a warning (the providers' own
/// examples have placeholders).
fn fiscal_id(report: &mut Report, text: &str, context: &Context<'_>) -> Option<FiscalId> {
    let id = text.parse::<FiscalId>().ok();
    match (&id, context.fiscal_ids) {
        (Some(id), Some(known)) if !known.contains(id) => report.add("fiscal_id", codes::FISCAL_ID),
        (None, Some(_)) => report.add("fiscal_id", codes::FISCAL_ID),
        (None, None) => report.add("fiscal_id", codes::FISCAL_ID_FORMAT),
        (Some(_), _) => {}
    }
    id
}

struct Items {
    items: Option<Vec<Item>>,
    /// What is to pay, in cents; `None` when an item's numbers mean nothing: then no rule about it is applied.
    due: Option<i128>,
}

fn items(report: &mut Report, inputs: &mut [ItemInput], provider: Option<ProviderKind>) -> Items {
    if inputs.is_empty() {
        report.add("items", codes::ITEMS_EMPTY);
        return Items { items: None, due: None };
    }
    if inputs.len() > MAX_ITEMS {
        report.add("items", codes::ITEMS_MAX);
        return Items { items: None, due: None };
    }
    let mut items = Vec::with_capacity(inputs.len());
    let (mut sum, mut numbers) = (Due::NONE, true);
    for (index, input) in inputs.iter_mut().enumerate() {
        let (item, line) = item(report, index, input, provider);
        items.extend(item);
        match line {
            Some(line) => sum.add(&line),
            None => numbers = false,
        }
    }
    let mut due = None;
    if numbers {
        due = sum.cents();
        if due.is_none_or(|due| due >= MAX_AMOUNT * 100) {
            report.add("", codes::AMOUNT_TOO_LARGE);
        }
    }
    Items { items: (items.len() == inputs.len()).then_some(items), due }
}

/// One line: as a value if it is sound, and its numbers if they mean something.
fn item(
    report: &mut Report,
    index: usize,
    input: &mut ItemInput,
    provider: Option<ProviderKind>,
) -> (Option<Item>, Option<Line>) {
    let path = |member: &str| format!("items[{index}].{member}");
    let quantity = report.quantity(|| path("quantity"), &input.quantity);
    if blank(&input.description) || longer(&input.description, MAX_DESCRIPTION) {
        report.add(path("description"), codes::DESCRIPTION);
    }
    let price = report.price(|| path("unit_price"), &input.unit_price);
    let rate = input.vat_rate_code.as_str().parse::<VatRate>().ok();
    if rate.is_none() {
        report.add(path("vat_rate_code"), codes::VAT_RATE_CODE);
    }
    let discount = report.amount(|| path("discount"), input.discount.as_ref(), 8);
    let complimentary = input.complimentary.unwrap_or(false);
    let sku = report.own_text(|| path("sku"), input.sku.take());
    if complimentary
        && provider == Some(ProviderKind::Openapi)
        && discount.or_else(|| said(input.discount.as_ref())).is_some_and(|discount| discount.is_positive())
    {
        report.add(path("discount"), codes::DISCOUNT_COMPLIMENTARY);
    }
    let numbers = (|| {
        let line = Line {
            quantity: quantity?.at(2)?,
            price: price?.at(8)?,
            discount: discount?.at(8)?,
            // What is to pay does not depend on the rate: an unknown one does not hide a wrong payment.
            rate: rate.unwrap_or(VatRate::N1),
            complimentary,
        };
        Some((line, line.before_discount()?, line.after_discount()?))
    })();
    let Some((line, before, after)) = numbers else { return (None, None) };
    if after <= 0 {
        // Without a discount it is above zero, as quantity and price are.
        report.add(path("gross_discount"), codes::LINE_DISCOUNT);
    }
    if before >= MAX_AMOUNT * 10_000_000_000 {
        report.add(format!("items[{index}]"), codes::AMOUNT_TOO_LARGE);
        return (None, None);
    }
    let item = (|| {
        Some(Item {
            quantity: quantity?,
            description: std::mem::take(&mut input.description),
            unit_price: price?,
            vat_rate_code: rate?,
            discount: discount?,
            complimentary,
            sku,
        })
    })();
    (item, Some(line))
}

/// The amounts beside the lines, as they were said: one that breaks a rule of its own hides no other rule. `None`: no number.
/// A receipt is only made where no rule is broken; then each is zero or more, in cents.
struct Money {
    cash: Option<Decimal>,
    electronic: Option<Decimal>,
    ticket: Option<Decimal>,
    services: Option<Decimal>,
    goods: Option<Decimal>,
    discount: Option<Decimal>,
}

/// An amount as it was said, whatever rules it breaks.
fn said(numeral: Option<&Numeral>) -> Option<Decimal> {
    numeral.and_then(|numeral| numeral.parse().ok())
}

/// Whether an amount was said that is not zero.
fn some(amount: Option<Decimal>) -> bool {
    amount.is_some_and(|amount| !amount.is_zero())
}

impl Money {
    fn read(report: &mut Report, input: &ReceiptInput) -> Money {
        let mut read = |name: &str, numeral: &Option<Numeral>| {
            report.amount(|| name.to_owned(), numeral.as_ref(), 2).or_else(|| said(numeral.as_ref()))
        };
        Money {
            cash: read("cash_payment_amount", &input.cash_payment_amount),
            electronic: read("electronic_payment_amount", &input.electronic_payment_amount),
            ticket: read("ticket_restaurant_payment_amount", &input.ticket_restaurant_payment_amount),
            services: read("services_uncollected_amount", &input.services_uncollected_amount),
            goods: read("goods_uncollected_amount", &input.goods_uncollected_amount),
            discount: read("discount", &input.discount),
        }
    }

    /// Paid or uncollected: what `invoice_issuing` excludes.
    fn five(&self) -> [Option<Decimal>; 5] {
        [self.cash, self.electronic, self.ticket, self.services, self.goods]
    }

    /// Whether so many cents are what stands against what is to pay; `None` if a part of that is no number.
    fn settles(&self, due: i128) -> Option<bool> {
        let mut sum = Some(0i128);
        for amount in self.five().into_iter().chain([self.discount]) {
            let amount = amount?.at(8);
            sum = sum.and_then(|sum| sum.checked_add(amount?));
        }
        Some(sum.is_some() && sum == due.checked_mul(1_000_000))
    }
}

/// Payments, what is uncollected and the discount make exactly what is to pay (PROVIDERS.md 2.2).
fn total(report: &mut Report, money: &Money, due: i128) {
    if money.settles(due) == Some(false) {
        report.add("", codes::TOTAL);
    }
    if money.discount.and_then(|discount| discount.at(2)).is_some_and(|discount| discount > due.max(0)) {
        report.add("discount", codes::DISCOUNT_RANGE);
    }
}

/// An invoice follows: nothing is paid, left to pay or discounted here.
fn invoice(report: &mut Report, money: &Money) {
    if money.five().into_iter().any(some) {
        report.add("invoice_issuing", codes::INVOICE_ISSUING);
    }
    if some(money.discount) {
        report.add("discount", codes::DISCOUNT_INVOICE);
    }
}

/// The lottery is for sales of a euro and more, paid electronically; a discount at payment does not matter (HAR #13).
fn lottery(report: &mut Report, code: Option<&str>, money: &Money, due: Option<i128>) -> Option<String> {
    let code = code?;
    if code.len() != 8 || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        report.add("lottery_code", codes::LOTTERY_FORMAT);
    } else {
        let others = [money.cash, money.ticket, money.services, money.goods];
        let little = due.is_some_and(|due| due < 100);
        if little || money.electronic.is_some_and(Decimal::is_zero) || others.into_iter().any(some) {
            report.add("lottery_code", codes::LOTTERY);
        }
    }
    Some(code.to_ascii_uppercase())
}

/// Meal vouchers: an amount and a number, or neither.
fn tickets(report: &mut Report, input: &ReceiptInput, money: &Money) -> Option<u32> {
    let quantity = match &input.ticket_restaurant_quantity {
        None => 0,
        Some(numeral) => {
            let number = numeral.parse().ok().and_then(|number| number.at(0));
            let Some(quantity) = number.and_then(|number| u32::try_from(number).ok()) else {
                report.add("ticket_restaurant_quantity", codes::TICKET_QUANTITY);
                return None;
            };
            quantity
        }
    };
    match (money.ticket.map(Decimal::is_zero), quantity) {
        (Some(false), 0) => report.add("ticket_restaurant_quantity", codes::TICKET),
        (Some(true), 1..) => report.add("ticket_restaurant_payment_amount", codes::TICKET),
        _ => {}
    }
    Some(quantity)
}

type Texts = (Vec<String>, Option<String>, Option<String>);

/// Tags, linked receipt and e-mail address.
fn texts(report: &mut Report, input: &mut ReceiptInput, provider: Option<ProviderKind>) -> Texts {
    let openapi = provider == Some(ProviderKind::Openapi);
    let tags = input.tags.take().unwrap_or_default();
    if openapi && tags.len() > MAX_TAGS {
        report.add("tags", codes::TAGS_MAX);
    }
    for (index, _) in tags.iter().enumerate().filter(|(_, tag)| longer(tag, MAX_TEXT)) {
        report.add(format!("tags[{index}]"), codes::TEXT_MAX);
    }
    let linked = match &input.linked_receipt {
        Some(linked) if openapi && longer(linked, MAX_LINKED_RECEIPT) => {
            report.add("linked_receipt", codes::LINKED_RECEIPT);
            Some(linked.clone())
        }
        linked => report.text(|| "linked_receipt".to_owned(), linked.as_ref()),
    };
    let email = report.text(|| "email".to_owned(), input.email.as_ref());
    if email.as_deref().is_some_and(|email| !looks_like_an_address(email)) {
        report.add("email", codes::EMAIL);
    }
    (tags, linked, email)
}

/// One `@` with something on both sides and no blanks: what the provider refuses at once is refused here.
fn looks_like_an_address(text: &str) -> bool {
    let fine = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    fine && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
}
