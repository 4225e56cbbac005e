//! A till inside a tokio runtime: it sells, gives back, voids, and sees its documents arrive. It runs against a sandbox of
//! its own, so that it works as it is: `cargo run --example till`.

use std::sync::Arc;
use std::time::Duration;

use staffetta::clock::SystemClock;
use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::calendar::Window;
use staffetta::prelude::*;
use staffetta::provider::{AccountConfig, Endpoint, connect};
use staffetta::sandbox::Sandbox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In a shop: the provider's address and a token from a safe place, and no sandbox.
    let sandbox = Sandbox::start(Default::default())?;
    let account = Account {
        name: "shop-roma".parse()?,
        provider: ProviderKind::Openapi,
        fiscal_ids: vec!["12345678903".parse()?],
        blackout: Window::NONE, // Window::AUTHORITY in a shop; here the example runs at any hour
    };
    let config = AccountConfig {
        account: account.clone(),
        endpoint: Endpoint::Openapi {
            base_url: format!("{}/openapi", sandbox.base_url()),
            token: "sandbox-token".to_owned().into(),
        },
        connect_timeout: Duration::from_secs(5),
        answer_timeout: Duration::from_secs(30),
        proxy: None,
    };
    let accounts = vec![Managed::new(account, connect(config, Arc::new(SystemClock))?)];

    let folder = std::env::temp_dir().join(format!("staffetta-till-{}", std::process::id()));
    let queue = Queue::open(&folder)?; // one process at a time
    let settings = Settings { track: quick(), ..Settings::default() };
    let dispatcher = Dispatcher::start_with(&queue, accounts, settings)?; // background; the only part that needs a network

    let sale = Receipt::new("12345678903".parse()?)
        .item(Item::new("Caffè", "1.20".parse()?, VatRate::Ten).quantity(2))
        .item(Item::new("Cornetto", "1.50".parse()?, VatRate::Ten))
        .cash("3.90".parse()?)
        .build()?; // all violations at once, or a receipt that adds up
    let ticket = queue.enqueue("till-3/2026-11-22/000123", &sale)?; // durable when this returns; again = same ticket
    println!("{} is safe on disk: {}", ticket.key, ticket.state);

    let again = queue.enqueue("till-3/2026-11-22/000123", &sale)?;
    println!("the same again: duplicate = {}", again.duplicate);

    let back = Return::of(Parent::Key(ticket.key.parse()?)).line(0, 1); // one coffee; waits for its parent
    let back = queue.enqueue("till-3/2026-11-22/000124", back)?;

    for key in [&ticket.key, &back.key] {
        let mut document = queue.get(key)?;
        while !document.state.is_final() {
            document = queue.watch(key).await?; // wakes at each change
        }
        println!("{key}: {} {}", document.state, document.remote.document_number.unwrap_or_default());
    }

    dispatcher.stop().await?; // finishes what is on the wire
    queue.close()?;
    sandbox.stop().await;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// The sandbox is quicker than an authority: ask it sooner.
fn quick() -> staffetta::domain::retry::Backoff {
    let initial = Duration::from_millis(200);
    staffetta::domain::retry::Backoff { initial, max: Duration::from_secs(2), ..Settings::default().track }
}
