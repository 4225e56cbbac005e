//! Draining over HTTP against a local server that answers at once, beside a bare loop of the same client.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use staffetta::clock::SystemClock;
use staffetta::domain::account::Account;
use staffetta::domain::retry::Backoff;
use staffetta::provider::{AccountConfig, Endpoint, connect};
use staffetta::{Dispatcher, Managed, Settings, State};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::meter::{cpu, median};
use crate::peers::staffetta::open;
use crate::{documents, scale};

const IN_FLIGHT: usize = 8;

/// The server, in a process of its own: prints its address and answers every request as a provider that took a sale.
pub fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("an address");
        println!("{}", listener.local_addr().expect("an address"));
        let next = Arc::new(AtomicU64::new(1));
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            tokio::spawn(answer(stream, next.clone()));
        }
    });
}

async fn answer(stream: TcpStream, next: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let id = next.fetch_add(1, Ordering::Relaxed);
        let body =
            format!(r#"{{"data":{{"id":"{id:024x}","status":"new"}},"success":true,"message":"","error":null}}"#);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
        stream.get_mut().write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    }
}

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Server {
        let me = std::env::current_exe().expect("a path");
        let mut child = Command::new(me).arg("serve").stdout(Stdio::piped()).spawn().expect("a server");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("its address");
        Server { child, url: format!("http://{}/openapi", line.trim()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Requests a second and processor time a request of a bare loop.
fn bare(url: &str, count: u64, idle: usize) -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = reqwest::Client::builder().http1_only().no_proxy().pool_max_idle_per_host(idle);
    let client = client.redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let (bodies, next) = ((0..count).map(|number| documents::body(5, number)).collect::<Vec<_>>(), AtomicU64::new(0));
    let shared = Arc::new((bodies, next));
    let url = format!("{url}/IT-receipts");
    let (began, before) = (Instant::now(), cpu());
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let (client, shared, url) = (client.clone(), shared.clone(), url.clone());
            tasks.spawn(async move {
                while let Some(body) = shared.0.get(shared.1.fetch_add(1, Ordering::Relaxed) as usize) {
                    let request = client.post(&url).bearer_auth("t").header("content-type", "application/json");
                    let answer = request.body(body.clone()).send().await.expect("an answer");
                    assert!(answer.status().is_success());
                    answer.bytes().await.expect("its body");
                }
            });
        }
        tasks.join_all().await;
    });
    let took = began.elapsed();
    (count as f64 / took.as_secs_f64(), (cpu() - before).as_secs_f64() * 1e6 / count as f64)
}

/// The accounts: the one that sells, and others of the same VAT numbers, which only share its lanes.
fn accounts(url: &str, count: usize) -> Vec<Managed> {
    let managed = |number: usize| {
        let account = match number {
            0 => documents::account(),
            _ => Account { name: format!("other-{number}").parse().expect("a name"), ..documents::account() },
        };
        let config = AccountConfig {
            account: account.clone(),
            endpoint: Endpoint::Openapi { base_url: url.to_owned(), token: "t".to_owned().into() },
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(30),
            proxy: None,
        };
        Managed::new(account, connect(config, Arc::new(SystemClock)).expect("a provider"))
    };
    (0..count.max(1)).map(managed).collect()
}

/// The same of the real dispatcher with the real adapter: intents and outcomes durable.
fn drain(dir: &Path, url: &str, how: &How) -> (f64, f64) {
    let How { count, flush, .. } = *how;
    let dir = tempfile::tempdir_in(dir).expect("a folder");
    let queue = open(dir.path(), flush);
    scale::fill(&queue, 5, count);
    let hour = Duration::from_secs(3_600);
    // The authority's verdict is asked for later: here only submissions count.
    let settings = Settings {
        in_flight: IN_FLIGHT,
        blackout_spread: Duration::ZERO,
        track: Backoff { initial: hour, max: hour, ..Settings::default().track },
        ..Settings::default()
    };
    let accounts = accounts(url, how.accounts);
    let (began, before) = (Instant::now(), cpu());
    let dispatcher = Dispatcher::start_with(&queue, accounts, settings).expect("a dispatcher");
    // Sales of a VAT number leave in their order: when the last one of each is there, all are. To ask for the whole status
    // all the time would cost what is to be measured.
    for last in count - documents::shops().min(count)..count {
        let key = documents::key(5, last);
        while queue.get(&key).expect("a document").state != State::Accepted {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    let took = began.elapsed();
    let busy = (cpu() - before).as_secs_f64() * 1e6 / count as f64;
    let accepted = queue.status().expect("a status").counts.get(&State::Accepted).copied();
    assert_eq!(accepted, Some(count), "delivered");
    dispatcher.stop_blocking().expect("it stops");
    queue.close().expect("a clean stop");
    (count as f64 / took.as_secs_f64(), busy)
}

/// What is drained, and how.
pub struct How {
    pub count: u64,
    pub flush: Option<Duration>,
    pub accounts: usize,
    /// Without the loops.
    pub alone: bool,
}

pub fn compare(dir: &Path, rounds: usize, how: &How) {
    let How { count, flush, accounts, alone } = *how;
    println!(
        "\n## Drain of {count} receipts, {IN_FLIGHT} in flight, {accounts} account(s) ({rounds} rounds in turn, flush {flush:?})\n"
    );
    let (mut ours, mut same, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let server = Server::start();
        ours.push(drain(dir, &server.url, how));
        if alone {
            continue;
        }
        same.push(bare(&server.url, count, 0));
        kept.push(bare(&server.url, count, IN_FLIGHT));
    }
    println!("| | requests/s | Staffetta's share | processor µs a document |\n|---|---|---|---|");
    let rows = [
        ("Staffetta", &ours),
        ("bare loop, a connection each, as Staffetta submits", &same),
        ("bare loop, connections kept", &kept),
    ];
    for (name, seen) in rows.into_iter().filter(|row| !row.1.is_empty()) {
        let share = median(ours.iter().zip(seen).map(|(ours, seen)| ours.0 / seen.0).collect());
        let (rate, busy) =
            (median(seen.iter().map(|one| one.0).collect()), median(seen.iter().map(|one| one.1).collect()));
        println!("| {name} | {rate:.0} | {share:.2} | {busy:.0} |");
    }
}
