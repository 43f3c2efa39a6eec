//! The users of the pool, as an administrator makes and removes them.

use anyhow::{Context, bail};
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, DeliveryMediumType, MessageActionType, UserStatusType, UserType,
};
use aws_smithy_types::date_time::Format;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use super::{PAGE, existing};
use crate::aws::Aws;
use crate::aws::failure::{failed, is, optional};
use crate::stack::place::Names;

const UNKNOWN: &[&str] = &["UserNotFoundException"];

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub email: String,
    /// What tokens say who it is by, and what their images say whose they are.
    pub sub: String,
    /// Cognito's word: `CONFIRMED`, or `FORCE_CHANGE_PASSWORD` until the first sign-in.
    pub status: String,
    pub enabled: bool,
    /// RFC 3339 in UTC.
    pub created: String,
}

/// How a user comes to the first password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invitation {
    /// Cognito draws one, and mails it.
    Mail,
    /// One is drawn here, and handed over by whoever asked for it.
    Print,
}

impl User {
    fn new(user: UserType) -> Option<User> {
        let attributes = user.attributes.unwrap_or_default();
        let value = |name: &str| {
            let found = attributes.iter().find(|attribute| attribute.name == name);
            found.and_then(|attribute| attribute.value.clone())
        };
        let created = user.user_create_date.and_then(|date| date.fmt(Format::DateTime).ok());
        Some(User {
            email: value("email").unwrap_or_default(),
            // The name that a pool of e-mail addresses gives is that.
            sub: value("sub").or(user.username)?,
            status: user.user_status.as_ref().map_or("unknown", UserStatusType::as_str).to_owned(),
            enabled: user.enabled,
            created: created.unwrap_or_default(),
        })
    }
}

/// Everybody, in Cognito's order.
pub async fn list(aws: &Aws, names: &Names) -> anyhow::Result<Vec<User>> {
    let pool = existing(aws, names).await?;
    let users = aws.cognito.list_users().user_pool_id(pool).limit(PAGE).into_paginator().items().send();
    let users = users.collect::<Result<Vec<_>, _>>().await.map_err(failed("cognito-idp:ListUsers"))?;
    Ok(users.into_iter().filter_map(User::new).collect())
}

/// How many users there are, as far as counting to `enough`.
pub async fn count(aws: &Aws, pool: &str, enough: usize) -> anyhow::Result<usize> {
    let mut pages = aws.cognito.list_users().user_pool_id(pool).limit(PAGE).into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        let page = optional(page, "cognito-idp:ListUsers", super::GONE)?;
        count += page.and_then(|page| page.users).unwrap_or_default().len();
        if count >= enough {
            break;
        }
    }
    Ok(count)
}

/// The user of this e-mail address, whatever its capitals.
pub async fn user(aws: &Aws, names: &Names, email: &str) -> anyhow::Result<Option<User>> {
    let pool = existing(aws, names).await?;
    let get = aws.cognito.admin_get_user().user_pool_id(pool).username(email).send().await;
    let Some(got) = optional(get, "cognito-idp:AdminGetUser", UNKNOWN)? else { return Ok(None) };
    let user = UserType::builder()
        .username(got.username)
        .set_attributes(got.user_attributes)
        .set_user_create_date(got.user_create_date)
        .enabled(got.enabled)
        .set_user_status(got.user_status);
    Ok(User::new(user.build()))
}

fn attribute(name: &str, value: &str) -> anyhow::Result<AttributeType> {
    AttributeType::builder().name(name).value(value).build().context("build an attribute")
}

