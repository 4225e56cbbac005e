//! What the outside sees of documents and queue: the objects of `--json`, of the agent and of the library (CONTRACT.md 5).

mod decision;
mod document;
mod event;
mod journal;
mod status;
mod taking;

pub use decision::{Decision, ReleaseDecision};
pub use document::{AttentionView, DocumentView, ListFilter, Page, ParentView, RemoteItemView, RemoteView, Summary};
pub use event::{Change, EventView};
pub use journal::{ArchivedView, Damaged, Verified};
pub use status::{AccountView, AttentionLine, BlackoutView, DrainReport, HoldView, Left, OldestUnsent, StatusView};
pub use taking::{ErrorView, NotTaken, Taken, Ticket};
