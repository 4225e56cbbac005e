//! The vocabulary of the model test: everything that can happen to a queue, in small. One vocabulary for property tests
//! and for fuzzing; each action is always possible, because what it is about is chosen among what is there.

use proptest::prelude::*;

use super::disk::Fault;
use super::power::Cut;

/// Something that happens. A number chooses a document among those it can happen to; where there is none, nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A till hands over a new document.
    Enqueue(Paper),
    /// A till hands over a document again: same key, same content.
    Again(u8),
    /// A till uses a key again for something else.
    Other(u8),
    /// The dispatcher writes the intent and the request leaves.
    Submit(u8),
    /// A request on the wire is answered.
    Answer(u8, Reply),
    /// The answer to a request on the wire is lost.
    Lose(u8, Arrival),
    /// What is in doubt is looked up.
    LookUp(u8, Sight),
    /// The provider is asked about what it accepted.
    Track(u8, Verdict),
    /// A person calls a document off.
    Cancel(u8),
    /// A person has found out at the provider what became of a document, and says so.
    Resolve(u8),
    /// A person wants a document tried now.
    Retry(u8),
    /// A person lifts the account's hold.
    Release,
    /// So many seconds pass.
    Wait(u8),
    /// The machine's clock is set by so many minutes: three years ahead or back at most.
    ClockJump(i32),
    /// The process is killed and started again. The bits say which requests on the wire arrive all the same.
    Kill(u8),
    /// The power is cut, perhaps during the last thing that was done: after so many of its operations on the disk.
    PowerCut {
        /// What the disk makes of what was not synced.
        how: Cut,
        /// How many operations of the last thing done did not happen.
        undone: u8,
        /// Draws what survives, and which requests on the wire arrive all the same.
        seed: u8,
    },
    /// From now on only so many more bytes fit.
    DiskFull(u16),
    /// The disk's next operation but so many fails.
    DiskFails(u8, Fault),
    /// There is room, and the disk works.
    DiskHeals,
}

/// A document to hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// A sale of two things of a kind.
    Sale,
    /// A return of one of them.
    Return(u8),
    /// A void of a sale.
    Void(u8),
}

/// What a provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It has it.
    Accepted,
    /// It does not want it, ever.
    Refused,
    /// Nothing had left: there was no line.
    NotSent,
    /// Not now.
    NotNow,
    /// It refuses the account.
    Held,
}

/// Whether a request whose answer was lost has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It never does.
    Never,
    /// It has.
    Already,
    /// It is processed so many seconds later, within the settle time.
    Late(u8),
}

/// How a look-up goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The provider tells what it has.
    Clear,
    /// It does not answer.
    None,
    /// It has several that could be meant.
    Several,
}

/// What a provider says of a document that it accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing new.
    Pending,
    /// The authority has it.
    Registered,
    /// The authority refused it.
    Failed,
    /// It gave up, and does not know whether the authority has it.
    Uncertain,
    /// It does not answer.
    None,
}

/// Sequences of up to `most` actions, in a mixture that leads documents through their lives.
pub fn actions(most: usize) -> impl Strategy<Value = Vec<Action>> {
    proptest::collection::vec(action(), 1..=most)
}

