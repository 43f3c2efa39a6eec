//! The commands, one file each. Every one reads as a line from left to right: settings, desired, live, plan, apply,
//! report.

pub mod adopt;
pub mod apply;
pub mod backfill;
pub mod completions;
pub mod cost;
pub mod deploy;
pub mod destroy;
pub mod doctor;
pub mod keys;
pub mod logs;
pub mod outputs;
pub mod plan;
pub mod redrive;
pub mod reindex;
pub mod rollback;
pub mod status;
pub mod users;
pub mod versions;
