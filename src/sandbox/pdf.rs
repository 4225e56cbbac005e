//! A PDF with one line of text: the smallest that readers open.

use axum::http::StatusCode;

use super::document::Doc;
use super::reply::Reply;

/// A page that says this. Characters outside printable ASCII become `?`: the page's font has no others.
pub fn page(text: &str) -> Vec<u8> {
    let mut shown = String::new();
    for letter in text.chars().take(120) {
        match letter {
            '(' | ')' | '\\' => shown.extend(['\\', letter]),
            ' '..='~' => shown.push(letter),
            _ => shown.push('?'),
        }
    }
    let content = format!("BT /F1 10 Tf 30 380 Td ({shown}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 420] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut pdf = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(pdf.len());
        pdf.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let table = pdf.len();
    pdf.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    for place in places {
        pdf.push_str(&format!("{place:010} 00000 n \n"));
    }
    pdf.push_str(&format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1));
    pdf.into_bytes()
}

/// A receipt's page.
pub fn of_receipt(doc: &Doc) -> Vec<u8> {
    let total = &doc.totals.total_amount;
    page(&format!("SANDBOX {} {} {} EUR {total}", doc.type_name(), doc.fiscal_id, doc.id))
}

/// As an answer.
pub fn reply(pdf: &[u8]) -> Reply {
    Reply::text(StatusCode::OK, "application/pdf", pdf.to_vec())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_object_is_where_the_table_says() {
        let pdf = String::from_utf8(super::page("Ciao (mondo) \\ è")).unwrap();
        assert!(pdf.contains(r"(Ciao \(mondo\) \\ ?)"));
        let table = pdf.rfind("xref\n0 6\n").unwrap();
        let start = pdf.find("startxref\n").unwrap();
        let table = pdf[..start].rfind("xref\n0 6").unwrap().max(table.min(start));
        assert!(pdf[start..].contains(&format!("startxref\n{table}\n")));
        for (index, line) in pdf[table..].lines().skip(3).take(5).enumerate() {
            let place: usize = line[..10].parse().unwrap();
            assert!(pdf[place..].starts_with(&format!("{} 0 obj\n", index + 1)));
        }
    }
}
