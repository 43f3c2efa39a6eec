//! Decoding a stranger's picture where it can do no harm: in a child, which is this program once more.
//!
//! `decoder` is the parent's side, `child` what runs inside, `sandbox` what the child may not do, and
//! `wire` what the two say to each other.

pub mod child;
pub mod decoder;
pub mod sandbox;
pub mod wire;
