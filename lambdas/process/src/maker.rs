//! Makes thumbnails, in the time that Lambda leaves.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::Context;
use catalog::failure::Failure;
use image::format::Format;
use process::decoder::{Decoded, Decoder};
use thumbnail::Output;

/// What the function keeps to itself of the time that Lambda gives it, to put thumbnails and write the
/// record; half of it where that is short.
const RESERVE: Duration = Duration::from_secs(10);
/// What a picture gets of the rest. Lambda gives a function of 1,024 MiB 0.58 of a CPU, so that ten
/// seconds of CPU take 17.
const LONGEST: Duration = Duration::from_secs(25);
/// With less than this a picture could be taken for one that has no end.
const SHORTEST: Duration = Duration::from_millis(500);

/// How thumbnails are made.
pub(crate) struct Maker {
    pub(crate) settings: thumbnail::Settings,
    pub(crate) decoder: Decoder,
    /// When Lambda ends the event at hand.
    until: Cell<Instant>,
    /// What a picture gets of an event that has only begun.
    whole: Cell<Duration>,
}

/// How long a picture may take; `None` where it would not get a fair share.
fn allowance(left: Duration) -> Option<Duration> {
    let allowed = left.saturating_sub(RESERVE.min(left / 2)).min(LONGEST);
    (allowed >= SHORTEST).then_some(allowed)
}

impl Maker {
    pub(crate) fn new(settings: thumbnail::Settings, decoder: Decoder) -> Maker {
        Maker {
            settings,
            decoder,
            until: Cell::new(Instant::now() + RESERVE + LONGEST),
            whole: Cell::new(LONGEST),
        }
    }

    /// Notes when Lambda is going to end the event at hand.
    pub(crate) fn until(&self, end: Instant) {
        self.until.set(end);
        let left = end.saturating_duration_since(Instant::now());
        self.whole.set(allowance(left).unwrap_or_default());
    }

    pub(crate) async fn decode(&self, bytes: Vec<u8>) -> Result<Decoded, Failure> {
        let left = self.until.get().saturating_duration_since(Instant::now());
        // Where S3 took most of the time, a sound picture could seem to have no end: the next delivery has all of it.
        let allowed = allowance(left).filter(|allowed| *allowed * 2 >= self.whole.get());
        let allowed = allowed.with_context(|| format!("decode: {} ms are left", left.as_millis()));
        let until = Instant::now() + allowed.map_err(Failure::Busy)?;
        self.decoder.decode(bytes, &self.settings, until.into()).await.map_err(Failure::Busy)
    }

    pub(crate) fn format(&self) -> Format {
        match self.settings.format {
            Output::Webp => Format::WebP,
            Output::Jpeg => Format::Jpeg,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_left_for_the_record() {
        let allowed = |left: u64| allowance(Duration::from_millis(left)).map(|time| time.as_millis());
        let expected = [(0, None), (999, None), (1000, Some(500)), (20_000, Some(10_000))];
        for (left, time) in [&expected[..], &[(30_000, Some(20_000)), (60_000, Some(25_000))]].concat() {
            assert_eq!(allowed(left), time, "{left}");
        }
    }
}
