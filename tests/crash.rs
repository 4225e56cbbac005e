//! The real program, killed with SIGKILL at random moments while tills enqueue and while it delivers, over real HTTP to
//! a sandbox that loses requests and answers. Afterwards every line that was printed as taken is there, each key is at
//! its provider at most once, and the journal is sound.
//!
//! 200 kills; `STAFFETTA_CRASHES=n` for another number, `STAFFETTA_CRASH_SEED=n` to draw the same plan again (what the
//! machine does between two moments of it is never the same twice).
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use serde_json::Value;
use staffetta::sandbox::{Blackout, Call, Ending, Fault, FaultPlan, Rule, Sandbox, Settings, Span};
use staffetta::testing::Random;
use tokio::runtime::Runtime;

const CRASHES: u64 = 200;
/// Tills that write to one `enqueue` at the same time.
const TILLS: usize = 3;
/// VAT numbers of each account: each is a lane of its own.
const ISSUERS: u64 = 4;
const SIGKILL: i32 = 9;

/// Short times, so that much happens between two kills. What a killed program had sent is processed by then.
const CONFIGURATION: &str = r#"
[journal]
path = "journal"
[dispatch]
connect_timeout = "2s"
answer_timeout = "2s"
blackout = "none"
blackout_spread = "0s"
backoff = { initial = "20ms", max = "200ms" }
settle = "200ms"
track = { initial = "20ms", max = "200ms" }
[[account]]
name = "roma"
provider = "openapi"
base_url = "BASE/openapi"
token = "sandbox-token"
fiscal_ids = [ROMA]
[[account]]
name = "milano"
provider = "smart-receipt"
base_url = "BASE/smart-receipt"
login_url = "BASE/smart-receipt/login"
email = "pos@example.com"
password = "sandbox-password"
fiscal_ids = [MILANO]
"#;

fn issuer(account: &str, number: u64) -> String {
    format!("{account}-{number}")
}

fn rule(fault: Fault, call: Option<Call>, per_million: u32) -> Rule {
    Rule { call, per_million, ..Rule::new(fault) }
}

/// What goes wrong besides the kills. The first rule does nothing and counts the requests.
fn faults(seed: u64) -> FaultPlan {
    let mut rules = vec![rule(Fault::EmptyBody, None, 0)];
    for call in [Call::Submit, Call::Return, Call::Void] {
        let late = Fault::Delay { ms: 60, late: false };
        rules.extend([
            rule(Fault::DropAfter(Ending::Reset), Some(call), 60_000),
            rule(Fault::DropBefore(Ending::Close), Some(call), 30_000),
            rule(Fault::HalfAnswer, Some(call), 20_000),
            rule(late, Some(call), 200_000),
        ]);
    }
    let unavailable = Fault::Status { code: 503, body: None, headers: Vec::new(), processed: false };
    rules.extend([rule(unavailable, Some(Call::List), 50_000), rule(Fault::RefuseConnection { ms: 20 }, None, 5_000)]);
    FaultPlan { seed, rules, settings: None }
}

/// What a till wants to hand over, and has no answer to yet.
struct Line {
    key: String,
    text: String,
}

struct Shop {
    seed: u64,
    random: Random,
    folder: tempfile::TempDir,
    sandbox: Sandbox,
    _runtime: Runtime,
    /// Keys printed as taken, with the number printed.
    told: BTreeMap<String, String>,
    /// Sales among them, for returns and voids.
    sales: Vec<String>,
    /// Keys printed as refused.
    refused: BTreeSet<String>,
    owed: VecDeque<Line>,
    number: u64,
}

