//! The text of `cloudpix.toml` to settings: its tables are merged first, and then read once.
//!
//! Merged values still know where in the text they stand, so an error names its line.

use std::collections::BTreeMap;

use contract::Function;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error, ValueDeserializer};

use super::{Architecture, Settings, Sizing, check_environment_name, none_where_empty};
use crate::stack::function::profile;

/// The tables that the file may have; what is in them is looked at later.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "defaults")]
    _defaults: toml::Table,
    #[serde(default)]
    env: BTreeMap<String, toml::Table>,
}

/// A function's table. What it leaves out is as the function's profile says.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Keys {
    memory: Option<i32>,
    timeout: Option<i32>,
    architecture: Architecture,
    #[serde(deserialize_with = "none_where_empty")]
    concurrency: Option<i32>,
}

/// The settings of `env`. Every other environment in the file is read too: a typing error is found before it is used.
pub(super) fn read(text: &str, env: &str) -> anyhow::Result<Settings> {
    let file: File = toml::from_str(text)?;
    let mut tables = DeTable::parse(text)?.into_inner();
    let (defaults, mut environments) = (take(&mut tables, "defaults"), take(&mut tables, "env"));
    let mut merged = |env: &str| {
        let mut table = defaults.clone();
        merge(&mut table, take(&mut environments, env));
        settings(text, table)
    };
    for name in file.env.keys() {
        check_environment_name(name)?;
    }
    let mut chosen = merged(env)?;
    for name in file.env.keys() {
        merged(name)?;
    }
    env.clone_into(&mut chosen.env);
    Ok(chosen)
}

fn take<'i>(tables: &mut DeTable<'i>, name: &str) -> DeTable<'i> {
    match tables.remove(name).map(Spanned::into_inner) {
        Some(DeValue::Table(table)) => table,
        _ => DeTable::new(),
    }
}

/// Puts `over` over `base`, key by key.
fn merge<'i>(base: &mut DeTable<'i>, over: DeTable<'i>) {
    for (key, value) in over {
        let span = value.span();
        let value = match value.into_inner() {
            DeValue::Table(over) => {
                let below = base.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut);
                if let Some(DeValue::Table(below)) = below {
                    merge(below, over);
                    continue;
                }
                DeValue::Table(over)
            }
            value => value,
        };
        base.insert(key, Spanned::new(span, value));
    }
}

fn settings(text: &str, mut table: DeTable<'_>) -> anyhow::Result<Settings> {
    let with_line = |mut error: Error| {
        error.set_input(Some(text));
        error
    };
    let mut functions = BTreeMap::new();
    for function in Function::ALL {
        let table = table.remove(function.name()).map(ValueDeserializer::from);
        let keys = table.map_or(Ok(Keys::default()), Keys::deserialize).map_err(with_line)?;
        functions.insert(function, sizing(function, &keys));
    }
    let names: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
    let auth_is_written = names.iter().any(|name| name == "auth");
    let settings = Settings::deserialize(Deserializer::from(Spanned::new(0..text.len(), table)));
    let settings = settings.map_err(|error| {
        let unknown =
            names.iter().any(|name| error.message().starts_with(&format!("unknown field `{name}`")));
        let error = anyhow::Error::new(with_line(error));
        if !unknown {
            return error;
        }
        anyhow::anyhow!(
            "{}, or a function: {}",
            error.to_string().trim_end(),
            Function::ALL.map(Function::name).join(", ")
        )
    })?;
    let mut settings = Settings { auth_is_written, functions, ..settings };
    settings.take_for(settings.auth);
    Ok(settings)
}

fn sizing(function: Function, keys: &Keys) -> Sizing {
    let Keys { memory, timeout, architecture, concurrency } = *keys;
    let profile = profile(function);
    let (memory, timeout) = (memory.unwrap_or(profile.memory), timeout.unwrap_or(profile.timeout));
    Sizing { memory, timeout, architecture, concurrency }
}
