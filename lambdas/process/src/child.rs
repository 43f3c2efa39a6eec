//! What runs inside: one picture, then the end. Nothing of one picture is there when the next comes,
//! which may be somebody else's.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use thumbnail::{Made, Settings, Unmade};

use crate::sandbox::{self, Bounds};
use crate::wire::{self, Answer, Greeting, Job, Told};

/// The first argument of a program that is to be a child.
pub const FLAG: &str = "--decode";

/// What a child is bounded by, if this program is started as one.
pub fn asked(arguments: impl IntoIterator<Item = String>) -> Option<Bounds> {
    let mut arguments = arguments.into_iter().skip(1);
    arguments.next().filter(|first| first == FLAG)?;
    let mut number = || arguments.next()?.parse().ok();
    Some(Bounds { address_space: number()?, cpu: number()? })
}

/// Serves its parent by `make`, which is [`thumbnail::make`] but for tests.
pub fn run(bounds: Bounds, make: impl FnOnce(&[u8], &Settings) -> Result<Made, Unmade>) -> ExitCode {
    match serve(bounds, make) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "{error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

fn serve(bounds: Bounds, make: impl FnOnce(&[u8], &Settings) -> Result<Made, Unmade>) -> anyhow::Result<()> {
    let unfiltered = sandbox::enter(bounds)?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    wire::send(&mut output, &Greeting { unfiltered })?;
    let job: Job = match wire::receive(&mut input) {
        // Its parent had no use for it, or is gone.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        job => job?,
    };
    let settings = job.settings().ok_or_else(|| anyhow::anyhow!("no such format"))?;
    thumbnail::keep_freed_memory();
    let mut bytes = vec![0; job.size];
    input.read_exact(&mut bytes)?;
    wire::send(&mut output, &Told::new(thumbnail::facts(&bytes)))?;
    let (answer, files) = Answer::new(make(&bytes, &settings));
    output.write_all(&wire::frame(&answer)?)?;
    for file in files {
        output.write_all(&file)?;
    }
    output.flush()?;
    Ok(())
}
