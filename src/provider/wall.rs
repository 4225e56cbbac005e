//! One wall around a submission: its login, a renewal and the request itself together take no longer than one request
//! may, so that "nothing is on the wire by 23:55" can be computed from the two time-outs (CONTRACT.md 1.4).

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::domain::outcome::{Answer, SubmitOutcome};

/// Runs `work` for at most `wall`; `left` tells whether a request may be on the wire when it is cut off.
pub(crate) async fn within(
    wall: Duration,
    left: &AtomicBool,
    work: impl Future<Output = Answer<SubmitOutcome>>,
) -> Answer<SubmitOutcome> {
    match tokio::time::timeout(wall, work).await {
        Ok(answer) => answer,
        Err(_) if left.load(Ordering::SeqCst) => {
            Answer::without_http(SubmitOutcome::Unknown { why: format!("no answer within {wall:?}") })
        }
        Err(_) => Answer::without_http(SubmitOutcome::NotSent { why: format!("no token within {wall:?}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_cut_off_is_unknown_only_if_it_may_have_left() {
        for (login, answer, expected) in [(6, 3, "done"), (6, 6, "unknown"), (11, 0, "not sent")] {
            let left = AtomicBool::new(false);
            let work = async {
                tokio::time::sleep(Duration::from_secs(login)).await;
                left.store(true, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(answer)).await;
                Answer::without_http(SubmitOutcome::Registered(Box::default()))
            };
            let outcome = within(Duration::from_secs(10), &left, work).await.outcome;
            let word = match outcome {
                SubmitOutcome::Registered(_) => "done",
                SubmitOutcome::Unknown { .. } => "unknown",
                _ => "not sent",
            };
            assert_eq!(word, expected);
        }
    }
}