impl Shop {
    fn open(seed: u64) -> Shop {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let known = ["roma", "milano"].iter().flat_map(|name| (0..ISSUERS).map(move |n| issuer(name, n))).collect();
        let settings = Settings {
            blackout: Blackout::Off,
            known_fiscal_ids: known,
            submit_delay: Span::from_millis(10),
            ready_delay: Span::from_millis(20),
            ..Settings::default()
        };
        let sandbox = {
            let _inside = runtime.enter();
            Sandbox::start(settings).unwrap()
        };
        sandbox.set_faults(faults(seed)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ids = |name| (0..ISSUERS).map(|n| format!("\"{}\"", issuer(name, n))).collect::<Vec<_>>().join(", ");
        let text = CONFIGURATION.replace("BASE", &sandbox.base_url());
        let text = text.replace("ROMA", &ids("roma")).replace("MILANO", &ids("milano"));
        std::fs::write(folder.path().join("staffetta.toml"), text).unwrap();
        Shop {
            seed,
            random: Random::new(seed),
            folder,
            sandbox,
            _runtime: runtime,
            told: BTreeMap::new(),
            sales: Vec::new(),
            refused: BTreeSet::new(),
            owed: VecDeque::new(),
            number: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let log = OpenOptions::new().create(true).append(true).open(self.path("stderr")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_staffetta"));
        command.arg("--json").args(args).current_dir(self.folder.path()).env_remove("STAFFETTA_CONFIG");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    /// What a command that is not killed prints, one object a line.
    fn ask(&self, args: &[&str], codes: &[i32]) -> Vec<Value> {
        let out = self.path("stdout");
        let ended = self.command(args).stdout(File::create(&out).unwrap()).status().unwrap();
        let text = std::fs::read_to_string(&out).unwrap();
        assert!(ended.code().is_some_and(|code| codes.contains(&code)), "{args:?}: {ended}: {text}{}", self.trouble());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn trouble(&self) -> String {
        let log = std::fs::read_to_string(self.path("stderr")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(20).collect();
        format!("\nseed {}; the last it said, newest first:\n{}", self.seed, last.join("\n"))
    }

    /// Lets the program go on for a moment. Never in units of time: what a moment is, the machine's load decides.
    fn moment(&mut self) {
        let most = [0, 50, 2_000, 20_000][self.random.below(4) as usize];
        (0..self.random.below(most + 1)).for_each(|_| std::thread::yield_now());
    }

    fn trade(&mut self) {
        self.number += 1;
        let key = format!("till-{}/{:05}", self.number % 3, self.number);
        let account = ["roma", "milano"][self.random.below(2) as usize];
        let issuer = issuer(account, self.random.below(ISSUERS));
        let earlier = self.random.below(20.min(self.sales.len() as u64 + 1)) as usize;
        let parent = self.sales.len().checked_sub(1 + earlier).and_then(|index| self.sales.get(index));
        let text = match (parent, self.random.below(100)) {
            (Some(parent), 0..10) => {
                format!(
                    r#"{{"key":"{key}","kind":"return","parent":"{parent}","body":{{"items":[{{"line":0,"quantity":1}}]}}}}"#
                )
            }
            (Some(parent), 10..15) => format!(r#"{{"key":"{key}","kind":"void","parent":"{parent}","body":{{}}}}"#),
            // Many sales are alike on purpose: a look-up must not take one for another.
            _ => format!(
                r#"{{"key":"{key}","kind":"receipt","body":{{"fiscal_id":"{issuer}","items":[{{"quantity":2,"description":"Caffè","unit_price":"1.20","vat_rate_code":"10"}}],"cash_payment_amount":"2.40"}}}}"#
            ),
        };
        self.owed.push_back(Line { key, text });
    }

    /// A line that the program printed.
    fn hear(&mut self, line: &str) {
        let said: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let key = said["key"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        let sale = self.owed.iter().any(|owed| owed.key == key && owed.text.contains("\"receipt\""));
        self.owed.retain(|owed| owed.key != key);
        match said["error"]["code"].as_str() {
            Some(code) => {
                assert!(matches!(code, "parent_conflict" | "invalid"), "{line}{}", self.trouble());
                self.refused.insert(key);
            }
            None => {
                let id = said["id"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
                let before = self.told.insert(key.clone(), id.clone());
                assert!(before.is_none_or(|before| before == id), "{key} became another document{}", self.trouble());
                if sale {
                    self.sales.push(key);
                }
            }
        }
    }

    /// Several tills write to one `enqueue`, which is killed after so many printed lines. Whether it was killed.
    fn enqueue_and_kill(&mut self) -> bool {
        let most = if self.random.per_mille(80) { 60 } else { 6 };
        (0..1 + self.random.below(most)).for_each(|_| self.trade());
        let target = self.random.below(self.owed.len() as u64 + 1);
        let mut child = self.command(&["enqueue"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = Mutex::new(child.stdin.take());
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut heard = Vec::new();
        let tills: Vec<Vec<String>> = (0..TILLS)
            .map(|till| self.owed.iter().skip(till).step_by(TILLS).map(|line| format!("{}\n", line.text)).collect())
            .collect();
        let ended = std::thread::scope(|scope| {
            for lines in tills {
                let input = &input;
                scope.spawn(move || {
                    for line in lines {
                        // Once it was killed nobody reads any more.
                        let _ = input.lock().unwrap().as_mut().map(|input| input.write_all(line.as_bytes()));
                    }
                });
            }
            let mut line = String::new();
            while (heard.len() as u64) < target && printed.read_line(&mut line).unwrap() > 0 {
                heard.push(std::mem::take(&mut line));
            }
            if self.random.per_mille(300) {
                input.lock().unwrap().take(); // it is on its way out
            }
            self.moment();
            kill(&mut child)
        });
        // What it had printed before it died was said. A line without its end was not.
        let mut line = Vec::new();
        while printed.read_until(b'\n', &mut line).unwrap() > 0 {
            heard.push(String::from_utf8(std::mem::take(&mut line)).unwrap());
        }
        for line in heard.iter().filter_map(|line| line.strip_suffix('\n')) {
            self.hear(line);
        }
        self.was_killed(ended, &[0, 1])
    }

    /// `drain` or `run`, killed after so many requests at the sandbox. Whether it was killed.
    fn deliver_and_kill(&mut self) -> bool {
        let forever = self.random.per_mille(150);
        let args: &[&str] = if forever { &["run"] } else { &["drain"] };
        let seen = self.requests();
        let most = [2, 8, 20, 60][self.random.below(4) as usize];
        let target = self.random.below(most);
        let mut child = self.command(args).spawn().unwrap();
        // `run` goes on when there is nothing left to do: then it is killed at rest.
        let patience = if forever { 300_000 } else { 10_000_000 };
        let mut waited = 0;
        while self.requests() - seen < target && waited < patience && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
            waited += 1;
        }
        self.moment();
        let ended = kill(&mut child);
        self.was_killed(ended, &[0, 3])
    }

    fn was_killed(&self, ended: ExitStatus, codes: &[i32]) -> bool {
        let killed = ended.signal() == Some(SIGKILL);
        assert!(killed || ended.code().is_some_and(|code| codes.contains(&code)), "{ended}{}", self.trouble());
        killed
    }

    fn requests(&self) -> u64 {
        self.sandbox.fault_counts().first().map_or(0, |count| count.seen)
    }

    /// The tills hand over what they got no answer to, and all is delivered.
    fn finish(&mut self) {
        let input = self.path("owed.jsonl");
        std::fs::write(&input, self.owed.iter().map(|line| format!("{}\n", line.text)).collect::<String>()).unwrap();
        let out = self.path("stdout");
        let ended = self.command(&["enqueue", "owed.jsonl"]).stdout(File::create(&out).unwrap()).status().unwrap();
        self.was_killed(ended, &[0, 1]);
        for line in std::fs::read_to_string(&out).unwrap().lines() {
            self.hear(line);
        }
        assert!(self.owed.is_empty());
        self.sandbox.clear_faults();
        // Whatever is left is found by the comparison, with its reason.
        self.ask(&["drain", "--for", "60s"], &[0, 3]);
    }

    /// What was told against what is there, here and at the providers.
    fn compare(&self) {
        let mut issued: BTreeMap<String, usize> = BTreeMap::new();
        for entry in self.sandbox.ledger() {
            *issued.entry(entry.idempotency_key.expect("our key travels with every request")).or_default() += 1;
        }
        let listed: BTreeMap<String, Value> =
            self.ask(&["list"], &[0]).into_iter().map(|one| (one["key"].as_str().unwrap().to_owned(), one)).collect();
        let mut wrong = Vec::new();
        for (key, id) in &self.told {
            let times = issued.get(key).copied().unwrap_or(0);
            let found = listed.get(key).map(|one| (one["id"].as_str(), one["state"].as_str(), times));
            match found {
                Some((Some(found), Some("registered"), 1) | (Some(found), Some("cancelled"), 0)) if found == id => {}
                _ => wrong
                    .push(format!("{key}, printed as {id}, is {times} times at its provider: {:?}", listed.get(key))),
            }
        }
        wrong
            .extend(issued.keys().filter(|key| !self.told.contains_key(*key)).map(|key| format!("{key}: never taken")));
        wrong.extend(listed.keys().filter(|key| self.refused.contains(*key)).map(|key| format!("{key}: was refused")));
        assert!(wrong.is_empty(), "{}{}", wrong.join("\n"), self.trouble());
        let verified = self.ask(&["verify"], &[0]);
        assert_eq!(verified[0]["sound"], true, "{verified:?}");
    }
}

/// SIGKILL: the program gets no chance to do anything.
fn kill(child: &mut Child) -> ExitStatus {
    // One that has just ended by itself is dead already.
    let _ = child.kill();
    child.wait().unwrap()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

#[test]
fn nothing_printed_is_lost_and_nothing_sent_twice_whenever_it_is_killed() {
    let crashes = number("STAFFETTA_CRASHES").unwrap_or(CRASHES);
    let seed = number("STAFFETTA_CRASH_SEED").unwrap_or(20_261_122);
    let mut shop = Shop::open(seed);
    let (mut killed, mut rounds) = ([0, 0], 0);
    while killed[0] + killed[1] < crashes {
        rounds += 1;
        assert!(rounds < 4 * crashes + 20, "it ends before it can be killed: {killed:?} in {rounds} rounds");
        if shop.random.per_mille(450) {
            killed[0] += u64::from(shop.enqueue_and_kill());
        } else {
            killed[1] += u64::from(shop.deliver_and_kill());
        }
    }
    let open = shop.told.len() - shop.sandbox.ledger().len().min(shop.told.len());
    println!("killed {killed:?} in {rounds} rounds; {} documents taken, {open} not delivered yet", shop.told.len());
    shop.finish();
    shop.compare();
    assert!(killed.iter().all(|times| *times >= crashes / 4), "one of the two was hardly killed: {killed:?}");
}
