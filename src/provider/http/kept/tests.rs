use chrono::{DateTime, TimeDelta, Utc};

use super::super::{Broken, OTHERS_ANSWER, Reply, arrived};
use super::*;

/// A clock that stands still until it is told otherwise: what it shows, and the time that passed.
struct HandClock(Mutex<(DateTime<Utc>, Duration)>);

impl HandClock {
    fn pass(&self, time: Duration) {
        let mut moment = self.0.lock().unwrap();
        *moment = (moment.0 + time, moment.1 + time);
    }

    fn set_forward(&self, by: TimeDelta) {
        self.0.lock().unwrap().0 += by;
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.lock().unwrap().0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

/// A connection to one server.
fn on(port: u16) -> Option<Ends> {
    Some((SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([192, 0, 2, 1], 443))))
}

struct Server {
    clock: Arc<HandClock>,
    habit: Habit,
}

impl Server {
    fn strange() -> Server {
        let clock = Arc::new(HandClock(Mutex::new((DateTime::UNIX_EPOCH, Duration::ZERO))));
        Server { habit: Habit::new(clock.clone()), clock }
    }

    /// One that is known to leave connections open.
    fn known() -> Server {
        let server = Server::strange();
        assert_eq!(server.answers(1), Way::Watched);
        server.pass(100);
        assert_eq!(server.answers(1), Way::Watched);
        assert_eq!(server.answers(1), Way::Kept);
        server
    }

    fn pass(&self, ms: u64) {
        self.clock.pass(Duration::from_millis(ms));
    }

    /// A submission that is answered on this connection.
    fn answers(&self, port: u16) -> Way {
        let trip = self.habit.begin(true);
        let way = trip.way();
        trip.arrived(on(port)).answered();
        way
    }

