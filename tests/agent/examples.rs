//! The tills of `examples/agent`, in the languages that most tills are written in, each against a real agent.

use std::process::{Command, Stdio};

use super::{Agent, online};

fn there(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

#[test]
fn tills_in_other_languages_sell_wait_and_void() {
    let (shop, sandbox) = online();
    let agent = Agent::start(&shop);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/agent");
    let mut done = 0;
    for (needs, program, file) in [
        (&["bash", "curl"][..], "bash", "till.sh"),
        (&["python3"], "python3", "till.py"),
        (&["node"], "node", "till.mjs"),
    ] {
        if let Some(missing) = needs.iter().find(|program| !there(program)) {
            println!("SKIP {file}: there is no {missing} here");
            continue;
        }
        let ran = Command::new(program).arg(format!("{folder}/{file}")).arg(&agent.socket).output().expect("it runs");
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{file}\n{out}\n{err}");
        assert!(out.contains("registered") && out.contains("voided"), "{file}: {out}");
        done += 1;
        let ledger = sandbox.ledger();
        assert_eq!(ledger.len(), 2 * done, "{file}: a sale and its void: {ledger:#?}");
    }
    assert!(done > 0, "not one interpreter is here");
    assert_eq!(shop.run(&["--json", "status"]).one()["counts"]["registered"], 2 * done);
}
