//! Ctrl-C and SIGTERM: the first one ends a run in good order, the second at once.
//!
//! Signals belong to the process, so what is known of them does too.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What a shell returns for a process that Ctrl-C ended: 128 and the number of SIGINT.
pub const EXIT: u8 = 130;

static REQUESTED: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));
static GRACEFUL: AtomicBool = AtomicBool::new(false);

/// A run that was asked to stop, and did.
#[derive(Debug)]
pub struct Interrupted {
    /// Steps, of a run that counts them.
    pub left: Option<usize>,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.left {
            Some(left) => write!(f, "interrupted with {left} steps to go; run again to go on"),
            None => write!(f, "interrupted; run again to go on"),
        }
    }
}

impl std::error::Error for Interrupted {}

/// Starts to listen. A task of its own does, so that a question on the terminal can be left too.
pub fn listen() -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => (),
                _ = terminate.recv() => (),
            }
            // Wherever this is, the next run goes on from there.
            if REQUESTED.send_replace(true) || !GRACEFUL.load(Ordering::SeqCst) {
                std::process::exit(EXIT.into());
            }
        }
    });
    Ok(())
}

/// While this lives, the first signal does not end the process: its owner asks for it.
#[must_use]
pub struct GracefulStop(());

impl GracefulStop {
    pub fn begin() -> GracefulStop {
        GRACEFUL.store(true, Ordering::SeqCst);
        GracefulStop(())
    }

    /// Ends when the first signal has come.
    pub async fn requested(&self) {
        // The sender is never dropped, so this ends with a signal only.
        let _ = REQUESTED.subscribe().wait_for(|requested| *requested).await;
    }
}

impl Drop for GracefulStop {
    fn drop(&mut self) {
        GRACEFUL.store(false, Ordering::SeqCst);
    }
}
