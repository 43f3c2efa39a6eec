//! The commands about users and their keys.

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use contract::Scope;
use keys::record::MOST_DAYS;
use keys::scopes::can_be_granted;

#[derive(Debug, Subcommand)]
pub enum Users {
    /// Make a user, and print the password for the first sign-in, which asks to change it
    Add {
        #[arg(value_name = "EMAIL")]
        email: String,
        /// Have Amazon Cognito mail the password instead, 50 mails a day at most
        #[arg(long)]
        mail: bool,
    },
    /// Show all users
    List,
    /// Remove a user for good, and revoke the user's keys
    ///
    /// The images stay in the bucket, where nobody but an administrator of the account can get at them.
    /// To give them to somebody else, or to delete them, is not there yet. Whoever is signed in as the
    /// user is let in until the token ends, an hour at most.
    Remove {
        #[arg(value_name = "EMAIL")]
        email: String,
        /// Leave the user's images where they are
        #[arg(long)]
        keep_images: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Sign a user out everywhere, and print a new password for the next sign-in
    Reset {
        #[arg(value_name = "EMAIL")]
        email: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key for what is a user's, and print it, this once
    Create {
        /// The user's e-mail address or, of a provider of your own, the `sub`
        #[arg(value_name = "USER")]
        user: String,
        /// What the key is called in lists
        #[arg(long, value_name = "NAME", default_value = "provision")]
        name: String,
        /// What it may do: read, write, delete, shares [default: read,write]
        #[arg(long, value_name = "SCOPES", value_delimiter = ',', value_parser = scope())]
        scopes: Vec<Scope>,
        /// After how many days it ends; without it, it is good until it is revoked
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_DAYS)))]
        days: Option<u16>,
        /// Do not print it, but save it for the lines that `outputs --curl` prints
        #[arg(long, conflicts_with = "json")]
        save: bool,
    },
    /// Show a user's keys
    List {
        #[arg(value_name = "USER")]
        user: String,
    },
    /// Revoke a key; it is let in for a minute more at most
    Revoke {
        #[arg(value_name = "USER")]
        user: String,
        #[arg(value_name = "KEY_ID")]
        key_id: String,
    },
}

/// Takes the name of a scope that a key may have.
fn scope() -> impl TypedValueParser<Value = Scope> {
    let granted = Scope::ALL.into_iter().filter(|scope| can_be_granted(*scope));
    PossibleValuesParser::new(granted.map(Scope::name))
        .try_map(|name| Scope::named(&name).ok_or_else(|| format!("there is no scope {name}")))
}
