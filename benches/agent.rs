//! 64 callers who enqueue over the agent's socket, against 64 threads that call the library, in one run on one disk; and
//! what callers who are served notice of 10,000 connections that are refused.
//!
//! `cargo bench --bench agent`; `STAFFETTA_BENCH_SECONDS=n` for longer runs. Rates are documents a second, each durable
//! before it is counted.
#![cfg_attr(not(unix), allow(unused))]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(unix)]
mod unix {
    use std::collections::HashMap;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use staffetta::agent::{Listening, Options};
    use staffetta::domain::line;
    use staffetta::queue::{self, Queue};

    const CALLERS: u64 = 64;
    const CONNECTIONS: u64 = 10_000;

    fn sale(key: &str) -> String {
        format!(
            r#"{{"key":"{key}","kind":"receipt","body":{{"fiscal_id":"12345678903","items":[{{"quantity":2,"description":"Caffè","unit_price":"1.20","vat_rate_code":"10"}},{{"quantity":1,"description":"Cornetto","unit_price":"1.50","vat_rate_code":"10"}}],"cash_payment_amount":"3.90"}}}}"#
        )
    }

    /// Runs `call` on as many threads for so long; calls a second, and how long each took, sorted.
    fn measure(length: Duration, call: impl Fn(u64) -> Box<dyn FnMut(&str)> + Sync) -> (u64, Vec<Duration>) {
        let stop = AtomicBool::new(false);
        let began = Instant::now();
        let mut times: Vec<Duration> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS)
                .map(|caller| {
                    let (stop, call) = (&stop, &call);
                    scope.spawn(move || {
                        let mut call = call(caller);
                        let mut times = Vec::new();
                        while !stop.load(Ordering::Relaxed) {
                            let key = format!("{caller}-{}-{}", times.len(), uuid::Uuid::new_v4());
                            let began = Instant::now();
                            call(&key);
                            times.push(began.elapsed());
                        }
                        times
                    })
                })
                .collect();
            while began.elapsed() < length {
                std::thread::yield_now();
                std::thread::park_timeout(Duration::from_millis(10));
            }
            stop.store(true, Ordering::Relaxed);
            callers.into_iter().flat_map(|caller| caller.join().expect("it ends")).collect()
        });
        let rate = times.len() as u128 * 1_000_000 / began.elapsed().as_micros();
        times.sort_unstable();
        (u64::try_from(rate).unwrap_or(u64::MAX), times)
    }

    fn at(times: &[Duration], per_mille: usize) -> Duration {
        times.get(times.len() * per_mille / 1_000).or(times.last()).copied().unwrap_or_default()
    }

    fn say(what: &str, rate: u64, times: &[Duration]) {
        let (half, most, worst) = (at(times, 500), at(times, 990), at(times, 1_000));
        println!("{what:<44} {rate:>7}/s   p50 {half:>10.2?}   p99 {most:>10.2?}   max {worst:>10.2?}");
    }

    /// A caller that keeps its connection.
    fn caller(socket: &Path) -> Box<dyn FnMut(&str)> {
        let mut buffer = [0; 4096];
        // One that is sent away because those before have not quite left comes again.
        let mut stream = loop {
            let mut stream = UnixStream::connect(socket).expect("it listens");
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
            let read = stream.read(&mut buffer).expect("it answers");
            if buffer[..read].starts_with(b"HTTP/1.1 200") {
                break stream;
            }
        };
        Box::new(move |key| {
            let body = sale(key);
            let head = format!(
                "POST /v1/documents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).expect("it reads");
            let read = stream.read(&mut buffer).expect("it answers");
            assert!(buffer[..read].starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&buffer[..read]));
        })
    }

    pub fn main() {
        let seconds = std::env::var("STAFFETTA_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
        let length = Duration::from_secs(seconds);
        let folder = tempfile::tempdir().expect("a folder");
        let open =
            |name: &str| Queue::open_with(folder.path().join(name), queue::Options::default()).expect("a journal");

        let library = open("library");
        let run = |queue: &Queue| {
            let queue = queue.clone();
            let call = Box::new(move |key: &str| {
                let document = line::parse(sale(key).as_bytes()).expect("a document");
                queue.take(document).expect("taken");
            });
            call as Box<dyn FnMut(&str)>
        };
        let (of_library, times) = measure(length, |_| run(&library));
        say("library, 64 threads", of_library, &times);
        library.close().expect("closes");

        let served = open("served");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let inside = runtime.enter();
        let options = Options { folder: folder.path().join("served"), listen: None, callbacks: HashMap::new() };
        let agent = Listening::start(options).expect("it listens").serve(&served, None);
        drop(inside);
        let socket = folder.path().join("served/agent.sock");
        let (of_agent, times) = measure(length, |_| caller(&socket));
        say("agent, 64 callers over the socket", of_agent, &times);
        println!("agent / library = {}.{:02}", of_agent / of_library.max(1), of_agent * 100 / of_library.max(1) % 100);

        // 336 idle connections fill the room that the 64 leave; then 10,000 knock, one after the other, eight at a time.
        let idle: Vec<UnixStream> = (0..336).map(|_| UnixStream::connect(&socket).expect("it listens")).collect();
        let (refused, knocked, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) && knocked.fetch_add(1, Ordering::Relaxed) < CONNECTIONS {
                        let Ok(mut stream) = UnixStream::connect(&socket) else { continue };
                        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
                        let mut answer = String::new();
                        let _ = stream.read_to_string(&mut answer);
                        if answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after") {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            let (rate, times) = measure(length, |_| caller(&socket));
            say("agent, while connections are refused", rate, &times);
            while knocked.load(Ordering::Relaxed) < CONNECTIONS {
                std::thread::park_timeout(Duration::from_millis(10));
            }
            over.store(true, Ordering::Relaxed);
        });
        println!("{} of {CONNECTIONS} connections were refused politely", refused.into_inner());
        drop(idle);
        runtime.block_on(agent.stop());
        served.close().expect("closes");
    }
}
