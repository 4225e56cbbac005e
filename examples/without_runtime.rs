//! A synchronous program with no runtime of its own embeds the queue: everything a till calls is plain blocking code, and
//! the dispatcher makes itself a thread. `cargo run --example without_runtime`.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use staffetta::clock::SystemClock;
use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::calendar::Window;
use staffetta::domain::retry::Backoff;
use staffetta::prelude::*;
use staffetta::provider::{AccountConfig, Endpoint, connect};
use staffetta::sandbox::Sandbox;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base_url = sandbox_elsewhere()?;
    let account = Account {
        name: "shop-milano".parse()?,
        provider: ProviderKind::SmartReceipt,
        fiscal_ids: vec!["01234567897".parse()?],
        blackout: Window::NONE, // Window::SMART_RECEIPT in a shop; here the example runs at any hour
    };
    let config = AccountConfig {
        account: account.clone(),
        endpoint: Endpoint::SmartReceipt {
            base_url: format!("{base_url}/smart-receipt"),
            login_url: format!("{base_url}/smart-receipt/login"),
            email: "pos@example.com".to_owned(),
            password: "sandbox-password".to_owned().into(),
        },
        connect_timeout: Duration::from_secs(5),
        answer_timeout: Duration::from_secs(30),
        proxy: None,
    };
    let provider = connect(config, Arc::new(SystemClock))?;

    let folder = std::env::temp_dir().join(format!("staffetta-plain-{}", std::process::id()));
    let queue = Queue::open(&folder)?;
    let track = Backoff { initial: Duration::from_millis(200), ..Settings::default().track };
    let settings = Settings { track, ..Settings::default() };
    let dispatcher = Dispatcher::start_with(&queue, vec![Managed::new(account, provider)], settings)?;

    // Several tills, each a thread; they share the journal's flushes.
    let tills: Vec<_> = (1..=3)
        .map(|till| {
            let queue = queue.clone();
            std::thread::spawn(move || -> Result<String, String> {
                let told = |error: &dyn std::fmt::Display| error.to_string();
                let sale = Receipt::new("01234567897".parse().map_err(|error| told(&error))?)
                    .item(Item::new("Libro", "10.00".parse().map_err(|error| told(&error))?, VatRate::Four))
                    .electronic("10.00".parse().map_err(|error| told(&error))?)
                    .build()
                    .map_err(|error| told(&error))?;
                let ticket = queue.enqueue(&format!("till-{till}/000001"), &sale).map_err(|error| told(&error))?;
                Ok(ticket.key)
            })
        })
        .collect();
    for till in tills {
        println!("safe on disk: {}", till.join().map_err(|_| "a till panicked")??);
    }

    dispatcher.drained_blocking()?;
    for document in queue.list(&Default::default())? {
        println!("{}: {}", document.key, document.state);
    }
    dispatcher.stop_blocking()?;
    queue.close()?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// A sandbox on a thread of its own, as if it were another machine.
fn sandbox_elsewhere() -> Result<String, Box<dyn std::error::Error>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new();
        let result = runtime.and_then(|runtime| {
            runtime.block_on(async {
                let sandbox = Sandbox::start(Default::default())?;
                sender.send(sandbox.base_url()).map_err(std::io::Error::other)?;
                std::future::pending::<()>().await;
                drop(sandbox);
                Ok(())
            })
        });
        if let Err(error) = result {
            eprintln!("the sandbox cannot start: {error}");
        }
    });
    Ok(receiver.recv()?)
}
