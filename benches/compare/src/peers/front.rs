//! Group commit for any store: one thread commits what has gathered while the commit before was flushed.

use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::JoinHandle;

use super::{Doc, Prepared, Store, Taker};

type Waiting = (Doc, mpsc::SyncSender<()>);

#[derive(Default)]
struct Queue {
    waiting: Mutex<(Vec<Waiting>, bool)>,
    changed: Condvar,
}

pub struct Front {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    pub fn over(mut store: impl Store + 'static) -> Front {
        let queue = Arc::new(Queue::default());
        let theirs = queue.clone();
        let thread = std::thread::spawn(move || {
            loop {
                let mut guard = theirs.waiting.lock().expect("no thread panics here");
                while guard.0.is_empty() && !guard.1 {
                    guard = theirs.changed.wait(guard).expect("no thread panics here");
                }
                let group = std::mem::take(&mut guard.0);
                drop(guard);
                if group.is_empty() {
                    return;
                }
                let (docs, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
                store.commit(&docs);
                for answer in answers {
                    let _ = answer.send(());
                }
            }
        });
        Front { queue, thread: Some(thread) }
    }
}

impl Taker for Front {
    fn take(&self, _: u64, _: u64, prepared: Prepared) {
        let Prepared::Doc(doc) = prepared else { unreachable!("prepared for Staffetta") };
        let (sender, receiver) = mpsc::sync_channel(1);
        self.queue.waiting.lock().expect("no thread panics here").0.push((doc, sender));
        self.queue.changed.notify_one();
        receiver.recv().expect("an answer");
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.queue.waiting.lock().expect("no thread panics here").1 = true;
        self.queue.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no thread panics here");
        }
    }
}
