//! `staffetta sandbox`: the providers and the authority, simulated on this machine.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::json;

use super::output::{Output, tell};
use super::signals::Signals;
use super::trouble::Trouble;
use super::{Exit, args};
use crate::sandbox::{FaultPlan, Options, Sandbox};

/// Bytes of a fault plan that are read; more is the wrong file.
const MAX_PLAN: u64 = 16 * 1024 * 1024;

/// Serves until a signal comes.
///
/// # Errors
/// [`Trouble`] when the fault plan cannot be read or the address not be listened at.
pub fn run(args: &args::Sandbox, out: &mut Output) -> Result<Exit, Trouble> {
    let faults = match &args.faults {
        Some(path) => read_plan(path)?,
        None => FaultPlan::default(),
    };
    let runtime = super::runtime()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let options = Options { listen: args.listen, faults, ..Options::default() };
        let sandbox = Sandbox::start_with(options).map_err(|error| cannot_start(args, &error))?;
        announce(&sandbox, out)?;
        let signal = signals.next().await;
        tell(format_args!("{signal}: the sandbox stops; it forgets everything"));
        Ok(Exit::DONE)
    })
}

fn read_plan(path: &Path) -> Result<FaultPlan, Trouble> {
    use std::io::Read;
    let trouble = |why: String| Trouble::new("faults", format!("{}: {why}", path.display()));
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_PLAN).read_to_end(&mut bytes));
    read.map_err(|error| trouble(format!("cannot be read: {error}")))?;
    FaultPlan::parse(&bytes).map_err(|error| trouble(error.to_string()))
}

fn cannot_start(args: &args::Sandbox, error: &std::io::Error) -> Trouble {
    let cure = match error.kind() {
        ErrorKind::AddrInUse => ": is a sandbox running already? --listen 127.0.0.1:0 takes any free port",
        ErrorKind::PermissionDenied => ": take a port above 1023",
        _ => "",
    };
    Trouble::new("sandbox", format!("cannot listen at {}: {error}{cure}", args.listen))
}

fn announce(sandbox: &Sandbox, out: &mut Output) -> Result<(), Trouble> {
    let base = sandbox.base_url();
    if out.is_json() {
        out.object(&json!({
            "base_url": base,
            "openapi": format!("{base}/openapi"),
            "smart_receipt": format!("{base}/smart-receipt"),
            "stamp": format!("{base}/stamp"),
            "portal": format!("{base}/portal"),
            "ledger": format!("{base}/_sandbox/ledger"),
        }))?;
    } else {
        out.line(format_args!("the sandbox listens at {base}"))?;
        out.line(format_args!("  openapi        base_url = \"{base}/openapi\""))?;
        out.line(format_args!("  smart-receipt  base_url = \"{base}/smart-receipt\""))?;
        out.line(format_args!("                 login_url = \"{base}/smart-receipt/login\""))?;
        out.line(format_args!("  stamp          merchant_api_url = invoicing_api_url = \"{base}/stamp\""))?;
        out.line(format_args!("                 merchant_portal_url = \"{base}/portal\""))?;
        out.line("it takes any token and any password but wrong-token and wrong-password")?;
        out.line(format_args!("every document issued: {base}/_sandbox/ledger    other calls: {base}/_sandbox"))?;
        out.line("SIGINT (Ctrl-C) or SIGTERM stops")?;
    }
    out.flush()
}
