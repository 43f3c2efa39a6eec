//! Users and their keys. Passwords and keys are shown once, on standard output, where they were asked for.

use std::fmt::Write as _;
use std::path::Path;

use keys::record::Key;
use keys::secret::Secret;
use keys::wire::{KeyList, MadeKey};
use serde_json::{Value, json};

use super::{out, talk};
use crate::aws::cognito::User;
use crate::shell::quote;

fn user_json(user: &User) -> Value {
    let User { email, sub, status, enabled, created } = user;
    json!({ "email": email, "sub": sub, "status": status, "enabled": enabled, "createdAt": created })
}

/// `password` is the one for the next sign-in, where it was not mailed.
pub fn user_added(user: &User, password: Option<&str>, json: bool) -> anyhow::Result<()> {
    if json {
        let mut value = user_json(user);
        value["password"] = json!(password);
        return out(&format!("{value:#}\n"));
    }
    let Some(password) = password else {
        return out(&format!("{}  invited by mail\n", user.email));
    };
    out(&format!("user      {}\npassword  {password}\n", user.email))?;
    talk("the password is for the next sign-in, within seven days, which asks for one of the user's own\n");
    Ok(())
}

pub fn users(users: &[User], json: bool) -> anyhow::Result<()> {
    if json {
        let users: Vec<Value> = users.iter().map(user_json).collect();
        return out(&format!("{:#}\n", json!({ "users": users })));
    }
    if users.is_empty() {
        talk("there is no user yet; make one: provision users add EMAIL\n");
    }
    let mut text = String::new();
    for User { email, sub, status, enabled, created } in users {
        let status = if *enabled { status.to_lowercase().replace('_', " ") } else { "disabled".to_owned() };
        let _ = writeln!(text, "{email:30}  {status:21}  {created:20}  {sub}");
    }
    out(&text)
}

pub fn user_removed(user: &User, revoked: usize, json: bool) -> anyhow::Result<()> {
    if json {
        let mut value = user_json(user);
        value["keysRevoked"] = json!(revoked);
        return out(&format!("{value:#}\n"));
    }
    out(&format!("{} removed, keys revoked: {revoked}\n", user.email))?;
    talk("whoever is signed in as that user is let in until the token ends, an hour at most\n");
    Ok(())
}

pub fn key_made(secret: &Secret, key: &Key, saved: Option<&Path>, json: bool) -> anyhow::Result<()> {
    if json {
        return out(&format!("{}\n", serde_json::to_string_pretty(&MadeKey::new(secret, key))?));
    }
    if let Some(saved) = saved {
        return out(&format!(
            "key id  {}\ncurl    -H {}\n",
            key.key_id,
            quote(&format!("@{}", saved.display()))
        ));
    }
    out(&format!("key id  {}\nkey     {}\n", key.key_id, secret.text()))?;
    talk("it is shown this once; programs send it as the header `Authorization: Bearer KEY`\n");
    Ok(())
}

pub fn keys(keys: &[anyhow::Result<Key>], json: bool) -> anyhow::Result<()> {
    for error in keys.iter().filter_map(|key| key.as_ref().err()) {
        talk(&format!("a key that cannot be read: {error:#}\n"));
    }
    let keys: Vec<&Key> = keys.iter().filter_map(|key| key.as_ref().ok()).collect();
    if json {
        return out(&format!("{}\n", serde_json::to_string_pretty(&KeyList::new(keys))?));
    }
    let mut text = String::new();
    for key in keys {
        let end =
            key.expires_at.map_or_else(|| "until it is revoked".to_owned(), |end| format!("until {end:.0}"));
        let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |last| format!("used {last:.0}"));
        let _ = writeln!(text, "{}  {:20}  {}  {end}  {used}", key.key_id, key.name.as_str(), key.scopes);
    }
    out(&text)
}

pub fn key_revoked(key_id: &str, json: bool) -> anyhow::Result<()> {
    if json {
        return out(&format!("{:#}\n", json!({ "revoked": key_id })));
    }
    out(&format!("{key_id} revoked\n"))?;
    talk("it may still be let in for up to a minute\n");
    Ok(())
}
