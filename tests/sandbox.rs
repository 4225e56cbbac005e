//! The sandbox answers as the providers' documents say, breaks as its fault plan says, and its ledger misses nothing.

mod http;
mod openapi;
