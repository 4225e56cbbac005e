//! The messages of all checks: the providers' own words, and codes of ours where they state a rule without words or none.

/// Paid, uncollected and discounted must be the sum of the lines (S2).
pub const TOTAL: &str = "Total paid and uncollected amounts is not matching the items total amount.";
/// An invoice follows, so nothing is paid here (S2).
pub const INVOICE_ISSUING: &str = "No paid or uncollected amounts should be specified when invoice issuing is set.";
/// A line's discount is below the line (S2).
pub const LINE_DISCOUNT: &str = "Discount cannot be greater or equal to total amount";
/// When the lottery takes part (S2).
pub const LOTTERY: &str = "The lottery code cannot be used if the total amount is lower than EUR 1.00 or if the payment \
                           was not fully electronic. Please remove the lottery code.";
/// The VAT number is not the account's (S2).
pub const FISCAL_ID: &str = "Unknown fiscal id";
/// Shape of a lottery code (S2, the rule's heading).
pub const LOTTERY_FORMAT: &str = "Lottery code must consist of 8 alphanumeric characters";
/// Meal vouchers need amount and number (S2, the rule's heading).
pub const TICKET: &str =
    "If ticket_restaurant_payment_amount is filled, ticket_restaurant_quantity must also be filled and vice versa";
/// A return names lines of its sale (S2, the rule's heading).
pub const RETURN_ID: &str = "The id of return items must match with the ids of the original receipts";
/// No more comes back than was sold (S2, the rule's heading).
pub const RETURN_QUANTITY: &str =
    "The quantity of the returned items should not be greater than the quantity of the original item";
/// Stamp's descriptions (S0).
pub const DRAFT_DESCRIPTION: &str = "Description must be minimum 5 characters.";

macro_rules! codes {
    ($($name:ident = $code:literal: $words:literal;)*) => {
        $(#[doc = $words] pub const $name: &str = concat!("X:", $code);)*

        /// What a code of ours means, in words; `None` for a provider's own message.
        pub fn words(message: &str) -> Option<&'static str> {
            match message.strip_prefix("X:")? {
                $($code => Some($words),)*
                _ => None,
            }
        }

        #[cfg(test)]
        const ALL: &[&str] = &[$($name),*];
    };
}

codes! {
    ITEMS_EMPTY = "items_empty": "there must be at least one line";
    ITEMS_MAX = "items_max_1000": "there may be at most 1000 lines";
    QUANTITY = "quantity_positive_max_2_decimals": "the quantity must be a number above zero with at most 2 decimals";
    QUANTITY_TOO_LARGE = "quantity_too_large": "the quantity must be below 100000000000";
    UNIT_PRICE = "unit_price_positive_max_8_decimals": "the price must be a number above zero with at most 8 decimals";
    VAT_RATE_CODE = "vat_rate_code_unknown": "the VAT rate must be one of the authority's codes, as a text: \"22\", \"10\", \"N2\"";
    VAT_RATE = "vat_rate_unsupported": "the VAT rate of a tax-free invoice must be 4, 5, 10 or 22";
    DESCRIPTION = "description_length_1_1000": "the description must have 1 to 1000 characters";
    DESCRIPTION_MAX = "description_max_1000": "the description may have at most 1000 characters";
    AMOUNT_NUMBER = "amount_not_a_number": "the amount must be a decimal number like 12.34";
    AMOUNT_NEGATIVE = "amount_negative": "the amount must not be below zero";
    AMOUNT_DECIMALS = "amount_max_2_decimals": "the amount may have at most 2 decimals";
    AMOUNT_8_DECIMALS = "amount_max_8_decimals": "the amount may have at most 8 decimals";
    AMOUNT_TOO_LARGE = "amount_too_large": "the amount must be below 100000000000";
    DISCOUNT_COMPLIMENTARY = "discount_with_complimentary": "a complimentary line cannot have a discount at this provider";
    DISCOUNT_RANGE = "discount_range": "the discount must be between zero and what is to pay";
    DISCOUNT_INVOICE = "discount_with_invoice_issuing": "there is no discount at payment when an invoice follows";
    TICKET_QUANTITY = "ticket_restaurant_quantity_whole_number": "the number of meal vouchers must be a whole number";
    TAGS_MAX = "tags_max_10": "there may be at most 10 tags";
    LINKED_RECEIPT = "linked_receipt_max_50": "the linked receipt may have at most 50 characters";
    TEXT_MAX = "text_max_256": "the text may have at most 256 characters";
    EMAIL = "email_invalid": "the e-mail address must look like name@example.com";
    FISCAL_ID_FORMAT = "fiscal_id_length_1_64": "the fiscal id must have 1 to 64 printable characters without spaces";
    LINE_OR_ID = "line_or_id_required": "a returned item must name its line or the authority's id of it";
    LINE_AND_ID = "line_or_id_not_both": "a returned item must name its line or its id, not both";
    ITEM_DUPLICATE = "item_id_duplicate": "the same line is returned twice here: give its quantity once";
    CREDIT_NOTE_REQUIRED = "credit_note_number_required": "cancelling a tax-free invoice needs the number of its credit note";
    CREDIT_NOTE_NOT_ALLOWED = "credit_note_number_not_allowed": "the void of a receipt has no credit note";
    NOTE_NUMBER = "number_length_1_256": "the note's number must have 1 to 256 characters";
    MERCHANT_INVOICE_ID = "merchant_invoice_id_length_1_256": "the merchant's invoice number must have 1 to 256 characters";
    CREATED_ON = "created_on_format": "the date must be written 2026-11-22T10:30:00 (Italian time) or 22/11/2026 10:30:00";
    TAX_FREE_MINIMUM = "tax_free_minimum_70": "a tax-free invoice must come to more than 70.00 euro, VAT included";
    KIND_OF_PROVIDER = "kind_not_of_provider": "the account's provider has no documents of this kind";
    KEY = "key_length_1_128": "the key must have 1 to 128 printable ASCII characters without spaces";
    ACCOUNT = "account_length_1_64": "the account's name must have 1 to 64 printable ASCII characters without spaces";
    KIND = "kind_unknown": "the kind must be receipt, return, void, draft or note_number";
    ISSUED_AT = "issued_at_rfc3339": "the time must be written like 2026-11-22T10:30:00+01:00";
    PARENT_REQUIRED = "parent_required": "a return, void or note number must name its parent: a key, or {\"remote_id\": \"…\"}";
    PARENT_NOT_ALLOWED = "parent_not_allowed": "a receipt or draft has no parent";
    PARENT_INVALID = "parent_invalid": "the parent must be a key, or {\"remote_id\": \"…\"} with 1 to 256 printable characters without spaces";
    BODY_REQUIRED = "body_required": "the document has no body";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words_and_is_there_once() {
        for (index, code) in ALL.iter().enumerate() {
            assert!(words(code).is_some_and(|words| !words.is_empty()), "{code}");
            assert!(!ALL[..index].contains(code), "{code} twice");
        }
        assert_eq!(words("X:no_such_code"), None);
        assert_eq!(words(TOTAL), None);
    }
}
