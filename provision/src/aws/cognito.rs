//! Amazon Cognito: the pool of users with its pages. Its client is in `client`, and its users are in `users`.
//!
//! An update of a pool, or of a client, sets back whatever it is not sent, so that each sends all that there is,
//! ours and others'.
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-updating.html>

use anyhow::{Context, ensure};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::{Builder, retry::RetryConfig};
use aws_sdk_cognitoidentityprovider::operation::get_user_pool_mfa_config::GetUserPoolMfaConfigOutput;
use aws_sdk_cognitoidentityprovider::operation::update_user_pool::builders::UpdateUserPoolFluentBuilder;
use aws_sdk_cognitoidentityprovider::types::{
    AccountRecoverySettingType, AdminCreateUserConfigType, DeletionProtectionType, RecoveryOptionNameType,
    RecoveryOptionType, UserPoolMfaType, UserPoolTierType, UserPoolType, UsernameAttributeType,
    UsernameConfigurationType, VerifiedAttributeType,
};

use super::failure::{failed, optional};
use super::wait::{NotYet, create_once, retry, wait};
use super::{Aws, tag_changes};
use crate::stack::place::{Names, STACK_TAG};
use crate::stack::resource::managed_tags;
use crate::stack::resource::sign_in::{UserNames, UserPool};

mod client;
mod domain;
mod users;

pub use client::{client_id, create_client, delete_client, read_client, update_client};
pub use users::{Invitation, User, add, count, list, remove, reset, user};

use domain::{delete_domain, pages, set_domain};

const GONE: &[&str] = &["ResourceNotFoundException"];
/// What Cognito says while another change of the pool goes on.
const NOT_YET: &[NotYet] = &[
    ("ConcurrentModificationException", ""),
    ("InvalidParameterException", "domain configured that should be deleted first"),
];
/// Pools, clients and users on a page: <https://docs.aws.amazon.com/cognito/latest/developerguide/limits.html>.
const PAGE: i32 = 60;

/// Our pool, by name and tag; one of that name without our tag where there is no better one. Names are not unique,
/// and the list has no tags.
async fn find(aws: &Aws, names: &Names) -> anyhow::Result<Option<UserPoolType>> {
    let client = &aws.cognito;
    let pools = client.list_user_pools().max_results(PAGE).into_paginator().items().send();
    let pools = pools.collect::<Result<Vec<_>, _>>().await.map_err(failed("cognito-idp:ListUserPools"))?;
    let mut found: Vec<UserPoolType> = Vec::new();
    for id in
        pools.into_iter().filter(|pool| pool.name.as_ref() == Some(&names.stack)).filter_map(|pool| pool.id)
    {
        found.extend(describe(client, &id).await?);
    }
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|pool| is_ours(pool, names));
    ensure!(
        ours.len() <= 1,
        "{} user pools carry the tag {STACK_TAG}={}: {}; delete the ones that are not in use, then run again",
        ours.len(),
        names.stack,
        ours.iter().filter_map(|pool| pool.id()).collect::<Vec<_>>().join(", ")
    );
    Ok(ours.into_iter().chain(others).next())
}

fn is_ours(pool: &UserPoolType, names: &Names) -> bool {
    pool.user_pool_tags().and_then(|tags| tags.get(STACK_TAG)) == Some(&names.stack)
}

async fn describe(client: &Client, id: &str) -> anyhow::Result<Option<UserPoolType>> {
    let answer = client.describe_user_pool().user_pool_id(id).send().await;
    Ok(optional(answer, "cognito-idp:DescribeUserPool", GONE)?.and_then(|answer| answer.user_pool))
}

/// The id of our pool, where there is one.
pub async fn pool_id(aws: &Aws, names: &Names) -> anyhow::Result<Option<String>> {
    Ok(find(aws, names).await?.filter(|pool| is_ours(pool, names)).and_then(|pool| pool.id))
}

async fn existing(aws: &Aws, names: &Names) -> anyhow::Result<String> {
    pool_id(aws, names).await?.context("the user pool is gone; run `provision apply` to make it anew")
}

pub async fn read(aws: &Aws, names: &Names) -> anyhow::Result<Option<UserPool>> {
    let Some(pool) = find(aws, names).await? else { return Ok(None) };
    let pages = match pool.domain() {
        Some(domain) => pages(&aws.cognito, domain).await?,
        None => None,
    };
    let texts = |names: &[UsernameAttributeType]| names.iter().map(|name| name.as_str().to_owned()).collect();
    Ok(Some(UserPool {
        tags: managed_tags(pool.user_pool_tags.clone().unwrap_or_default()),
        tier: pool.user_pool_tier().map_or_else(String::new, |tier| tier.as_str().to_owned()),
        invitation_only: pool
            .admin_create_user_config
            .as_ref()
            .is_some_and(|it| it.allow_admin_create_user_only),
        deletion_protection: pool.deletion_protection() == Some(&DeletionProtectionType::Active),
        names: UserNames {
            of: texts(pool.username_attributes()),
            // Where nothing is said, capitals count.
            case_sensitive: pool.username_configuration().is_none_or(|it| it.case_sensitive),
        },
        verified: pool.auto_verified_attributes().iter().map(|name| name.as_str().to_owned()).collect(),
        domain: pool.domain.clone(),
        pages,
        id: pool.id,
    }))
}

