//! Three embedded databases, each as an outbox: documents by number, keys unique, an index by due time; every commit
//! durable (SQLite: WAL with `synchronous = FULL`; redb: `Immediate`; fjall: `SyncData`).

use std::path::Path;
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use redb::{ReadableTable, TableDefinition};
use rusqlite::{Connection, params};

use super::{Doc, Store};
use crate::floor::at_least;

/// A commit flushes once. Its own flush is next to nothing where `flush` is used (files in memory), so it is paid in full.
fn pay(flush: Option<Duration>) {
    at_least(flush.unwrap_or_default(), || ());
}

pub struct Sqlite {
    connection: Connection,
    flush: Option<Duration>,
}

impl Sqlite {
    pub fn open(dir: &Path, flush: Option<Duration>) -> Sqlite {
        let connection = Connection::open(dir.join("outbox.db")).expect("a database");
        let schema = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE outbox (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, state INTEGER NOT NULL,
                due INTEGER NOT NULL, body BLOB NOT NULL);
            CREATE INDEX due ON outbox (state, due);";
        connection.execute_batch(schema).expect("a schema");
        Sqlite { connection, flush }
    }
}

impl Store for Sqlite {
    fn commit(&mut self, docs: &[Doc]) {
        let transaction = self.connection.transaction().expect("a transaction");
        {
            let sql = "INSERT INTO outbox (key, state, due, body) VALUES (?1, 0, ?2, ?3)";
            let mut insert = transaction.prepare_cached(sql).expect("a statement");
            for doc in docs {
                insert.execute(params![doc.key, doc.due as i64, doc.value]).expect("an insert");
            }
        }
        transaction.commit().expect("a commit");
        pay(self.flush);
    }
}

const DOCS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("docs");
const KEYS: TableDefinition<'_, &str, u64> = TableDefinition::new("keys");
const DUE: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("due");

pub struct Redb {
    database: redb::Database,
    next: u64,
    flush: Option<Duration>,
}

impl Redb {
    pub fn open(dir: &Path, flush: Option<Duration>) -> Redb {
        let database = redb::Database::create(dir.join("outbox.redb")).expect("a database");
        Redb { database, next: 0, flush }
    }
}

impl Store for Redb {
    fn commit(&mut self, docs: &[Doc]) {
        let transaction = self.database.begin_write().expect("a transaction");
        {
            let mut bodies = transaction.open_table(DOCS).expect("a table");
            let mut keys = transaction.open_table(KEYS).expect("a table");
            let mut due = transaction.open_table(DUE).expect("a table");
            for doc in docs {
                assert!(keys.get(doc.key.as_str()).expect("a read").is_none(), "no key comes twice");
                self.next += 1;
                bodies.insert(self.next, doc.value.as_slice()).expect("an insert");
                keys.insert(doc.key.as_str(), self.next).expect("an insert");
                due.insert((doc.due, self.next), ()).expect("an insert");
            }
        }
        transaction.commit().expect("a commit"); // durable by default
        pay(self.flush);
    }
}

pub struct Fjall {
    database: Database,
    docs: Keyspace,
    keys: Keyspace,
    due: Keyspace,
    next: u64,
    flush: Option<Duration>,
}

impl Fjall {
    pub fn open(dir: &Path, flush: Option<Duration>) -> Fjall {
        let database = Database::builder(dir.join("outbox.fjall")).open().expect("a database");
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default).expect("a keyspace");
        let (docs, keys, due) = (keyspace("docs"), keyspace("keys"), keyspace("due"));
        Fjall { docs, keys, due, database, next: 0, flush }
    }
}

impl Store for Fjall {
    fn commit(&mut self, docs: &[Doc]) {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for doc in docs {
            assert!(!self.keys.contains_key(&doc.key).expect("a read"), "no key comes twice");
            self.next += 1;
            let id = self.next.to_be_bytes();
            batch.insert(&self.docs, id, doc.value.as_slice());
            batch.insert(&self.keys, doc.key.as_str(), id);
            batch.insert(&self.due, [doc.due.to_be_bytes(), id].concat(), []);
        }
        batch.commit().expect("a commit");
        pay(self.flush);
    }
}
