//! `provision users`: who may sign in. It needs AWS credentials, and no password of anybody's.

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use image::owner::Owner;

use crate::aws::cognito::{self, Invitation, User};
use crate::aws::{Aws, dynamodb};
use crate::cli::{Common, Users};
use crate::report;
use crate::session::Existing;
use crate::settings::Settings;
use crate::stack::id::Purpose;
use crate::stack::place::Names;

pub async fn run(common: &Common, what: &Users) -> anyhow::Result<ExitCode> {
    let Existing { settings, aws, names, .. } = Existing::open(common).await?;
    check_pool(&settings)?;
    match what {
        Users::Add { email, mail } => {
            check_email(email)?;
            let invitation = if *mail { Invitation::Mail } else { Invitation::Print };
            let (user, password) = cognito::add(&aws, &names, email, invitation).await?;
            report::user_added(&user, password.as_deref(), common.json)?;
        }
        Users::List => report::users(&cognito::list(&aws, &names).await?, common.json)?,
        Users::Reset { email } => {
            let user = existing(&aws, &names, email).await?;
            let password = cognito::reset(&aws, &names, email).await?;
            let password = password.with_context(|| no_such_user(email))?;
            report::user_added(&user, Some(&password), common.json)?;
        }
        Users::Remove { email, keep_images, yes } => {
            let user = existing(&aws, &names, email).await?;
            decide(&user, *keep_images, *yes)?;
            let revoked = remove(&aws, &names, &user).await?;
            report::user_removed(&user, revoked, common.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The owner whom an e-mail address stands for, or a provider's own name of a user.
pub(super) async fn owner(
    settings: &Settings,
    aws: &Aws,
    names: &Names,
    user: &str,
) -> anyhow::Result<Owner> {
    let sub = if settings.has_pool() { existing(aws, names, user).await?.sub } else { user.to_owned() };
    Owner::user(&sub).with_context(|| format!("{sub:?} is nobody's `sub`"))
}

async fn existing(aws: &Aws, names: &Names, email: &str) -> anyhow::Result<User> {
    cognito::user(aws, names, email).await?.with_context(|| no_such_user(email))
}

fn no_such_user(email: &str) -> String {
    format!("there is no user {email}; those there are: provision users list")
}

fn check_pool(settings: &Settings) -> anyhow::Result<()> {
    ensure!(
        settings.has_users(),
        "nobody signs in to this stack; set auth = \"users\" in cloudpix.toml, and run `provision apply`"
    );
    if let Some((issuer, _)) = settings.sign_in.provider() {
        bail!("the users are those of {issuer}, and are made and removed there");
    }
    Ok(())
}

/// Cognito finds out whether it is one; here it is seen to that it is no flag and no name.
fn check_email(email: &str) -> anyhow::Result<()> {
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let parts = email.rsplit_once('@').is_some_and(|(name, host)| plain(name) && plain(host));
    ensure!(parts && email.len() <= 128, "{email:?} is no e-mail address");
    Ok(())
}

/// What is to become of the images has to be said: they cannot be reached by anybody afterwards.
fn decide(user: &User, keep_images: bool, yes: bool) -> anyhow::Result<()> {
    if keep_images && yes {
        return Ok(());
    }
    ensure!(
        keep_images || report::is_attended(),
        "say what is to become of the images of {}: with --keep-images they stay in the bucket, where nobody but an \
         administrator of the account can get at them",
        user.email
    );
    let question = format!(
        "Remove {} for good? The images stay in the bucket, where nobody but an administrator of the account can get \
         at them.",
        user.email
    );
    report::confirm(&question, "--keep-images --yes")
}

/// A key would let in who cannot sign in any more, so keys go before the user does.
async fn remove(aws: &Aws, names: &Names, user: &User) -> anyhow::Result<usize> {
    let owner = Owner::user(&user.sub).with_context(|| format!("{:?} is nobody's `sub`", user.sub))?;
    let table = names.table(Purpose::Access);
    let mut revoked = 0;
    let keys = async || {
        for (key, _) in dynamodb::keys_of(aws, &table, &owner).await? {
            dynamodb::delete_key(aws, &table, &key).await?;
            revoked += 1;
        }
        Ok(())
    };
    cognito::remove(aws, names, user, keys).await?;
    Ok(revoked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_name_and_a_host_and_no_blank() {
        for good in ["ann@example.com", "a+b@x", "\"a b\"@x.example".replace(' ', "").as_str()] {
            check_email(good).unwrap();
        }
        for bad in ["", "ann", "@x", "ann@", "an n@x", "ann@x\n", &format!("{}@x", "a".repeat(127))] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nobody_is_removed_without_a_word_on_the_images() {
        let user = User {
            email: "ann@example.com".to_owned(),
            sub: "7".to_owned(),
            status: String::new(),
            enabled: true,
            created: String::new(),
        };
        decide(&user, true, true).unwrap();
        for (keep, yes) in [(false, true), (false, false), (true, false)] {
            let error = decide(&user, keep, yes).unwrap_err().to_string();
            assert!(error.contains("--keep-images"), "{error}");
        }
    }
}
