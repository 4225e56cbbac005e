//! The sandbox answers as the providers' documents say, breaks as its fault plan says, and its ledger misses nothing.

mod admin;
mod blackout;
mod checks;
mod configurations;
mod faults;
mod http;
mod load;
mod network;
mod oauth;
mod openapi;
mod smart_receipt;
mod stamp;
