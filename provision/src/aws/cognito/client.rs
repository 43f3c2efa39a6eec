//! The client of the pool of users: what people sign in for, and where signing in leads back to.

use std::collections::BTreeSet;

use anyhow::Context;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::{Builder, retry::RetryConfig};
use aws_sdk_cognitoidentityprovider::operation::update_user_pool_client::builders::UpdateUserPoolClientFluentBuilder;
use aws_sdk_cognitoidentityprovider::types::{
    ExplicitAuthFlowsType, FeatureType, OAuthFlowType, PreventUserExistenceErrorTypes,
    RefreshTokenRotationType, TimeUnitsType, TokenValidityUnitsType, UserPoolClientType,
};

use super::{GONE, NOT_YET, PAGE, existing, pool_id};
use crate::aws::Aws;
use crate::aws::failure::{failed, optional};
use crate::aws::wait::{create_once, retry};
use crate::stack::place::{API_ID, Names};
use crate::stack::resource::sign_in::AppClient;

/// There is no style, or no managed login that could have one.
const PLAIN: &[&str] = &["ResourceNotFoundException", "FeatureUnavailableInTierException"];
/// How long a refresh token that was used is good once more, for whom the answer did not reach.
const GRACE: i32 = 30;

/// The id of our client, by its name: in our pool, it is ours.
async fn find(aws: &Aws, names: &Names, pool: &str) -> anyhow::Result<Option<String>> {
    let pages = aws.cognito.list_user_pool_clients().user_pool_id(pool).max_results(PAGE).into_paginator();
    let clients = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let clients = optional(clients, "cognito-idp:ListUserPoolClients", GONE)?.unwrap_or_default();
    let ours = clients.into_iter().filter(|client| client.client_name.as_ref() == Some(&names.stack));
    Ok(ours.filter_map(|client| client.client_id).min())
}

/// The id of our client, where there is one.
pub async fn client_id(aws: &Aws, names: &Names) -> anyhow::Result<Option<String>> {
    match pool_id(aws, names).await? {
        Some(pool) => find(aws, names, &pool).await,
        None => Ok(None),
    }
}

async fn describe(client: &Client, pool: &str, id: &str) -> anyhow::Result<Option<UserPoolClientType>> {
    let answer = client.describe_user_pool_client().user_pool_id(pool).client_id(id).send().await;
    Ok(optional(answer, "cognito-idp:DescribeUserPoolClient", GONE)?
        .and_then(|answer| answer.user_pool_client))
}

/// `api` is the REST API's id, which is in the URL that signing in leads back to.
pub async fn read_client(aws: &Aws, names: &Names, api: Option<&str>) -> anyhow::Result<Option<AppClient>> {
    let client = &aws.cognito;
    let Some(pool) = pool_id(aws, names).await? else { return Ok(None) };
    let Some(id) = find(aws, names, &pool).await? else { return Ok(None) };
    let (is, style) = tokio::try_join!(describe(client, &pool, &id), style(client, &pool, &id))?;
    let Some(is) = is else { return Ok(None) };
    let callbacks = is.callback_urls().iter().chain(is.logout_urls());
    let units = is.token_validity_units();
    let unit = |of: fn(&TokenValidityUnitsType) -> Option<&TimeUnitsType>| units.and_then(of);
    let access = seconds(is.access_token_validity, unit(TokenValidityUnitsType::access_token), 3600);
    let refresh =
        seconds(Some(is.refresh_token_validity), unit(TokenValidityUnitsType::refresh_token), 86_400);
    Ok(Some(AppClient {
        id: Some(id),
        secret: is.client_secret().is_some_and(|secret| !secret.is_empty()),
        callbacks: callbacks
            .map(|url| api.map_or_else(|| url.clone(), |api| with_placeholder(aws, url, api)))
            .collect(),
        grants: is.allowed_o_auth_flows().iter().map(|flow| flow.as_str().to_owned()).collect(),
        scopes: is.allowed_o_auth_scopes().iter().cloned().collect(),
        providers: is.supported_identity_providers().iter().cloned().collect(),
        flows: is.explicit_auth_flows().iter().map(|flow| flow.as_str().to_owned()).collect(),
        access_token_minutes: access.map(|seconds| seconds / 60),
        refresh_token_days: refresh.unwrap_or_default() / 86_400,
        rotation: is.refresh_token_rotation().is_some_and(|it| it.feature == FeatureType::Enabled),
        revocation: is.enable_token_revocation == Some(true),
        discreet: is.prevent_user_existence_errors == Some(PreventUserExistenceErrorTypes::Enabled),
        style,
    }))
}

