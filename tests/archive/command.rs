//! `staffetta archive` as a shop's operator meets it.

use std::fs;
use std::process::Stdio;

use crate::cli::{Shop, sales};

/// Twenty sales called off: at their end without a provider.
pub fn over() -> Shop {
    let shop = Shop::new();
    shop.feed(&["enqueue"], sales(20)).status(0);
    let keys: Vec<String> = (1..=20).map(|n| format!("k{n}")).collect();
    let mut args = vec!["cancel"];
    args.extend(keys.iter().map(String::as_str));
    args.extend(["--reason", "called off"]);
    shop.run(&args).status(0);
    shop
}

/// Flips a bit in the first frame of the first archive.
pub fn damage_first_frame(shop: &Shop) {
    let path = shop.path("journal/archives/00000000000000000001.arc");
    let mut bytes = fs::read(&path).unwrap();
    let head = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    bytes[head + 20] ^= 1;
    fs::write(&path, bytes).unwrap();
}

#[test]
fn archived_documents_are_listed_shown_exported_and_verified() {
    let shop = over();
    let told = || {
        [&["--json", "list"][..], &["--json", "show", "k7"], &["export"], &["export", "--format", "csv"]]
            .map(|args| shop.run(args).status(0).out())
    };
    let before = told();
    let nothing = shop.run(&["archive", "--older-than", "30d"]).status(0).out();
    assert_eq!(nothing, "nothing to do: no segment has been done with for 720h\n");
    let done = shop.run(&["--json", "archive", "--older-than", "0s"]).status(0).one();
    assert_eq!((&done["segments"], &done["kept"]), (&1.into(), &0.into()), "{done}");
    for number in ["bytes", "archive_bytes", "index_bytes_before", "index_bytes", "table_bytes"] {
        assert!(done[number].as_u64().unwrap() > 0, "{done}");
    }
    assert_eq!(
        fs::read_dir(shop.path("journal/archives")).unwrap().count(),
        2,
        "the archive, and the table of its documents"
    );
    assert_eq!(told(), before);
    let verified = shop.run(&["--json", "verify"]).status(0).one();
    assert_eq!((&verified["sound"], &verified["documents"]), (&true.into(), &20.into()));
    let again = shop.run(&["--json", "archive", "--older-than", "0s"]).status(0).one();
    assert_eq!((&again["segments"], &again["index_bytes"]), (&0.into(), &serde_json::Value::Null));
    let repeated = shop.feed(&["--json", "enqueue"], sales(20)).status(0).lines();
    assert!(repeated.iter().all(|line| line["duplicate"] == true && line["state"] == "cancelled"));
    fs::remove_dir_all(shop.path("journal/index")).unwrap();
    assert_eq!(told(), before);
    let words = over().run(&["archive", "--older-than", "0s"]).status(0).out();
    assert!(words.starts_with("archived: 1 segment, ") && words.contains("index was made anew"), "{words}");
}

#[test]
fn a_damaged_archive_is_named_and_the_rest_is_read() {
    let shop = over();
    shop.run(&["archive", "--older-than", "0s"]).status(0);
    damage_first_frame(&shop);
    shop.take(&crate::cli::sale("after"));
    let verified = shop.run(&["--json", "verify"]).status(2).one();
    let damage = verified["damage"].as_array().unwrap();
    let named = |key: &str| damage.iter().any(|place| place["key"] == key);
    assert!((1..=20).all(|n| named(&format!("k{n}"))), "{verified}");
    assert!(damage.iter().all(|place| place["segment"] == 1 && place["what"].as_str().unwrap().contains(".arc")));
    // Without the index nobody knows any more which keys are taken: it does not open, and what is readable is read.
    fs::remove_dir_all(shop.path("journal/index")).unwrap();
    assert!(shop.run(&["status"]).trouble().contains("archive 00000000000000000001.arc"));
    let exported = shop.run(&["export"]).status(2);
    assert!(exported.lines().len() == 1 && exported.lines()[0]["key"] == "after", "{}", exported.out());
    assert!(exported.err().contains("(document k7)"), "{}", exported.err());
}

#[test]
fn bad_ages_a_missing_journal_and_another_process_are_told() {
    let shop = Shop::new();
    for age in ["", "30", "-1d", "1h1d", "4000d"] {
        let ran = shop.run(&["archive", &format!("--older-than={age}")]).status(2);
        assert!(ran.err().contains("an age is written like 30d"), "{}", ran.err());
    }
    shop.run(&["archive"]).status(2);
    assert!(shop.run(&["archive", "--older-than", "1d"]).trouble().contains("no journal"));
    assert!(!shop.path("journal").exists());
    let mut till = shop.command(&["--json", "enqueue"]);
    let mut till = till.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input = till.stdin.as_mut().unwrap();
    std::io::Write::write_all(input, format!("{}\n", crate::cli::sale("k1")).as_bytes()).unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(till.stdout.as_mut().unwrap()), &mut line).unwrap();
    let refused = shop.run(&["archive", "--older-than", "1d"]).trouble();
    assert!(refused.contains(&format!("process {}", till.id())), "{refused}");
    drop(till.stdin.take());
    till.wait().unwrap();
}
