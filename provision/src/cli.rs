//! The commands and their flags.

#![expect(clippy::doc_markdown, reason = "doc comments here are help texts")]

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use contract::Function;

pub use self::users::{Keys, Users};
use crate::settings::Package;

mod users;

/// The version and, of a build in its repository, the commit (build.rs).
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("PROVISION_COMMIT"));

/// Creates, converges and removes a CloudPix stack in your AWS account.
///
/// Region and credentials come from where the AWS CLI takes them: AWS_REGION, AWS_PROFILE,
/// AWS_ACCESS_KEY_ID, ~/.aws, an instance's or a container's role. AWS_ENDPOINT_URL points at an
/// emulator instead.
#[derive(Debug, Parser)]
#[command(
    name = "provision",
    version = VERSION,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        provision plan                       what `apply` would change, field by field\n  \
        provision apply                      create the stack, or bring it back to what it should be\n  \
        provision apply --env staging        another stack beside it, in the same account\n  \
        provision deploy upload              new code for one function, taken back if it does not work\n  \
        provision rollback upload            the version before it again, in seconds\n  \
        provision outputs --api-key --json   the API's URL and key, for a script\n  \
        provision destroy                    remove the stack; refused while it holds images\n\n\
        Exit codes: 0 done, 1 error, 2 changes pending (plan only), 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct Common {
    /// Environment: a stack of its own. Its settings are under `[env.NAME]` in cloudpix.toml
    #[arg(long, global = true, value_name = "NAME", env = "CLOUDPIX_ENV", default_value = "default")]
    pub env: String,

    /// Settings file; cloudpix.toml is read where it exists
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Folder of the state files, one per environment
    #[arg(long, global = true, value_name = "DIR", env = "CLOUDPIX_STATE_DIR", default_value = "state")]
    pub state_dir: PathBuf,

    /// Write the result as JSON to standard output
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what `apply` would change; changes nothing, and exits with 2 where something would change
    Plan(Code),
    /// Create the stack, or bring it back to what it should be
    ///
    /// Live AWS is compared with the desired stack every time; only what differs is changed. It can
    /// be stopped and run again at any moment. Creates and updates need no confirmation; what deletes
    /// or replaces is asked about on a terminal.
    Apply {
        #[command(flatten)]
        code: Code,
        #[command(flatten)]
        run: Run,
    },
    /// Remove the stack
    ///
    /// On a terminal it asks first. A stack that holds images is refused, unless they are to be
    /// deleted too or kept.
    Destroy {
        #[command(flatten)]
        run: Run,
        /// Delete the images too; without it a stack that holds images is not removed
        #[arg(long, conflicts_with = "keep_images")]
        delete_images: bool,
        /// Keep the bucket and the table with everything in them
        #[arg(long)]
        keep_images: bool,
    },
    /// Bring new code to the functions, and nothing else
    ///
    /// What differs from what runs is packed and pushed and becomes a new version, which is called
    /// from then on. Then each is tried; one that does not do its work is taken back.
    /// Stopped in between, it goes on from there when run again.
    Deploy {
        /// Only this function
        #[arg(value_parser = function())]
        function: Option<Function>,
        #[command(flatten)]
        code: Code,
        /// Leave a new version in place untried, as on an emulator that cannot run it
        #[arg(long)]
        no_smoke_test: bool,
    },
    /// Let the API call an earlier version of a function
    ///
    /// Nothing is built or pushed. The next `deploy` or `apply` brings what is built again.
    Rollback {
        /// The function to go back with
        #[arg(value_parser = function())]
        function: Function,
        /// The version to go to; without it the one before
        #[arg(long, value_name = "VERSION")]
        to: Option<u64>,
    },
    /// Show the versions that there are to go back to, and the one that the API calls
    Versions {
        /// Only this function
        #[arg(value_parser = function())]
        function: Option<Function>,
    },
    /// Take over resources that have the stack's names but not its tag
    ///
    /// Only tags are written; the next `apply` then brings the resources to what they should be. What
    /// another stack's tag is on is refused.
    Adopt {
        #[command(flatten)]
        run: Run,
    },
    /// Print where the stack is: URL, names, account
    Outputs {
        /// Print the API key too; it is a secret
        #[arg(long)]
        api_key: bool,
        /// Wait until the API answers, and print two curl lines that upload this image and list it
        #[arg(long, value_name = "IMAGE", conflicts_with = "json")]
        curl: Option<PathBuf>,
    },
    /// Show every resource with its health
    Status,
    /// Find out all at once what would keep `apply` from working
    ///
    /// Looks at credentials, region, permissions, quotas, the clock and the functions' binaries, and
    /// changes nothing. Exits with 1 where something is wrong.
    Doctor {
        #[command(flatten)]
        code: Code,
        /// Print the IAM policy that `provision` needs, to give to whoever grants permissions
        #[arg(long)]
        policy: bool,
    },
    /// Make, list and remove the users who may sign in, where auth = "users"
    Users {
        #[command(subcommand)]
        what: Users,
    },
    /// Make, list and revoke keys, which programs show instead of signing in, where auth = "users"
    Keys {
        #[command(subcommand)]
        what: Keys,
    },
    /// Show what a function has logged, newest last
    Logs {
        /// The function whose log it is
        #[arg(value_parser = function())]
        function: Function,
        /// Go on showing what comes, until Ctrl-C
        #[arg(long, short)]
        follow: bool,
        /// How far back to begin: 90s, 15m, 2h, 3d
        #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration)]
        since: Duration,
    },
    /// Estimate what a month costs, by list prices
    Cost(Traffic),
    /// Print completions for a shell, or the manual page
    ///
    /// For bash: provision completions bash > ~/.local/share/bash-completion/completions/provision
    Completions {
        #[arg(value_enum)]
        what: Completions,
    },
    /// Write the records that the table lacks, from the objects in the bucket
    ///
    /// Every object carries what its record needs, so a table that was lost or restored to an earlier
    /// moment is made whole from the bucket alone. Records that are there are not touched.
    Reindex,
    /// Send again what the function `process` failed at
    ///
    /// Lambda tries an event three times and then puts it into the queue of dead letters, which `status`
    /// counts. This sends what lies there to the function again; what fails once more comes back.
    Redrive,
    /// Make what images lack: thumbnails of old ones, records of those that have none
    ///
    /// Asks the function `process` about every object that it has not finished. What is done is skipped,
    /// so it can be stopped and run again at any moment. Exits with 1 where something failed.
    Backfill {
        /// Images at once
        #[arg(long, value_name = "IMAGES", default_value_t = 4,
              value_parser = clap::value_parser!(u16).range(1..=256))]
        parallelism: u16,
    },
}

