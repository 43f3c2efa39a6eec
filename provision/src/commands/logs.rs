//! `provision logs`: what a function has written, and with `--follow` what it writes.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

use contract::Function;
use jiff::Timestamp;

use crate::aws::logs;
use crate::cli::Common;
use crate::interrupt::GracefulStop;
use crate::report;
use crate::session::Existing;

/// Between two looks. CloudWatch shows a line some seconds after it was written, and takes five looks
/// a second from all of the account.
const PAUSE: Duration = Duration::from_secs(1);
/// How far back each look goes: lines arrive late, and not in order.
const LATE: Duration = Duration::from_secs(30);
/// Lines that are remembered so as not to be shown twice: more than arrive within [`LATE`].
const REMEMBERED: usize = 10_000;

pub async fn run(
    common: &Common,
    function: Function,
    follow: bool,
    since: Duration,
) -> anyhow::Result<ExitCode> {
    let Existing { aws, names, .. } = Existing::open(common).await?;
    let group = names.log_group(function);
    let mut shown: VecDeque<(String, String)> = VecDeque::new();
    // To stop is how it is meant to end.
    let stop = GracefulStop::begin();
    let mut from = Timestamp::now() - since;
    loop {
        let looked = Timestamp::now();
        let mut page = None;
        loop {
            let (lines, next) = logs::lines(&aws, &group, from, page).await?;
            for line in lines {
                if shown.iter().any(|(id, text)| (id, text) == (&line.id, &line.text)) {
                    continue;
                }
                report::log_line(&line, common.json)?;
                shown.push_back((line.id, line.text));
                if shown.len() > REMEMBERED {
                    shown.pop_front();
                }
            }
            match next {
                Some(next) => page = Some(next),
                None => break,
            }
        }
        if !follow {
            return Ok(ExitCode::SUCCESS);
        }
        from = from.max(looked - LATE);
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => (),
            () = stop.requested() => return Ok(ExitCode::SUCCESS),
        }
    }
}
