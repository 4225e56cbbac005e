//! The page that the till opens for the merchant: what the real portal does with a customer and a button, in one form.

use axum::http::StatusCode;

use super::ask::Ask;
use super::reply::Reply;
use super::world::World;

/// `GET` and `POST /portal/draft-invoice/{draftId}`.
pub fn handle(world: &mut World, ask: &Ask) -> Reply {
    let index = match (ask.part(0), ask.path.len()) {
        ("draft-invoice", 2) => world.by_draft.get(ask.part(1)).copied(),
        _ => None,
    };
    let Some(index) = index.filter(|index| world.invoices.get(*index).is_some_and(|invoice| !invoice.lost)) else {
        return page(StatusCode::NOT_FOUND, "<p>Bozza non trovata.</p>");
    };
    match ask.method.as_str() {
        "GET" | "HEAD" => show(world, ask, index),
        "POST" => {
            complete(world, index, ask.at);
            page(StatusCode::OK, "<p>Fattura salvata e inviata a OTELLO.</p>")
        }
        _ => page(StatusCode::METHOD_NOT_ALLOWED, "<p>Metodo non consentito.</p>"),
    }
}

/// The merchant saves the invoice; once saved it stays saved.
pub fn complete(world: &mut World, index: usize, now: chrono::DateTime<chrono::Utc>) {
    let already = world.invoices.get(index).and_then(|invoice| invoice.completed(&world.settings, now));
    if let Some(invoice) = world.invoices.get_mut(index) {
        invoice.completed_at = Some(already.unwrap_or(now));
    }
}

fn show(world: &World, ask: &Ask, index: usize) -> Reply {
    let Some(invoice) = world.invoices.get(index) else {
        return page(StatusCode::NOT_FOUND, "<p>Bozza non trovata.</p>");
    };
    if invoice.completed(&world.settings, ask.at).is_some() {
        return page(StatusCode::OK, "<p>Fattura già salvata.</p>");
    }
    let mut rows = String::new();
    for (item, net) in invoice.draft.items.iter().zip(&invoice.totals.line_nets) {
        rows.push_str(&format!(
            "<tr><td>{}<td>{}<td>{}<td>€{}<td>€{}</tr>",
            escape(item.item_code.as_deref().unwrap_or("")),
            escape(&item.description),
            item.quantity,
            item.unit_price_with_vat,
            net,
        ));
    }
    let body = format!(
        "<h1>Nuova fattura</h1><p>Numero fattura {}</p>\
         <table><tr><th>Codice<th>Descrizione<th>Qtà.<th>Prezzo IVA inclusa<th>Netto</tr>{rows}</table>\
         <p>Totale IVA inclusa €{}</p>\
         <form method=\"post\"><button type=\"submit\">Salva</button></form>",
        escape(&invoice.draft.merchant_invoice_id),
        invoice.totals.gross_total,
    );
    page(StatusCode::OK, &body)
}

fn page(status: StatusCode, body: &str) -> Reply {
    let html = format!(
        "<!doctype html><html lang=\"it\"><meta charset=\"utf-8\"><title>Sandbox Merchant Portal</title>{body}</html>"
    );
    Reply::text(status, "text/html; charset=utf-8", html)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
