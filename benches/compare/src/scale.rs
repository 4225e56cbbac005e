//! A large backlog: intake through the command, growth, opening, memory.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use staffetta::queue::Queue;

use crate::meter::{median, memory, percentile};
use crate::peers::staffetta::open;
use crate::{archive, cycle, documents};

/// Takes so many documents in large groups.
pub fn fill(queue: &Queue, till: u64, count: u64) {
    for from in (0..count).step_by(4_000) {
        let group = (from..count.min(from + 4_000)).map(|number| documents::document(till, number)).collect();
        queue.take_all(group).into_iter().for_each(|taken| drop(taken.expect("it is taken")));
    }
}

/// `staffetta enqueue` of a file of 100,000 receipts, its start and clean stop included.
pub fn intake(dir: &Path, rounds: usize) {
    const MANY: u64 = 100_000;
    let command = sibling("staffetta");
    let dir = tempfile::tempdir_in(dir).expect("a folder");
    let lines = dir.path().join("receipts.jsonl");
    {
        let mut file = std::io::BufWriter::new(std::fs::File::create(&lines).expect("a file"));
        (0..MANY).for_each(|number| writeln!(file, "{}", documents::line(3, number)).expect("a line"));
        file.flush().expect("a file");
    }
    let vat: Vec<_> = (0..documents::shops()).map(|shop| format!("{:?}", documents::vat_number(shop))).collect();
    println!(
        "\n## Intake of {MANY} receipts from a file ({rounds} rounds)\n\n| output | documents/s | wall s | processor s |\n|---|---|---|---|"
    );
    for json in [true, false] {
        let (mut wall, mut busy) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let home = dir.path().join(format!("home-{json}-{round}"));
            std::fs::create_dir(&home).expect("a folder");
            let config = home.join("staffetta.toml");
            let text = format!(
                "[[account]]\nname = \"shop\"\nprovider = \"openapi\"\nbase_url = \"http://127.0.0.1:9/\"\n\
                 token = {{ env = \"TOKEN\" }}\nfiscal_ids = [{}]\n",
                vat.join(", ")
            );
            std::fs::write(&config, text).expect("a file");
            let mut staffetta = Command::new(&command);
            staffetta.arg("--config").arg(&config).args(json.then_some("--json")).arg("enqueue").arg(&lines);
            let (began, before) = (Instant::now(), children());
            let out = staffetta.stdout(Stdio::piped()).stderr(Stdio::null()).output().expect("the command");
            wall.push(began.elapsed().as_secs_f64());
            busy.push((children() - before).as_secs_f64());
            assert!(out.status.success(), "all are taken");
            assert_eq!(out.stdout.iter().filter(|byte| **byte == b'\n').count() as u64, MANY);
            std::fs::remove_dir_all(home).expect("it goes");
        }
        let (wall, busy) = (median(wall), median(busy));
        let output = if json { "--json" } else { "text" };
        println!("| {output} | {:.0} | {wall:.2} | {busy:.2} |", MANY as f64 / wall);
    }
}

/// Processor time of the processes that this one has waited for.
fn children() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = after_name.split(' ').skip(13).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}

fn sibling(name: &str) -> PathBuf {
    std::env::current_exe().expect("a path").with_file_name(name)
}

/// Enqueue and one dispatch cycle, with a small and a large backlog in turn.
pub fn growth(dir: &Path, rounds: usize, backlogs: [u64; 2], flush: Option<Duration>) {
    println!(
        "\n## Growth: {} and {} documents waiting ({rounds} rounds in turn, flush {flush:?})",
        backlogs[0], backlogs[1]
    );
    let folder = tempfile::tempdir_in(dir).expect("a folder");
    let queues = backlogs.map(|backlog| {
        let dir = folder.path().join(backlog.to_string());
        fill(&open(&dir, None), 0, backlog);
        open(&dir, flush)
    });
    in_turn(&queues, backlogs.map(|backlog| backlog.to_string()), rounds, 3_000);
    let (now, most) = memory();
    println!("\nmemory of the process with both open: {} MB now, {} MB at most", now >> 20, most >> 20);
}

