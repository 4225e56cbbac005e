//! What goes wrong at a scripted authority, and how often.

/// The fault plan of a scripted [`Authority`](super::Authority): how often things go wrong with a request, each out of a thousand. Besides,
/// it can be [down](super::Authority::add_outage), [refuse](super::Authority::set_refusing) and be [slow to list](super::Authority::set_list_lag).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chances {
    /// The request does not leave.
    pub not_sent: u32,
    /// The request arrives, is not processed, and no answer comes.
    pub lost_before: u32,
    /// It is processed, and no answer comes.
    pub lost_after: u32,
    /// It is processed only seconds after the client gave up.
    pub committed_late: u32,
    /// A look-up or question gets no answer.
    pub read_fails: u32,
    /// The authority refuses it after the provider took it.
    pub fails_at_authority: u32,
    /// The provider answers 429.
    pub too_many: u32,
}

impl Chances {
    /// Nothing goes wrong.
    pub const NONE: Chances = Chances {
        not_sent: 0,
        lost_before: 0,
        lost_after: 0,
        committed_late: 0,
        read_fails: 0,
        fails_at_authority: 0,
        too_many: 0,
    };
    /// A bad line.
    pub const BAD_LINE: Chances = Chances {
        not_sent: 60,
        lost_before: 40,
        lost_after: 40,
        committed_late: 20,
        read_fails: 80,
        fails_at_authority: 0,
        too_many: 10,
    };
}

/// What the provider refuses at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusing {
    /// Nothing.
    Nothing,
    /// The credentials.
    Credentials,
    /// Every document, for good, with a message of its own.
    Documents,
}