pub async fn create(aws: &Aws, names: &Names, desired: &UserPool) -> anyhow::Result<()> {
    let recovery =
        RecoveryOptionType::builder().name(RecoveryOptionNameType::VerifiedEmail).priority(1).build()?;
    let case = UsernameConfigurationType::builder().case_sensitive(desired.names.case_sensitive).build()?;
    let create = aws
        .cognito
        .create_user_pool()
        .pool_name(&names.stack)
        .set_username_attributes(Some(
            desired.names.of.iter().map(|name| UsernameAttributeType::from(name.as_str())).collect(),
        ))
        .username_configuration(case)
        .set_auto_verified_attributes(Some(verified(desired)))
        .admin_create_user_config(invitations(None, desired))
        .account_recovery_setting(AccountRecoverySettingType::builder().recovery_mechanisms(recovery).build())
        .deletion_protection(protection(desired.deletion_protection))
        .user_pool_tier(UserPoolTierType::from(desired.tier.as_str()))
        .set_user_pool_tags(Some(desired.tags.clone().into_iter().collect()));
    let id = create_once(
        "cognito-idp:CreateUserPool",
        NOT_YET,
        async || {
            let once = Builder::new().retry_config(RetryConfig::disabled());
            let answer = create.clone().customize().config_override(once).send().await?;
            Ok(answer.user_pool.and_then(|pool| pool.id))
        },
        async || pool_id(aws, names).await,
    );
    let bare = UserPool { id: Some(id.await?), domain: None, pages: None, ..desired.clone() };
    update(aws, &bare, desired).await
}

fn verified(desired: &UserPool) -> Vec<VerifiedAttributeType> {
    desired.verified.iter().map(|name| VerifiedAttributeType::from(name.as_str())).collect()
}

fn protection(on: bool) -> DeletionProtectionType {
    if on { DeletionProtectionType::Active } else { DeletionProtectionType::Inactive }
}

/// Who makes users, with the text of the invitation that somebody may have written. How long an invitation is good
/// is said twice in what AWS answers, and may be sent once: it is a part of the password policy.
fn invitations(live: Option<&AdminCreateUserConfigType>, desired: &UserPool) -> AdminCreateUserConfigType {
    AdminCreateUserConfigType::builder()
        .allow_admin_create_user_only(desired.invitation_only)
        .set_invite_message_template(live.and_then(|live| live.invite_message_template.clone()))
        .build()
}

pub async fn update(aws: &Aws, live: &UserPool, desired: &UserPool) -> anyhow::Result<()> {
    let client = &aws.cognito;
    let id = live.id.as_deref().context("the user pool has no id")?;
    let (set, unset) = tag_changes(&live.tags, &desired.tags);
    let arn = aws.place.arn("cognito-idp", &format!("userpool/{id}"));
    if !set.is_empty() {
        let call = client.tag_resource().resource_arn(&arn).set_tags(Some(set.into_iter().collect()));
        call.send().await.map_err(failed("cognito-idp:TagResource"))?;
    }
    if !unset.is_empty() {
        let call = client.untag_resource().resource_arn(&arn).set_tag_keys(Some(unset));
        call.send().await.map_err(failed("cognito-idp:UntagResource"))?;
    }
    // A plan without managed login takes it only away before, and one that has it gives it only after.
    let lower = desired.pages < live.pages && live.domain == desired.domain;
    if lower {
        set_domain(client, id, live, desired).await?;
    }
    let settings = UserPool {
        id: live.id.clone(),
        tags: live.tags.clone(),
        names: live.names.clone(),
        domain: live.domain.clone(),
        pages: live.pages,
        ..desired.clone()
    };
    if settings != *live {
        change(client, id, |update, is| {
            update
                .deletion_protection(protection(desired.deletion_protection))
                .set_auto_verified_attributes(Some(verified(desired)))
                .admin_create_user_config(invitations(is.admin_create_user_config.as_ref(), desired))
                .user_pool_tier(UserPoolTierType::from(desired.tier.as_str()))
        })
        .await?;
    }
    let differs = (&live.domain, live.pages) != (&desired.domain, desired.pages);
    if differs && !lower { set_domain(client, id, live, desired).await } else { Ok(()) }
}

