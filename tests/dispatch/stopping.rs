//! What the dispatcher leaves behind when it ends: nothing.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use async_trait::async_trait;
use staffetta::clock::SystemClock;
use staffetta::domain::outcome::{Answer, LookUpOutcome, SubmitOutcome, TrackOutcome};
use staffetta::provider::{Call, Claimed, Lost, Provider, Tracked};
use staffetta::{Dispatcher, Managed, Settings};

use crate::support::shop::{accounts, memory_queue};

/// Says when it goes.
struct Guard(Sender<&'static str>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send("given up").unwrap();
    }
}

/// Whose login takes for ever.
struct NoLogin(Sender<&'static str>);

#[async_trait]
impl Provider for NoLogin {
    async fn submit(&self, _: &Call) -> Answer<SubmitOutcome> {
        unreachable!("nothing is queued")
    }
    async fn look_up(&self, _: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        unreachable!("nothing is lost")
    }
    async fn track(&self, _: &Tracked) -> Answer<TrackOutcome> {
        unreachable!("nothing is accepted")
    }
    async fn keep_fresh(&self) {
        let _guard = Guard(self.0.clone());
        self.0.send("begun").unwrap();
        std::future::pending().await
    }
}

#[test]
fn dispatch_has_given_up_early_logins_when_it_says_that_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let queue = memory_queue(folder.path(), Arc::new(SystemClock));
    let (sender, said) = channel();
    let managed = accounts().into_iter().map(|account| Managed::new(account, Arc::new(NoLogin(sender.clone()))));
    let dispatcher = Dispatcher::start_apart(&queue, managed.collect(), Settings::default()).unwrap();
    assert_eq!([said.recv(), said.recv(), said.recv()], [Ok("begun"); 3]);
    dispatcher.stop_blocking().unwrap();
    assert_eq!([said.try_recv(), said.try_recv(), said.try_recv()], [Ok("given up"); 3]);
}