/// New documents under new keys, and so many dispatch cycles, in one journal and the other in turn: each round's middle and
/// hundredth, and how the second journal compares with the first.
pub fn in_turn(queues: &[Queue; 2], names: [String; 2], rounds: usize, cycles: usize) {
    // [journal][measure] -> a value a round
    let mut seen: [[Vec<f64>; 4]; 2] = Default::default();
    for round in 0..rounds {
        for place in [round % 2, (round + 1) % 2] {
            let queue = &queues[place];
            let documents: Vec<_> = (0..3_000).map(|n| documents::document(10_000 + round as u64, n)).collect();
            let mut enqueue = Vec::new();
            for document in documents {
                let began = Instant::now();
                queue.take(document).expect("it is taken");
                enqueue.push(began.elapsed().as_secs_f64() * 1e6);
            }
            let mut cycle = cycle::run(queue, cycles);
            let values = [
                percentile(&mut enqueue, 50),
                percentile(&mut enqueue, 99),
                percentile(&mut cycle, 50),
                percentile(&mut cycle, 99),
            ];
            seen[place].iter_mut().zip(values).for_each(|(all, value)| all.push(value));
        }
    }
    println!("\n| | {}, µs | {}, µs | ratio |\n|---|---|---|---|", names[0], names[1]);
    for (measure, name) in ["enqueue p50", "enqueue p99", "dispatch cycle p50", "dispatch cycle p99"].iter().enumerate()
    {
        let ratios = seen[1][measure].iter().zip(&seen[0][measure]).map(|(second, first)| second / first).collect();
        let [first, second] = [0, 1].map(|place: usize| median(seen[place][measure].clone()));
        println!("| {name} | {first:.0} | {second:.0} | {:.2} |", median(ratios));
    }
}

/// How long opening takes and how much memory it needs, in a process of its own each time.
pub fn opening(dir: &Path, backlog: u64, rounds: usize) {
    let folder = tempfile::tempdir_in(dir).expect("a folder");
    let dir = folder.path();
    println!("\n## Opening with {backlog} documents ({rounds} rounds, a process each, files in the system's cache)\n");
    println!("filling: {}", child("fill", dir, &[&backlog.to_string()]));
    for round in 0..rounds as u64 {
        println!("after a clean stop: {}", child("open", dir, &[]));
        // Killed with as much as there is not yet in the index.
        println!("killed: {}", child("killed", dir, &[&(100 + round).to_string(), "40000"]));
        println!("after a kill: {}", child("open", dir, &[]));
    }
    for _ in 0..rounds {
        std::fs::remove_dir_all(dir.join("journal/index")).expect("the index");
        println!("index rebuilt: {}", child("open", dir, &[]));
    }
    println!("running, 30,000 taken and 10,000 dispatched: {}", child("work", dir, &[]));
}

/// Does something in a process of its own; what that said.
pub fn child(what: &str, dir: &Path, more: &[&str]) -> String {
    let me = std::env::current_exe().expect("a path");
    let out = Command::new(me).args(["child", what]).arg(dir).args(more).stderr(Stdio::inherit()).output();
    String::from_utf8_lossy(&out.expect("a process").stdout).trim().to_owned()
}

/// What a process of its own does.
pub fn as_child(what: &str, dir: &Path, more: &[String]) {
    let number = |place: usize| more.get(place).and_then(|text| text.parse::<u64>().ok()).expect("a number");
    let say = |began: Instant, queue: &Queue| {
        let (took, (now, most)) = (began.elapsed(), memory());
        let found = queue.recovery();
        println!(
            "{:.3} s, memory {} MB, at most {} MB (clean {}, records read again {}, rebuilt: {})",
            took.as_secs_f64(),
            now >> 20,
            most >> 20,
            found.clean,
            found.replayed,
            found.rebuilt.as_deref().unwrap_or("no")
        );
    };
    let began = Instant::now();
    let queue = open(dir, None);
    match what {
        "fill" => fill(&queue, 0, number(0)),
        "drained" => archive::drained(&queue, number(0)),
        "archive" => archive::archive(&queue),
        "look" => archive::look(&queue, number(0)),
        "killed" => {
            fill(&queue, number(0), number(1));
            say(began, &queue);
            std::process::abort();
        }
        "work" => {
            fill(&queue, 77, 30_000);
            cycle::run(&queue, 10_000);
        }
        _ => {}
    }
    say(began, &queue);
    queue.close().expect("a clean stop");
}