/// Sends the whole of a pool, as it is but for what `with` changes.
async fn change(
    client: &Client,
    id: &str,
    with: impl Fn(UpdateUserPoolFluentBuilder, &UserPoolType) -> UpdateUserPoolFluentBuilder,
) -> anyhow::Result<()> {
    let is = describe(client, id).await?.context("the user pool is gone; run again")?;
    // A second factor that is no SMS is refused in the same call, and set back by it.
    let second_factor = match is.mfa_configuration {
        Some(UserPoolMfaType::On | UserPoolMfaType::Optional) => Some(second_factor(client, id).await?),
        _ => None,
    };
    let update = with(whole(client, id, &is), &is);
    let answer = retry(NOT_YET, async || update.clone().send().await).await;
    answer.map_err(failed("cognito-idp:UpdateUserPool"))?;
    match second_factor {
        Some(factor) => set_second_factor(client, id, factor).await,
        None => Ok(()),
    }
}

/// All of a pool that an update can change, as it is.
fn whole(client: &Client, id: &str, is: &UserPoolType) -> UpdateUserPoolFluentBuilder {
    let pool = is.clone();
    // The texts of a mail are told twice, in a template and without, and are taken from one of the two alone.
    let template = pool.verification_message_template.as_ref();
    let message =
        template.and_then(|it| it.email_message()).map_or(pool.email_verification_message, |_| None);
    let subject =
        template.and_then(|it| it.email_subject()).map_or(pool.email_verification_subject, |_| None);
    client
        .update_user_pool()
        .user_pool_id(id)
        .set_pool_name(pool.name)
        .set_policies(pool.policies)
        .set_deletion_protection(pool.deletion_protection)
        .set_lambda_config(pool.lambda_config)
        .set_auto_verified_attributes(pool.auto_verified_attributes)
        .set_sms_verification_message(pool.sms_verification_message)
        .set_email_verification_message(message)
        .set_email_verification_subject(subject)
        .set_verification_message_template(pool.verification_message_template)
        .set_sms_authentication_message(pool.sms_authentication_message)
        .set_user_attribute_update_settings(pool.user_attribute_update_settings)
        .set_device_configuration(pool.device_configuration)
        .set_email_configuration(pool.email_configuration)
        .set_sms_configuration(pool.sms_configuration)
        .set_user_pool_tags(pool.user_pool_tags)
        .set_admin_create_user_config(pool.admin_create_user_config)
        .set_user_pool_add_ons(pool.user_pool_add_ons)
        .set_account_recovery_setting(pool.account_recovery_setting)
        .set_user_pool_tier(pool.user_pool_tier)
        .set_key_configuration(pool.key_configuration)
        .set_issuer_configuration(pool.issuer_configuration)
        .set_acr_configuration(pool.acr_configuration)
}

async fn second_factor(client: &Client, id: &str) -> anyhow::Result<GetUserPoolMfaConfigOutput> {
    let answer = client.get_user_pool_mfa_config().user_pool_id(id).send().await;
    answer.map_err(failed("cognito-idp:GetUserPoolMfaConfig"))
}

async fn set_second_factor(
    client: &Client,
    id: &str,
    factor: GetUserPoolMfaConfigOutput,
) -> anyhow::Result<()> {
    let set = client
        .set_user_pool_mfa_config()
        .user_pool_id(id)
        .set_sms_mfa_configuration(factor.sms_mfa_configuration)
        .set_software_token_mfa_configuration(factor.software_token_mfa_configuration)
        .set_email_mfa_configuration(factor.email_mfa_configuration)
        .set_mfa_configuration(factor.mfa_configuration)
        .set_web_authn_configuration(factor.web_authn_configuration);
    let answer = retry(NOT_YET, async || set.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("cognito-idp:SetUserPoolMfaConfig"))
}

/// The domain goes first, then the protection, and then the pool: Cognito refuses any other order.
pub async fn delete(aws: &Aws, live: &UserPool) -> anyhow::Result<()> {
    let client = &aws.cognito;
    let Some(id) = live.id.as_deref() else { return Ok(()) };
    if let Some(domain) = &live.domain {
        delete_domain(client, id, domain).await?;
    }
    if live.deletion_protection {
        change(client, id, |update, _| update.deletion_protection(protection(false))).await?;
    }
    let delete = client.delete_user_pool().user_pool_id(id);
    let answer = retry(NOT_YET, async || delete.clone().send().await).await;
    optional(answer, "cognito-idp:DeleteUserPool", GONE)?;
    wait(&format!("the deletion of the user pool {id}"), async || {
        Ok(describe(client, id).await?.is_none().then_some(()))
    })
    .await
}
