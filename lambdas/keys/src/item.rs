//! A key as an item of the table, and back. The attributes that `provision` builds keys and indexes of are in
//! `contract::access`.
//!
//! Each conversion takes its type apart field by field, so that the compiler asks here for every new one.

use anyhow::Context;
use contract::access::{CREATED_AT, EXPIRES_AT, KEY, KEY_PREFIX, LAST_USED, OWNER};
use image::digest::Sha256;
use image::item::Value;
use image::moment::rfc3339;
use image::owner::Owner;
use jiff::Timestamp;
use uuid::Uuid;

use crate::name::KeyName;
use crate::record::Key;
use crate::scopes::Scopes;

/// What its owner and logs know it by: a UUID of version 7.
pub const KEY_ID: &str = "KeyId";
/// What its owner calls it.
const NAME: &str = "Name";
/// Names of what it may do, parted by spaces.
const SCOPES: &str = "Scopes";

/// The partition key of a key's item.
pub fn partition(digest: &Sha256) -> String {
    format!("{KEY_PREFIX}{digest}")
}

/// The item of a key with this hash.
pub fn attributes(digest: &Sha256, key: &Key) -> Vec<(&'static str, Value)> {
    let Key { key_id, owner, name, scopes, created_at, expires_at, last_used_at } = key;
    let mut attributes = vec![
        (KEY, Value::Text(partition(digest))),
        (OWNER, Value::Text(owner.to_string())),
        (CREATED_AT, Value::Text(rfc3339(*created_at))),
        (KEY_ID, Value::Text(key_id.to_string())),
        (NAME, Value::Text(name.as_str().to_owned())),
        (SCOPES, Value::Text(scopes.to_string())),
    ];
    let seconds = expires_at.map(|moment| u64::try_from(moment.as_second()).unwrap_or_default());
    attributes.extend(seconds.map(|seconds| (EXPIRES_AT, Value::Number(seconds))));
    attributes.extend(last_used_at.map(|moment| (LAST_USED, Value::Text(rfc3339(moment)))));
    attributes
}

/// Reads an item, of which `get` finds an attribute's text or number, as text.
pub fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> anyhow::Result<Key> {
    let required = |name: &str| get(name).with_context(|| format!("{name} is missing"));
    let moment = |name: &'static str, text: &str| -> anyhow::Result<Timestamp> {
        text.parse().with_context(|| format!("read {name}"))
    };
    let second = |text: &str| -> anyhow::Result<Timestamp> {
        Ok(Timestamp::from_second(text.parse().context("read ExpiresAt")?)?)
    };
    Ok(Key {
        key_id: Uuid::try_parse(required(KEY_ID)?).context("read KeyId")?,
        owner: Owner::user(required(OWNER)?).context("read Owner")?,
        name: KeyName::parse(required(NAME)?).context("read Name")?,
        scopes: Scopes::read(required(SCOPES)?),
        created_at: moment(CREATED_AT, required(CREATED_AT)?)?,
        expires_at: get(EXPIRES_AT).map(second).transpose()?,
        last_used_at: get(LAST_USED).map(|text| moment(LAST_USED, text)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn whole() -> Key {
        Key {
            key_id: Uuid::from_u128(7),
            owner: Owner::user("sub").unwrap(),
            name: KeyName::parse("バックアップ").unwrap(),
            scopes: Scopes::read("read delete"),
            created_at: "2026-11-23T04:05:06.789Z".parse().unwrap(),
            expires_at: Some("2026-11-30T04:05:06Z".parse().unwrap()),
            last_used_at: Some("2026-11-24T04:05:06.001Z".parse().unwrap()),
        }
    }

    fn texts(key: &Key) -> BTreeMap<&'static str, String> {
        let text = |value| match value {
            Value::Text(text) => text,
            Value::Number(number) => number.to_string(),
        };
        attributes(&Sha256::of(b"abc"), key).into_iter().map(|(name, value)| (name, text(value))).collect()
    }

    fn read_texts(texts: &BTreeMap<&'static str, String>) -> anyhow::Result<Key> {
        read(|name| texts.get(name).map(String::as_str))
    }

    #[test]
    fn a_key_is_an_item_and_back() {
        let texts = texts(&whole());
        assert_eq!(texts["Key"], "key#ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(texts["ExpiresAt"], "1796011506");
        assert_eq!(texts["Scopes"], "read delete");
        assert_eq!(read_texts(&texts).unwrap(), whole());
        let plain = Key { expires_at: None, last_used_at: None, ..whole() };
        assert_eq!(read_texts(&self::texts(&plain)).unwrap(), plain);
    }

    #[test]
    fn what_is_broken_is_named_and_gives_no_right() {
        for name in ["KeyId", "Owner", "Name", "Scopes", "CreatedAt"] {
            let mut texts = texts(&whole());
            texts.remove(name);
            assert_eq!(read_texts(&texts).unwrap_err().to_string(), format!("{name} is missing"));
        }
        for (name, value) in [
            ("KeyId", "7"),
            ("ExpiresAt", "soon"),
            ("CreatedAt", "today"),
            ("LastUsed", ""),
            ("Owner", "public"),
        ] {
            let mut texts = texts(&whole());
            texts.insert(name, value.to_owned());
            assert!(read_texts(&texts).is_err(), "{name}");
        }
        let mut texts = texts(&whole());
        texts.insert("Scopes", "admin".to_owned());
        assert!(read_texts(&texts).unwrap().scopes.is_empty());
    }
}
