//! The commands and their flags.

#![expect(clippy::doc_markdown, reason = "doc comments here are help texts")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::Package;

/// Creates, converges and removes a CloudPix stack in your AWS account.
///
/// Region and credentials come from where the AWS CLI takes them: AWS_REGION, AWS_PROFILE,
/// AWS_ACCESS_KEY_ID, ~/.aws, an instance's or a container's role. AWS_ENDPOINT_URL points at an
/// emulator instead.
#[derive(Debug, Parser)]
#[command(
    name = "provision",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        provision plan                       what `apply` would change, field by field\n  \
        provision apply                      create the stack, or bring it back to what it should be\n  \
        provision apply --env staging        another stack beside it, in the same account\n  \
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
    /// Write the records that the table lacks, from the objects in the bucket
    ///
    /// Every object carries what its record needs, so a table that was lost or restored to an earlier
    /// moment is made whole from the bucket alone. Records that are there are not touched.
    Reindex,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