    /// Sends nothing for so long: the way that a submission would go at each of these moments.
    fn ways<const N: usize>(&self, after_ms: [u64; N]) -> [Way; N] {
        after_ms.map(|ms| {
            self.pass(ms);
            let mut known = self.habit.known().clone();
            known.way(self.habit.moment())
        })
    }
}

#[test]
fn a_connection_is_used_again_once_one_was_seen_open_for_longer() {
    let server = Server::strange();
    assert_eq!(server.answers(1), Way::Watched);
    for _ in 0..3 {
        assert_eq!(server.answers(2), Way::Own, "what is watched is left alone");
        server.pass(33);
    }
    server.pass(1);
    assert_eq!(server.answers(1), Way::Watched);
    assert_eq!([server.answers(3), server.answers(4)], [Way::Kept; 2]);
    server.pass(3_600_000);
    assert_eq!(server.answers(5), Way::Kept);
}

#[test]
fn a_server_that_closes_is_left_alone_for_a_while() {
    let elsewhere = on(1).map(|(ours, _)| (ours, SocketAddr::from(([192, 0, 2, 2], 443))));
    for (what, second) in [("another connection", on(2)), ("another server", elsewhere), ("not known which", None)] {
        let server = Server::strange();
        server.answers(1);
        server.pass(100);
        let trip = server.habit.begin(true);
        assert_eq!(trip.way(), Way::Watched);
        trip.arrived(second).answered();
        assert_eq!(server.ways([0, 1_000, 598_999, 1]), [Way::Own, Way::Own, Way::Own, Way::Watched], "{what}");
    }
    let server = Server::strange();
    server.habit.begin(true).arrived(None).answered();
    assert_eq!(server.ways([1_000]), [Way::Own]);
}

#[test]
fn one_at_a_time_finds_out() {
    let server = Server::strange();
    let first = server.habit.begin(true);
    assert_eq!(server.answers(2), Way::Own);
    first.arrived(on(1)).answered();
    server.pass(100);
    let second = server.habit.begin(true);
    assert_eq!(server.answers(2), Way::Own);
    second.arrived(on(1)).answered();
    assert_eq!(server.answers(2), Way::Kept);
}

#[test]
fn what_lay_idle_for_longer_than_is_looked_at_is_not_touched() {
    let server = Server::strange();
    server.answers(1);
    assert_eq!(server.ways([100, 200, 1, 698]), [Way::Watched, Way::Watched, Way::Own, Way::Own]);
    assert_eq!(server.answers(2), Way::Own);
    server.pass(1);
    // The first is certainly gone: it begins anew.
    assert_eq!(server.answers(3), Way::Watched);
    assert_eq!(server.answers(4), Way::Own);
    server.pass(100);
    assert_eq!(server.answers(1), Way::Watched);
    assert_eq!(server.answers(5), Way::Own, "it was another connection");
}

#[test]
fn after_silence_each_has_its_own() {
    let server = Server::known();
    let (silent, late) = (server.habit.begin(true), server.habit.begin(true));
    drop(silent);
    late.arrived(on(1)).answered();
    assert_eq!(server.ways([0, 1_199_999, 1]), [Way::Own, Way::Own, Way::Watched]);

    // Also where it happened to one with a connection of its own, and what was being found out is void.
    for already in [false, true] {
        let server = Server::strange();
        let watched = server.habit.begin(true);
        let silent = server.habit.begin(true);
        assert_eq!(silent.way(), Way::Own);
        if already {
            watched.arrived(on(1)).answered();
            drop(silent);
        } else {
            drop(silent);
            watched.arrived(on(1)).answered();
        }
        assert_eq!(server.ways([100, 599_899, 1]), [Way::Own, Way::Own, Way::Watched]);
    }
}

/// An answer on a connection that had another's is nobody's, until that connection is certainly gone.
#[test]
fn after_anothers_answer_nothing_on_its_connection_counts() {
    let server = Server::known();
    let trips = [1, 1, 2].map(|port| (server.habit.begin(true), on(port)));
    let [first, same, other] = trips.map(|(trip, ends)| trip.arrived(ends));
    let (unknown, own) = (server.habit.begin(true), server.habit.begin(false).arrived(on(1)));
    let mixed = |trips: [&Trip<'_>; 4]| trips.map(Trip::is_mixed);
    assert_eq!(mixed([&same, &other, &unknown, &own]), [false; 4]);
    first.anothers();
    assert_eq!(mixed([&same, &other, &unknown, &own]), [true, false, true, false]);
    assert_eq!(server.ways([0, 1_199_999]), [Way::Own; 2]);
    server.pass(1_200_000);
    assert_eq!(server.answers(1), Way::Watched);
    server.pass(100);
    let second = server.habit.begin(true).arrived(on(1));
    assert!(!second.is_mixed(), "the number of a connection may come again");

    // Whatever it says.
    for status in [200, 401, 422, 429] {
        let server = Server::known();
        let [first, same, other] = [1, 1, 2].map(|port| server.habit.begin(true).arrived(on(port)));
        first.anothers();
        let reply = Reply { status, retry_after: None, skew_ms: None, body: Vec::new(), at: DateTime::UNIX_EPOCH };
        let found = arrived(same, reply.clone()).err();
        assert!(
            matches!(&found, Some(Broken::Unknown { why, .. }) if why.starts_with(OTHERS_ANSWER)),
            "{status}: {found:?}"
        );
        assert!(arrived(other, reply).is_ok(), "{status}");
    }

    // One that nobody can name.
    let server = Server::known();
    let here = server.habit.begin(true).arrived(on(1));
    server.habit.begin(true).anothers();
    assert!(here.is_mixed());
    // One of its own says nothing of others.
    let server = Server::known();
    let here = server.habit.begin(true).arrived(on(1));
    server.habit.begin(false).arrived(on(1)).anothers();
    assert!(!here.is_mixed());
    assert_eq!(server.ways([0]), [Way::Own], "but it is trouble enough");
}

#[test]
fn without_a_line_none_is_used_again_until_those_there_were_are_gone() {
    let server = Server::known();
    server.habit.begin(true).in_trouble();
    assert_eq!(server.ways([0, 999, 1]), [Way::Own, Way::Own, Way::Watched]);
    // It does not make up for silence.
    let server = Server::known();
    drop(server.habit.begin(true));
    server.habit.begin(true).in_trouble();
    assert_eq!(server.ways([1_000]), [Way::Own]);
}

#[test]
fn what_was_open_before_the_machine_slept_is_not_used() {
    let hour = TimeDelta::hours(1);
    for by in [hour, -hour] {
        let server = Server::known();
        server.clock.set_forward(by);
        assert_eq!(server.answers(2), Way::Own);
        assert_eq!(server.ways([999, 1]), [Way::Own, Way::Watched]);

        let server = Server::strange();
        server.answers(1);
        server.pass(100);
        server.clock.set_forward(by);
        assert_eq!(server.answers(2), Way::Own);
        assert_eq!(server.ways([999, 1]), [Way::Own, Way::Watched]);
    }
}

/// Where one is watched it is the only one, however long it takes and whatever happens meanwhile.
#[test]
fn two_are_never_watched_at_once() {
    let server = Server::strange();
    let slow = server.habit.begin(true);
    server.habit.begin(true).in_trouble();
    assert_eq!(server.ways([1_000, 4_000]), [Way::Own; 2], "it is still under way");
    slow.arrived(on(1)).answered();
    // What it left open is gone before the next is watched.
    assert_eq!(server.ways([0, 999, 1]), [Way::Own, Way::Own, Way::Watched]);

    let server = Server::strange();
    let silent = server.habit.begin(true);
    server.pass(700_000);
    server.habit.begin(true).in_trouble();
    drop(silent);
    assert_eq!(server.ways([599_999, 1]), [Way::Own, Way::Watched]);
}

#[test]
fn who_loses_answers_soon_again_is_left_alone_for_longer() {
    let server = Server::strange();
    let learn = || {
        assert_eq!(server.answers(1), Way::Watched);
        server.pass(100);
        assert_eq!(server.answers(1), Way::Watched);
    };
    let lose = |after_ms: u64, then_s: u64| {
        learn();
        server.pass(after_ms);
        let trip = server.habit.begin(true);
        assert_eq!(trip.way(), Way::Kept);
        drop(trip);
        assert_eq!(server.ways([then_s * 1_000 - 1, 1]), [Way::Own, Way::Watched], "{after_ms} {then_s}");
    };
    lose(599_999, 1_200);
    lose(0, 2_400);
    (0..10).for_each(|_| {
        learn();
        drop(server.habit.begin(true));
        server.pass(WARIEST.as_millis() as u64);
    });
    lose(0, 28_800);
    lose(600_000, 600);
    lose(0, 1_200);
}
