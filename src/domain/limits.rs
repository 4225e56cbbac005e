//! Every limit of Staffetta, with its unit and its reason, in one place.

/// Digits before the point of any number read: 10^11 is the authority's bound for an amount (PROVIDERS.md 3), the
/// rest is room for a sum of many before it is refused by name instead of by syntax.
pub const MAX_DIGITS: u32 = 18;
/// Digits after the point of any number read: prices have at most 8 (OAS); more is refused by the check of its field.
pub const MAX_PLACES: u32 = 12;
/// An amount must be below this many euro (AdE form: 11 whole digits).
pub const MAX_AMOUNT: i128 = 100_000_000_000;
/// Lines of one document. No source gives a limit; the authority's form was never seen with more than a few dozen.
pub const MAX_ITEMS: usize = 1_000;
/// Characters of a line's description (OAS).
pub const MAX_DESCRIPTION: usize = 1_000;
/// Characters of an idempotency key (CONTRACT.md 2).
pub const MAX_KEY: usize = 128;
/// Characters of an account's name.
pub const MAX_ACCOUNT: usize = 64;
/// Characters of a fiscal id: a VAT number has 11, a tax code 16; the rest is room for a provider's test ids.
pub const MAX_FISCAL_ID: usize = 64;
/// Characters of an id given by a provider.
pub const MAX_REMOTE_ID: usize = 256;
/// Characters of any other text of a document (invoice number, e-mail address, tag, note number, SKU, item code).
pub const MAX_TEXT: usize = 256;
/// Tags of a receipt (OAS: 10, one of them is ours).
pub const MAX_TAGS: usize = 10;
/// Characters of `linked_receipt` (OAS).
pub const MAX_LINKED_RECEIPT: usize = 50;
/// Bytes of one input line (CONTRACT.md 5): a document with 1,000 long lines fits, a runaway file does not fill memory.
pub const MAX_LINE: usize = 1024 * 1024;
/// Bytes of one journal record's payload: an input line and what is computed from it.
pub const MAX_RECORD: usize = 4 * 1024 * 1024;
/// Bytes after which a segment is sealed: small enough to copy and archive, large enough that a million documents
/// make some dozens of files.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Documents that may be waiting at once. Not a technical bound: more is a shop that has not sent for a year.
pub const MAX_QUEUED: u64 = 10_000_000;
/// Bytes of a provider's answer that are read. A page of 100 receipts with hundreds of lines each fits.
pub const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// The longest `Retry-After` that is believed, in seconds: a document must not sleep a day for a header.
pub const MAX_RETRY_AFTER_S: u64 = 3_600;
/// Pages of one list that a look-up reads: 20,000 receipts. More is no answer, and a person looks.
pub const MAX_LIST_PAGES: usize = 200;
/// Documents that one look-up fetches one by one to compare their lines; in the few minutes of its window a shop does
/// not sell the same for the same money more often.
pub const MAX_CANDIDATES: usize = 50;
/// Days that one look-up lists. The window is minutes, unless the process stood still for long.
pub const MAX_LOOK_UP_DAYS: usize = 40;
/// Bytes of disk kept aside so that answers to documents already on the wire can be journaled when the disk is full.
pub const RESERVE_BYTES: u64 = 1024 * 1024;
/// Transactions that wait for one commit group; beyond it producers wait their turn.
pub const MAX_GROUP: usize = 1_024;
/// Bytes of one commit group: bounds the memory and the time of one flush.
pub const MAX_GROUP_BYTES: usize = 8 * 1024 * 1024;
/// Characters of a person's reason or a provider's message that are kept.
pub const MAX_REASON: usize = 2_000;
/// Bytes of one batch of documents that the agent reads (`application/x-ndjson`): some thousand sales at once. A file
/// with more is sent in several.
pub const MAX_BATCH: usize = 16 * 1024 * 1024;
/// Bytes of any other request to the agent: a decision with its reason.
pub const MAX_REQUEST: usize = 64 * 1024;
/// Bytes of a request's line and headers: a key of 128 characters, percent-encoded, and what HTTP clients send along.
pub const MAX_HEAD: usize = 16 * 1024;
/// Headers of a request.
pub const MAX_HEADERS: usize = 64;
/// Connections that the agent serves at once, idle ones too: far above the tills of a shop, below the 1,024 file
/// descriptors that most systems give a process. Whoever comes then is told to come again.
pub const MAX_CONNECTIONS: usize = 400;
/// Connections that are being told so at once.
pub const MAX_REFUSALS: usize = 200;
/// Those who follow events, or export, at once: each holds a connection for as long as it likes.
pub const MAX_STREAMS: usize = 64;
/// Bytes of requests' bodies in the agent's memory at once.
pub const MAX_BODIES: usize = 128 * 1024 * 1024;
/// Documents that the agent has handed to the journal and waits for: below the journal's own bound, so that handing over
/// never stands still.
pub const MAX_HANDED: usize = 2 * MAX_GROUP;
/// Reads of the journal for the agent's callers at once; others wait their turn.
pub const MAX_READS: usize = 16;
/// Documents in one page of a list.
pub const MAX_PAGE: usize = 1_000;
/// Seconds that a request may take, the body's way included. Beyond it the caller asks again; nothing is undone.
pub const MAX_REQUEST_S: u64 = 30;
/// Seconds after which an idle connection is closed.
pub const MAX_IDLE_S: u64 = 60;