fn with_placeholder(aws: &Aws, url: &str, api: &str) -> String {
    url.replace(&aws.place.callback(api), &aws.place.callback(API_ID))
}

/// A time in seconds; `default` is the unit where none is said.
fn seconds(time: Option<i32>, unit: Option<&TimeUnitsType>, default: i32) -> Option<i32> {
    let unit = match unit {
        Some(TimeUnitsType::Seconds) => 1,
        Some(TimeUnitsType::Minutes) => 60,
        Some(TimeUnitsType::Hours) => 3600,
        Some(TimeUnitsType::Days) => 86_400,
        _ => default,
    };
    Some(time?.saturating_mul(unit))
}

async fn style(client: &Client, pool: &str, id: &str) -> anyhow::Result<bool> {
    Ok(style_id(client, pool, id).await?.is_some())
}

async fn style_id(client: &Client, pool: &str, id: &str) -> anyhow::Result<Option<String>> {
    let answer =
        client.describe_managed_login_branding_by_client().user_pool_id(pool).client_id(id).send().await;
    let answer = optional(answer, "cognito-idp:DescribeManagedLoginBrandingByClient", PLAIN)?;
    Ok(answer.and_then(|answer| answer.managed_login_branding).and_then(|it| it.managed_login_branding_id))
}

pub async fn create_client(aws: &Aws, names: &Names, api: &str, desired: &AppClient) -> anyhow::Result<()> {
    let client = &aws.cognito;
    let pool = existing(aws, names).await?;
    // The least that Cognito takes; what it should be is set below, as in every later run.
    let create = client.create_user_pool_client().user_pool_id(&pool).client_name(&names.stack);
    let create = create.generate_secret(desired.secret);
    let id = create_once(
        "cognito-idp:CreateUserPoolClient",
        NOT_YET,
        async || {
            let once = Builder::new().retry_config(RetryConfig::disabled());
            let answer = create.clone().customize().config_override(once).send().await?;
            Ok(answer.user_pool_client.and_then(|client| client.client_id))
        },
        async || find(aws, names, &pool).await,
    );
    let bare = AppClient { id: Some(id.await?), callbacks: BTreeSet::new(), style: false, ..desired.clone() };
    update_client(aws, names, api, &bare, desired).await
}

pub async fn update_client(
    aws: &Aws,
    names: &Names,
    api: &str,
    live: &AppClient,
    desired: &AppClient,
) -> anyhow::Result<()> {
    let client = &aws.cognito;
    let (pool, id) = (existing(aws, names).await?, live.id.as_deref().context("the app client has no id")?);
    let settings = AppClient { id: live.id.clone(), style: live.style, ..desired.clone() };
    if settings != *live {
        let is = describe(client, &pool, id).await?.context("the app client is gone; run again")?;
        let callbacks: Vec<String> = desired.callbacks.iter().map(|url| url.replace(API_ID, api)).collect();
        let update = fitted(whole(client, is), callbacks, desired)?;
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        answer.map_err(failed("cognito-idp:UpdateUserPoolClient"))?;
    }
    match (live.style, desired.style) {
        (false, true) => create_style(client, &pool, id).await,
        (true, false) => delete_style(client, &pool, id).await,
        _ => Ok(()),
    }
}

