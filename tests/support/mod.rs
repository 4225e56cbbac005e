//! What several tests share.

pub mod around;
pub mod booted;
pub mod segments;
pub mod shop;

use chrono::TimeDelta;

/// Waits for `work` under paused time, at most `limit`; tells whether it ended. In steps of a quarter of a second: a paused clock jumps
/// to the next timer whenever all tasks seem idle, and while one of ours waits for the disk that must not be a far one.
pub async fn patiently<T>(limit: TimeDelta, work: impl Future<Output = T>) -> bool {
    tokio::pin!(work);
    for _ in 0..limit.num_milliseconds() / 250 {
        tokio::select! {
            biased;
            _ = &mut work => return true,
            () = tokio::time::sleep(std::time::Duration::from_millis(250)) => {}
        }
    }
    false
}
