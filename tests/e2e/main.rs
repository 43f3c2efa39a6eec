//! End-to-end tests: the real `provision` and the real functions, on an embedded AWS of their own.
//!
//! `make test` builds what is run here and starts this. One emulator serves all tests, each in an
//! environment of its own, and ends with them. What happened on AWS is asked of boto3, a client that
//! is not ours. Set `CLOUDPIX_SKIP_E2E=1` where there is no Python.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on should say where and end"
)]

mod burst;
mod cloud;
mod container;
mod crash;
mod crowd;
mod damage;
mod deploy;
mod drift;
mod events;
mod input;
mod lifecycle;
mod local;
mod machine;
mod moto;
mod openapi;
mod operate;
mod pictures;
mod proxy;
mod quota;
mod repair;
mod security;
mod sign_in;
mod team;
mod tidy;
mod unsettled;
mod users;
mod watch;
mod weather;
