//! Where users sign in: the pool of users, its pages, and the client that they sign in for.

use std::collections::{BTreeMap, BTreeSet};

use super::place::{API_ID, CLIENT_ID, Names, POOL_ID, Place};
use super::resource::sign_in::{AppClient, UserNames, UserPool};
use crate::settings::Settings;
use crate::settings::sign_in::Tier;

fn set<const N: usize>(items: [&str; N]) -> BTreeSet<String> {
    items.map(str::to_owned).into()
}

/// By e-mail, whatever its capitals, and only whom an administrator invited.
pub(super) fn user_pool(settings: &Settings, names: &Names) -> UserPool {
    let tier = settings.sign_in.tier;
    UserPool {
        id: None,
        tags: names.tags(),
        tier: tier.name().to_owned(),
        invitation_only: true,
        deletion_protection: true,
        names: UserNames { of: set(["email"]), case_sensitive: false },
        verified: set(["email"]),
        domain: Some(names.sign_in_domain()),
        pages: Some(if tier == Tier::Lite { 1 } else { 2 }),
    }
}

/// A web page cannot keep a secret, so it has none, and shows that it is who asked for the code (PKCE, RFC 7636).
///
/// An access token counts until it ends, whoever is signed out meanwhile, so it ends within the hour. A refresh
/// token is good once: who steals one is found out when its owner uses it.
pub(super) fn app_client(settings: &Settings, place: &Place) -> AppClient {
    let own = place.callback(API_ID);
    AppClient {
        id: None,
        secret: false,
        callbacks: settings.sign_in.callback_urls.iter().cloned().chain([own]).collect(),
        grants: set(["code"]),
        scopes: set(["email", "openid"]),
        providers: set(["COGNITO"]),
        flows: set(["ALLOW_USER_SRP_AUTH"]),
        access_token_minutes: Some(60),
        refresh_token_days: 30,
        rotation: true,
        revocation: true,
        discreet: true,
        style: settings.sign_in.tier != Tier::Lite,
    }
}

/// What the authorizer is told of whose tokens count.
pub(super) fn variables(settings: &Settings, place: &Place) -> BTreeMap<&'static str, String> {
    use contract::variable::{CLIENT_ID as CLIENT, ISSUER, JWKS_URL};
    match settings.sign_in.provider() {
        Some((issuer, client)) => BTreeMap::from([(ISSUER, issuer.to_owned()), (CLIENT, client.to_owned())]),
        None => BTreeMap::from([
            (ISSUER, place.issuer(POOL_ID)),
            (CLIENT, CLIENT_ID.to_owned()),
            (JWKS_URL, place.jwks_url(POOL_ID)),
        ]),
    }
}