/// All of a client that an update can change, as it is.
fn whole(client: &Client, is: UserPoolClientType) -> UpdateUserPoolClientFluentBuilder {
    client
        .update_user_pool_client()
        .set_user_pool_id(is.user_pool_id)
        .set_client_id(is.client_id)
        .set_client_name(is.client_name)
        .set_id_token_validity(is.id_token_validity)
        .set_token_validity_units(is.token_validity_units)
        .set_read_attributes(is.read_attributes)
        .set_write_attributes(is.write_attributes)
        .set_default_redirect_uri(is.default_redirect_uri.filter(|url| !url.is_empty()))
        .set_analytics_configuration(is.analytics_configuration)
        .set_enable_propagate_additional_user_context_data(is.enable_propagate_additional_user_context_data)
        .set_auth_session_validity(is.auth_session_validity)
}

/// The same with what the stack manages.
fn fitted(
    update: UpdateUserPoolClientFluentBuilder,
    callbacks: Vec<String>,
    desired: &AppClient,
) -> anyhow::Result<UpdateUserPoolClientFluentBuilder> {
    let units = update.get_token_validity_units().clone();
    let units = TokenValidityUnitsType::builder()
        .access_token(TimeUnitsType::Minutes)
        .refresh_token(TimeUnitsType::Days)
        .set_id_token(units.and_then(|units| units.id_token));
    let feature = if desired.rotation { FeatureType::Enabled } else { FeatureType::Disabled };
    let rotation =
        RefreshTokenRotationType::builder().feature(feature).retry_grace_period_seconds(GRACE).build()?;
    let discreet = if desired.discreet {
        PreventUserExistenceErrorTypes::Enabled
    } else {
        PreventUserExistenceErrorTypes::Legacy
    };
    let flows = desired.flows.iter().map(|flow| ExplicitAuthFlowsType::from(flow.as_str()));
    let grants = desired.grants.iter().map(|grant| OAuthFlowType::from(grant.as_str()));
    Ok(update
        .set_callback_urls(Some(callbacks.clone()))
        .set_logout_urls(Some(callbacks))
        .set_allowed_o_auth_flows(Some(grants.collect()))
        .allowed_o_auth_flows_user_pool_client(true)
        .set_allowed_o_auth_scopes(Some(desired.scopes.iter().cloned().collect()))
        .set_supported_identity_providers(Some(desired.providers.iter().cloned().collect()))
        .set_explicit_auth_flows(Some(flows.collect()))
        .set_access_token_validity(desired.access_token_minutes)
        .refresh_token_validity(desired.refresh_token_days)
        .token_validity_units(units.build())
        .refresh_token_rotation(rotation)
        .enable_token_revocation(desired.revocation)
        .prevent_user_existence_errors(discreet))
}

/// Managed login says "Login pages unavailable" for a client without a style. Cognito's own is taken, which whoever
/// likes may change.
async fn create_style(client: &Client, pool: &str, id: &str) -> anyhow::Result<()> {
    let create = client.create_managed_login_branding().user_pool_id(pool).client_id(id);
    let create = create.use_cognito_provided_values(true);
    let answer = retry(NOT_YET, async || create.clone().send().await).await;
    let there = &["ManagedLoginBrandingExistsException"];
    optional(answer, "cognito-idp:CreateManagedLoginBranding", there).map(|_| ())
}

async fn delete_style(client: &Client, pool: &str, id: &str) -> anyhow::Result<()> {
    let Some(style) = style_id(client, pool, id).await? else { return Ok(()) };
    let delete = client.delete_managed_login_branding().user_pool_id(pool).managed_login_branding_id(style);
    optional(delete.send().await, "cognito-idp:DeleteManagedLoginBranding", PLAIN).map(|_| ())
}

/// Its style goes with it.
pub async fn delete_client(aws: &Aws, names: &Names, live: &AppClient) -> anyhow::Result<()> {
    let client = &aws.cognito;
    let (Some(pool), Some(id)) = (pool_id(aws, names).await?, live.id.as_deref()) else { return Ok(()) };
    if live.style {
        delete_style(client, &pool, id).await?;
    }
    let delete = client.delete_user_pool_client().user_pool_id(&pool).client_id(id);
    let answer = retry(NOT_YET, async || delete.clone().send().await).await;
    optional(answer, "cognito-idp:DeleteUserPoolClient", GONE).map(|_| ())
}
