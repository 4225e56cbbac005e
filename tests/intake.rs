//! Intake refuses what will not be accepted, by name, and takes the rest.

mod vectors;