/// Makes a user, and returns the password that the first sign-in takes and asks to change, where it is not mailed.
pub async fn add(
    aws: &Aws,
    names: &Names,
    email: &str,
    invitation: Invitation,
) -> anyhow::Result<(User, Option<String>)> {
    let pool = existing(aws, names).await?;
    let create = aws
        .cognito
        .admin_create_user()
        .user_pool_id(pool)
        .username(email)
        .user_attributes(attribute("email", email)?)
        // Who gets at the password by this address has shown that it is theirs.
        .user_attributes(attribute("email_verified", "true")?);
    let password = (invitation == Invitation::Print).then(draw_password);
    let create = match &password {
        Some(password) => create.message_action(MessageActionType::Suppress).temporary_password(password),
        None => create.desired_delivery_mediums(DeliveryMediumType::Email),
    };
    let made = match create.send().await {
        Err(error) if is(&error, &["UsernameExistsException"]) => {
            bail!("there is a user {email} already; for a new password: provision users reset {email}")
        }
        made => made.map_err(failed("cognito-idp:AdminCreateUser"))?,
    };
    let user = made.user.and_then(User::new).context("cognito-idp:AdminCreateUser answered no user")?;
    Ok((User { email: email.to_owned(), ..user }, password))
}

/// Signs a user out everywhere and sets a password for the next sign-in, which asks to change it.
pub async fn reset(aws: &Aws, names: &Names, email: &str) -> anyhow::Result<Option<String>> {
    let pool = existing(aws, names).await?;
    let password = draw_password();
    let set = aws.cognito.admin_set_user_password().user_pool_id(&pool).username(email);
    let set = set.password(&password).permanent(false).send().await;
    if optional(set, "cognito-idp:AdminSetUserPassword", UNKNOWN)?.is_none() {
        return Ok(None);
    }
    let out = aws.cognito.admin_user_global_sign_out().user_pool_id(pool).username(email).send().await;
    optional(out, "cognito-idp:AdminUserGlobalSignOut", UNKNOWN)?;
    Ok(Some(password))
}

/// Keeps a user from signing in and being let in by a refresh token, and then deletes them. `between` is done in
/// between, so that what breaks off there is found and gone on with.
pub async fn remove(
    aws: &Aws,
    names: &Names,
    user: &User,
    between: impl AsyncFnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let pool = existing(aws, names).await?;
    let client = &aws.cognito;
    let disable = client.admin_disable_user().user_pool_id(&pool).username(&user.sub).send().await;
    optional(disable, "cognito-idp:AdminDisableUser", UNKNOWN)?;
    let out = client.admin_user_global_sign_out().user_pool_id(&pool).username(&user.sub).send().await;
    optional(out, "cognito-idp:AdminUserGlobalSignOut", UNKNOWN)?;
    between().await?;
    let delete = client.admin_delete_user().user_pool_id(&pool).username(&user.sub).send().await;
    optional(delete, "cognito-idp:AdminDeleteUser", UNKNOWN).map(|_| ())
}

/// Twenty characters, with one of each kind that a policy can ask for, and none that looks like another.
fn draw_password() -> String {
    const KINDS: [&[u8]; 4] =
        [b"abcdefghijkmnpqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"-_=+.!"];
    let mut rng = rand::rng();
    let mut password: Vec<u8> = KINDS.iter().filter_map(|kind| kind.choose(&mut rng).copied()).collect();
    password.extend((0..16).map(|_| KINDS[0][rng.random_range(0..KINDS[0].len())]));
    password.shuffle(&mut rng);
    // Whoever pastes one into a shell should not find it taken for a flag.
    let letter = password.iter().position(u8::is_ascii_alphabetic).unwrap_or_default();
    password.swap(0, letter);
    password.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_password_keeps_to_any_policy_and_is_not_drawn_twice() {
        let (one, other) = (draw_password(), draw_password());
        assert_ne!(one, other);
        for password in [one, other] {
            assert!(password.len() == 20 && password.starts_with(|c: char| c.is_alphabetic()), "{password}");
            for kind in [char::is_lowercase, char::is_uppercase, char::is_numeric] {
                assert!(password.contains(kind), "{password}");
            }
            assert!(password.contains(|c: char| !c.is_alphanumeric()), "{password}");
        }
    }
}
