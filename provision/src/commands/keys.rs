//! `provision keys`: what programs show the API instead of signing in.

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use contract::Scope;
use jiff::Timestamp;
use keys::name::KeyName;
use keys::record::{Key, MOST};
use keys::secret::Secret;

use super::users::owner;
use crate::aws::dynamodb;
use crate::cli::{Common, Keys};
use crate::outputs::save_header;
use crate::report;
use crate::session::Existing;
use crate::stack::id::Purpose;

pub async fn run(common: &Common, what: &Keys) -> anyhow::Result<ExitCode> {
    let Existing { settings, aws, names, .. } = Existing::open(common).await?;
    ensure!(
        settings.has_users(),
        "this stack has no keys of users; set auth = \"users\" in cloudpix.toml, and run `provision apply`"
    );
    let table = names.table(Purpose::Access);
    let (Keys::Create { user, .. } | Keys::List { user } | Keys::Revoke { user, .. }) = what;
    let owner = owner(&settings, &aws, &names, user).await?;
    let all = dynamodb::keys_of(&aws, &table, &owner).await?;
    match what {
        Keys::Create { name, scopes, days, save, .. } => {
            ensure!(all.len() < MOST, "{user} has {MOST} keys, and nobody can have more; revoke one first");
            let name = KeyName::parse(name).with_context(|| format!("the name {name:?}"))?;
            let scopes = if scopes.is_empty() { &DEFAULT[..] } else { scopes };
            let secret = Secret::draw().context("draw a key")?;
            let key = Key::new(owner, name, scopes.iter().copied().collect(), *days, Timestamp::now());
            dynamodb::put_key(&aws, &table, &secret.digest(), &key).await?;
            let saved = if *save {
                let bearer = format!("Bearer {}", secret.text());
                Some(save_header(&common.state_dir, &common.env, "authorization", &bearer)?)
            } else {
                None
            };
            report::key_made(&secret, &key, saved.as_deref(), common.json)?;
        }
        Keys::List { .. } => {
            let keys = all.into_iter().map(|(_, key)| key).collect::<Vec<_>>();
            report::keys(&keys, common.json)?;
        }
        Keys::Revoke { key_id, .. } => {
            let ours = |(_, key): &&(String, anyhow::Result<Key>)| {
                key.as_ref().is_ok_and(|key| key.key_id.to_string() == *key_id)
            };
            let Some((partition, _)) = all.iter().find(ours) else {
                bail!("{user} has no key {key_id}; those there are: provision keys list {user}");
            };
            dynamodb::delete_key(&aws, &table, partition).await?;
            report::key_revoked(key_id, common.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a key may do where nothing is said: not delete.
const DEFAULT: [Scope; 2] = [Scope::Read, Scope::Write];