/// Takes the name of a function. Help and completions list them all.
fn function() -> impl TypedValueParser<Value = Function> {
    PossibleValuesParser::new(Function::ALL.map(Function::name)).try_map(|name| {
        let found = Function::ALL.into_iter().find(|function| function.name() == name);
        found.ok_or_else(|| format!("there is no function {name}"))
    })
}

/// How a plan is run.
#[derive(Debug, Args)]
pub struct Run {
    /// Do not ask before deleting or replacing
    #[arg(long, short)]
    pub yes: bool,

    /// Steps at once
    #[arg(long, value_name = "STEPS", env = "CLOUDPIX_PARALLELISM", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallelism: u16,

    /// Say when each step started, how long it took, and which chain of steps took longest
    #[arg(long)]
    pub timings: bool,
}

#[derive(Debug, Args)]
pub struct Code {
    /// How the functions reach Lambda, instead of `package` in cloudpix.toml
    #[arg(long, value_enum)]
    pub package: Option<Package>,

    /// Folder with the functions' binaries [default: where `make build` puts them]
    #[arg(long, value_name = "DIR", env = "CLOUDPIX_FUNCTIONS")]
    pub functions: Option<PathBuf>,
}

/// What is expected of a month.
#[derive(Debug, Args)]
pub struct Traffic {
    /// Images uploaded
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000.0, value_parser = amount)]
    pub uploads: f64,
    /// Requests for a page of the list
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000.0, value_parser = amount)]
    pub lists: f64,
    /// Images downloaded
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000.0, value_parser = amount)]
    pub downloads: f64,
    /// Users who sign in, where auth = "users"
    #[arg(long, value_name = "NUMBER", default_value_t = 10.0, value_parser = amount)]
    pub users: f64,
    /// Megabytes of an image
    #[arg(long, value_name = "MB", default_value_t = 3.0, value_parser = amount)]
    pub image_mb: f64,
    /// Images kept from the months before
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, value_parser = amount)]
    pub stored: f64,
    /// Instead: the worst month that an API key in the wrong hands can make
    ///
    /// Its whole quota spent on the largest images that are taken, each of them downloaded once.
    #[arg(long, conflicts_with_all = ["uploads", "lists", "downloads", "image_mb", "stored"])]
    pub worst_case: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Completions {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
    /// The manual page, in roff
    Man,
}

fn amount(text: &str) -> Result<f64, String> {
    let number = text.replace(['_', ','], "").parse::<f64>().map_err(|error| error.to_string())?;
    let is_amount = number.is_finite() && number >= 0.0;
    is_amount.then_some(number).ok_or_else(|| "it must not be negative".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write one such as 90s, 15m, 2h or 3d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match text.strip_prefix(digits) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        Some("d") => 86_400,
        _ => return Err(wrong()),
    };
    // CloudWatch keeps nothing for longer than ten years.
    Ok(Duration::from_secs(number.saturating_mul(seconds).min(3_650 * 86_400)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_version_says_which_commit_it_was_built_from() {
        let version = Cli::command().render_version();
        let rest = version.trim_end().strip_prefix(concat!("provision ", env!("CARGO_PKG_VERSION"))).unwrap();
        let git = |arguments: &[&str]| {
            let output = std::process::Command::new("git").args(arguments).output().ok()?;
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        };
        // Sources without their repository, as those of an archive, are of no commit.
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(".git").exists();
        if !repository || git(&["rev-parse", "HEAD"]).is_none() {
            assert_eq!(rest, "");
            return;
        }
        let said = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let said = said.replace("-dirty", "");
        let (hash, _) = said.split_once(", ").unwrap();
        // Not HEAD's: somebody may have committed since this was built.
        let commit = git(&["log", "-1", "--format=%h, %cs", "--abbrev=7", hash]).unwrap();
        assert_eq!(commit.trim(), said);
    }

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259_200), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        assert_eq!(duration("99999999999999999d"), Ok(Duration::from_hours(87_600)));
        for wrong in ["", "m", "15", "15 m", "-1m", "1w", "1.5h", "十m"] {
            assert!(duration(wrong).unwrap_err().contains("90s, 15m"), "{wrong}");
        }
    }

    #[test]
    fn an_amount_is_a_number_of_anything() {
        assert_eq!(amount("1_000,000"), Ok(1_000_000.0));
        for wrong in ["", "-1", "inf", "NaN", "ten"] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
    }
}
