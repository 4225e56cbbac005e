//! What the system says of this process, and small statistics.

use std::fs;
use std::time::Duration;

/// Bytes that this process has caused to be written to disks. Files in memory do not count.
pub fn written() -> u64 {
    field("/proc/self/io", "write_bytes:")
}

/// Bytes of memory in use now, and the most there ever was. Includes pages of the program's own file.
pub fn memory() -> (u64, u64) {
    (field("/proc/self/status", "VmRSS:") * 1024, field("/proc/self/status", "VmHWM:") * 1024)
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Processor time of this process, of all its threads, in ticks of 10 ms.
pub fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}

/// The value below which a share of them lies; sorts them.
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((values.len() * percent / 100).min(last)).copied().unwrap_or(f64::NAN)
}

pub fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 50)
}
