//! Staffetta beside other ways of keeping documents safe, and by itself at a million documents. `BENCHMARKS.md` says what
//! is compared and why; without arguments everything is done (about a quarter of an hour), with names only those parts.

mod archive;
mod cycle;
mod documents;
mod drain;
mod enqueue;
mod floor;
mod meter;
mod peers;
mod scale;

use std::path::PathBuf;
use std::time::Duration;

const HELP: &str = "\
parts:    enqueue bytes intake growth open drain archive   (none: all)
--rounds N     rounds of each part (5)
--flush 2ms    what a flush takes at least in enqueue, growth, archive and drain; `disk`: as the disk does (2ms; drain: disk)
--dir DIR      a folder on a real disk (the system's folder for temporary files)
--memory DIR   a folder in memory, used where the flush is fixed (/dev/shm, or --dir)
--backlog N    documents of the large backlog (1000000)
--count N      documents of a drain (20000)
--accounts N   accounts of a drain that share the VAT numbers (1); only the first has documents
--shops N      VAT numbers of the account (16); not with open and archive, whose steps are processes of their own
--producers N  enqueue with so many producers alone (1, 8 and 64)
--peers LIST   enqueue with these peers alone, as in `Staffetta,SQLite` (all); with drain, only `Staffetta`: without the loops";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.as_slice() {
        [first] if first == "serve" => return drain::serve(),
        [first, what, dir, more @ ..] if first == "child" => return scale::as_child(what, &PathBuf::from(dir), more),
        _ => {}
    }
    let (mut parts, mut dir, mut memory) = (Vec::new(), std::env::temp_dir(), PathBuf::from("/dev/shm"));
    let (mut rounds, mut backlog, mut count, mut accounts, mut flush) = (5, 1_000_000, 20_000, 1, None);
    let mut among = enqueue::Among::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| fail(&format!("{arg} needs a value")));
        let number = |text: String| text.parse::<u64>().unwrap_or_else(|_| fail(&format!("{text} is no number")));
        match arg.as_str() {
            "--rounds" => rounds = number(value()) as usize,
            "--backlog" => backlog = number(value()),
            "--count" => count = number(value()),
            "--accounts" => accounts = number(value()) as usize,
            "--shops" => documents::set_shops(number(value())),
            "--producers" => among.producers = Some(number(value())),
            "--peers" => among.peers = Some(value()),
            "--dir" => dir = value().into(),
            "--memory" => memory = value().into(),
            "--flush" => {
                let text = value();
                flush = Some(match text.as_str() {
                    "disk" => None,
                    text => Some(Duration::from_millis(number(text.trim_end_matches("ms").to_owned()))),
                });
            }
            "enqueue" | "bytes" | "intake" | "growth" | "open" | "drain" | "archive" => parts.push(arg),
            _ => fail(HELP),
        }
    }
    if !memory.is_dir() {
        memory.clone_from(&dir);
    }
    let place = |flush: Option<Duration>| if flush.is_some() { &memory } else { &dir };
    let (draining, flush) = (flush.flatten(), flush.unwrap_or(Some(Duration::from_millis(2))));
    let fixed = place(flush);
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    if wanted("enqueue") {
        enqueue::rates(fixed, flush, rounds, &among);
    }
    if wanted("bytes") {
        enqueue::bytes(&dir);
    }
    if wanted("intake") {
        scale::intake(&dir, rounds);
    }
    if wanted("growth") {
        scale::growth(fixed, rounds, [10_000, backlog], flush);
    }
    if wanted("open") {
        scale::opening(&dir, backlog, rounds);
    }
    if wanted("archive") {
        archive::measure(&dir, backlog, rounds, flush);
    }
    if wanted("drain") {
        let alone = among.peers.as_deref() == Some("Staffetta");
        drain::compare(place(draining), rounds, &drain::How { count, flush: draining, accounts, alone });
    }
}

fn fail(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(2)
}
