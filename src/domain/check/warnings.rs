//! What is worth a person's look and does not stop a document: rules that no source settles, and likely slips.

use crate::domain::account::ProviderKind;
use crate::domain::document::{Body, Receipt};
use crate::domain::limits::MAX_LINKED_RECEIPT;
use crate::domain::totals;

/// Things worth a person's look that do not stop a document (fiscal id's check digit, all lines complimentary, …); once
/// the provider is known, with those that only it raises.
pub fn warnings(body: &Body, provider: Option<ProviderKind>) -> Vec<String> {
    match body {
        Body::Receipt(receipt) => of_receipt(receipt, provider),
        Body::Return(_) | Body::Void(_) | Body::Draft(_) | Body::NoteNumber(_) => Vec::new(),
    }
}

fn of_receipt(receipt: &Receipt, provider: Option<ProviderKind>) -> Vec<String> {
    let mut warnings = Vec::new();
    if !is_vat_number(receipt.fiscal_id.as_str()) {
        warnings.push("fiscal_id is not an Italian VAT number: 11 digits, the last one a check digit".to_owned());
    }
    // Without a discount there is no need to know what is to pay.
    let takes_all = || totals::due(receipt).is_some_and(|due| due.is_positive() && receipt.discount >= due);
    if receipt.items.iter().all(|item| item.complimentary) {
        warnings.push("all lines are complimentary: no source says whether the authority takes that".to_owned());
    } else if receipt.discount.is_positive() && takes_all() {
        warnings.push("the discount takes everything: no source says whether the authority takes that".to_owned());
    }
    for (index, item) in receipt.items.iter().enumerate() {
        let odd = item.description.chars().find(|c| !c.is_alphanumeric() && !matches!(c, ' ' | ',' | '.'));
        if let Some(odd) = odd {
            let odd = odd.escape_default();
            warnings.push(format!("items[{index}].description has '{odd}': commas and periods are safe (Openapi)"));
            break; // one is enough: a whole catalogue may be written so
        }
    }
    match provider {
        Some(ProviderKind::Openapi) if receipt.email.is_some() => {
            warnings.push("email: this provider sends no e-mail, the customer will get none".to_owned());
        }
        Some(ProviderKind::SmartReceipt)
            if receipt.linked_receipt.as_ref().is_some_and(|text| text.chars().count() > MAX_LINKED_RECEIPT) =>
        {
            warnings.push("linked_receipt has more than 50 characters: Openapi takes no more, and no source says what this provider does".to_owned());
        }
        _ => {}
    }
    warnings
}

/// 11 digits whose last is the check digit of the others (DM 23/12/1976: Luhn's formula).
fn is_vat_number(text: &str) -> bool {
    if text.len() != 11 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = text
        .bytes()
        .map(|byte| u32::from(byte - b'0'))
        .enumerate()
        // Twice a digit counts with both its digits; tens do not matter here.
        .map(|(index, digit)| if index % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vat_number_has_its_check_digit() {
        for fine in ["12345678903", "01234567897", "07647380968", "00743110157"] {
            assert!(is_vat_number(fine), "{fine}");
        }
        for wrong in [
            "12345678901",
            "1234567890",
            "123456789030",
            "1234567890a",
            "0000000000a",
            "IT12345678903",
            "string",
            "",
            "١٢٣٤٥٦٧٨٩٠٣",
        ] {
            assert!(!is_vat_number(wrong), "{wrong}");
        }
    }
}
