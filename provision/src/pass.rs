//! What `provision` itself shows the API while it tries it.

use anyhow::Context;
use contract::Scope;
use image::owner::Owner;
use jiff::{SignedDuration, Timestamp};
use keys::name::KeyName;
use keys::record::Key;
use keys::secret::Secret;

use crate::aws::{Aws, apigateway, dynamodb};
use crate::settings::Auth;
use crate::stack::id::Purpose;
use crate::stack::place::Names;

/// Whose images a trial makes: nobody's, who could sign in.
const OWNER: &str = "provision";
/// Longer than any trial. Where one is broken off, its key is good for no longer.
const LASTS: SignedDuration = SignedDuration::from_mins(15);

/// A header that the API lets in.
#[derive(Default)]
pub struct Pass {
    header: Option<(&'static str, String)>,
    /// What the table knows the key by that was made for this.
    made: Option<String>,
}

impl Pass {
    pub fn headers(&self) -> Vec<(&'static str, &str)> {
        self.header.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// Does something with a pass, which is good for no longer than that.
pub async fn with<T>(
    aws: &Aws,
    names: &Names,
    auth: Auth,
    act: impl AsyncFnOnce(&Pass) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let pass = make(aws, names, auth).await?;
    let done = act(&pass).await;
    if let Some(key) = &pass.made {
        dynamodb::delete_key(aws, &names.table(Purpose::Access), key).await?;
    }
    done
}

async fn make(aws: &Aws, names: &Names, auth: Auth) -> anyhow::Result<Pass> {
    match auth {
        Auth::None => Ok(Pass::default()),
        Auth::ApiKey => {
            let key = apigateway::key_value(aws, names).await?;
            Ok(Pass { header: key.map(|key| ("x-api-key", key)), made: None })
        }
        Auth::Users => {
            let secret = Secret::draw().context("draw a key")?;
            let scopes = [Scope::Read, Scope::Write, Scope::Delete].into_iter().collect();
            let (owner, name) =
                (Owner::user(OWNER).context("name an owner")?, KeyName::parse("trial by provision")?);
            let now = Timestamp::now();
            let key = Key { expires_at: Some(now + LASTS), ..Key::new(owner, name, scopes, None, now) };
            dynamodb::put_key(aws, &names.table(Purpose::Access), &secret.digest(), &key).await?;
            let made = Some(dynamodb::name_of(&secret.digest()));
            Ok(Pass { header: Some(("authorization", format!("Bearer {}", secret.text()))), made })
        }
    }
}