fn action() -> impl Strategy<Value = Action> {
    use Action as A;
    let any = any::<u8>;
    let paper =
        prop_oneof![6 => Just(Paper::Sale), 2 => any().prop_map(Paper::Return), 2 => any().prop_map(Paper::Void)];
    let reply = prop_oneof![
        8 => Just(Reply::Accepted),
        2 => Just(Reply::Refused),
        2 => Just(Reply::NotSent),
        1 => Just(Reply::NotNow),
        1 => Just(Reply::Held),
    ];
    let arrival = prop_oneof![Just(Arrival::Never), Just(Arrival::Already), (0..110u8).prop_map(Arrival::Late)];
    let sight = prop_oneof![8 => Just(Sight::Clear), 1 => Just(Sight::None), 1 => Just(Sight::Several)];
    let verdict = prop_oneof![
        1 => Just(Verdict::Pending),
        6 => Just(Verdict::Registered),
        2 => Just(Verdict::Failed),
        1 => Just(Verdict::Uncertain),
        1 => Just(Verdict::None),
    ];
    let fault = prop_oneof![Just(Fault::Eio), Just(Fault::Enospc), Just(Fault::ShortWrite), Just(Fault::ShortEio)];
    let disk = prop_oneof![
        (0..2_000u16).prop_map(A::DiskFull),
        (0..6u8, fault).prop_map(|(nth, fault)| A::DiskFails(nth, fault)),
    ];
    let power_cut = (0..Cut::ALL.len(), 0..5u8, any()).prop_map(|(how, undone, seed)| A::PowerCut {
        how: Cut::ALL.get(how).copied().unwrap_or(Cut::Nothing),
        undone,
        seed,
    });
    let minutes = prop_oneof![-90..90i32, -1_576_800..1_576_800i32];
    // Of one weight each, but for what a document's life is made of.
    prop_oneof![
        14 => paper.prop_map(A::Enqueue),
        2 => any().prop_map(A::Again),
        1 => any().prop_map(A::Other),
        14 => any().prop_map(A::Submit),
        8 => (any(), reply).prop_map(|(which, reply)| A::Answer(which, reply)),
        6 => (any(), arrival).prop_map(|(which, arrival)| A::Lose(which, arrival)),
        10 => (any(), sight).prop_map(|(which, sight)| A::LookUp(which, sight)),
        8 => (any(), verdict).prop_map(|(which, verdict)| A::Track(which, verdict)),
        2 => any().prop_map(A::Cancel),
        2 => any().prop_map(A::Resolve),
        2 => any().prop_map(A::Retry),
        1 => Just(A::Release),
        8 => any().prop_map(A::Wait),
        1 => minutes.prop_map(A::ClockJump),
        2 => any().prop_map(A::Kill),
        3 => power_cut,
        2 => disk,
        2 => Just(A::DiskHeals),
    ]
}

impl Action {
    /// Reads actions from any bytes, four for each: for fuzzing.
    pub fn read_all(bytes: &[u8]) -> Vec<Action> {
        bytes.chunks_exact(4).map(|four| Action::read([four[0], four[1], four[2], four[3]])).collect()
    }

    fn read([what, a, b, c]: [u8; 4]) -> Action {
        use Action as A;
        match what % 32 {
            0..=2 => A::Enqueue(Paper::Sale),
            3 => A::Enqueue(Paper::Return(a)),
            4 => A::Enqueue(Paper::Void(a)),
            5 => A::Again(a),
            6 => A::Other(a),
            7..=10 => A::Submit(a),
            11..=13 => {
                A::Answer(a, pick(b, &[Reply::Accepted, Reply::Refused, Reply::NotSent, Reply::NotNow, Reply::Held]))
            }
            14..=15 => A::Lose(a, pick(b, &[Arrival::Never, Arrival::Already, Arrival::Late(c % 110)])),
            16..=18 => A::LookUp(a, pick(b, &[Sight::Clear, Sight::Clear, Sight::None, Sight::Several])),
            19..=20 => {
                let verdicts =
                    [Verdict::Pending, Verdict::Registered, Verdict::Failed, Verdict::Uncertain, Verdict::None];
                A::Track(a, pick(b, &verdicts))
            }
            21 => A::Cancel(a),
            22 => A::Resolve(a),
            23 => A::Retry(a),
            24 => A::Release,
            25 => A::Wait(a),
            26 => A::ClockJump((i32::from(a) - 128) * 256 * 48 + i32::from(b)),
            27 => A::Kill(a),
            28 => A::PowerCut { how: pick(a, &Cut::ALL), undone: b % 5, seed: c },
            29 => A::DiskFull(u16::from_le_bytes([a, b]) % 2_000),
            30 => A::DiskFails(a % 6, pick(b, &[Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::ShortEio])),
            _ => A::DiskHeals,
        }
    }
}

fn pick<T: Copy>(number: u8, of: &[T]) -> T {
    of[usize::from(number) % of.len()]
}
