//! Where the stack is: what a person pastes and a script reads.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use crate::aws::{Aws, apigateway, cognito, http};
use crate::pass::Pass;
use crate::settings::{Auth, Settings};
use crate::shell::quote;
use crate::stack::function::functions;
use crate::stack::id::Purpose;
use crate::stack::place::{Names, api_url, callback, sign_in_url};
use crate::state::StackRecord;

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outputs {
    pub stack: String,
    pub env: String,
    pub account: String,
    pub region: String,
    pub api_url: Option<String>,
    pub api_id: Option<String>,
    pub bucket: String,
    pub table: String,
    /// Who may call the API.
    pub auth: Auth,
    /// Where users sign in, in the terms of OpenID Connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignIn>,
    /// Names of the Lambda functions.
    pub functions: BTreeMap<&'static str, String>,
    /// The secret, where it was asked for and the stack has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
}

/// What a page, or a program with a browser, needs to have somebody sign in: by the code flow with PKCE.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// `/oauth2/authorize` and `/oauth2/token` are below it; a provider of one's own says itself where its are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub issuer: Option<String>,
    pub client_id: Option<String>,
    /// Where it leads back to.
    pub callback: Option<String>,
}

impl Outputs {
    /// Computed from the record alone; no call to AWS. `endpoint` is the emulator's, where there is one.
    pub fn new(settings: &Settings, record: &StackRecord, endpoint: Option<&str>) -> Outputs {
        let names = record.names();
        let functions = functions(settings.has_users());
        let functions = functions.map(|function| (function.name(), names.function(function)));
        let api_url = record.api_id.as_deref().map(|id| api_url(&record.region, endpoint, id));
        let provider = settings.sign_in.provider();
        let sign_in = settings.has_users().then(|| SignIn {
            url: settings.has_pool().then(|| sign_in_url(&record.region, endpoint, &names.sign_in_domain())),
            issuer: provider.map(|(issuer, _)| issuer.to_owned()),
            client_id: provider.map(|(_, client)| client.to_owned()),
            callback: api_url.as_deref().map(callback),
        });
        Outputs {
            api_url,
            auth: settings.auth,
            sign_in,
            api_id: record.api_id.clone(),
            table: names.table(Purpose::Metadata),
            functions: functions.collect(),
            stack: names.stack,
            env: names.env,
            bucket: names.bucket,
            account: record.account.clone(),
            region: record.region.clone(),
            api_key: None,
        }
    }

    /// Asks Cognito for what it drew: the ids of the pool and of its client.
    pub async fn with_sign_in(self, aws: &Aws, names: &Names) -> anyhow::Result<Outputs> {
        let Some(sign_in) = &self.sign_in else { return Ok(self) };
        if sign_in.issuer.is_some() {
            return Ok(self);
        }
        let (pool, client_id) =
            tokio::try_join!(cognito::pool_id(aws, names), cognito::client_id(aws, names))?;
        let issuer = pool.map(|pool| aws.place.issuer(&pool));
        let sign_in = Some(SignIn { issuer, client_id, ..sign_in.clone() });
        Ok(Outputs { sign_in, ..self })
    }

    pub async fn with_api_key(self, aws: &Aws) -> anyhow::Result<Outputs> {
        if self.auth != Auth::ApiKey {
            return Ok(self);
        }
        // The suffix does not matter here: a key is found by the stack's name.
        let names = Names::new(&self.env, &self.region, "");
        let api_key = apigateway::key_value(aws, &names).await?;
        Ok(Outputs { api_key, ..self })
    }

    /// Writes the API key into `folder`, as a header that only the caller can read, where the API asks for one. On a
    /// command line it would be in `ps`, for every user of this machine, and in the shell's history.
    pub fn save_key(&self, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
        match (self.auth, &self.api_key) {
            (Auth::None, _) | (Auth::ApiKey, None) => Ok(None),
            (Auth::ApiKey, Some(key)) => save_header(folder, &self.env, "x-api-key", key).map(Some),
            // It is one that a user has made for this.
            (Auth::Users, _) => {
                let path = key_path(folder, &self.env);
                let (there, env) = (path.is_file(), &self.env);
                let on = if env == "default" { String::new() } else { format!(" --env {env}") };
                ensure!(
                    there,
                    "curl needs a key of a user; make one and try again: provision keys create EMAIL --save{on}"
                );
                Ok(Some(path))
            }
        }
    }

    /// Two lines to paste into a shell; `key` is the file of [`Outputs::save_key`].
    pub fn curl(&self, image: &Path, key: Option<&Path>) -> anyhow::Result<[String; 2]> {
        let url = self.api_url.as_deref().context(NO_API)?;
        let key =
            key.map_or_else(String::new, |path| format!(" -H {}", quote(&format!("@{}", path.display()))));
        let name = image.file_name().with_context(|| format!("{} is no file", image.display()))?;
        let name = percent_encoding::utf8_percent_encode(
            &name.to_string_lossy(),
            percent_encoding::NON_ALPHANUMERIC,
        )
        .to_string();
        let path = image.to_str().with_context(|| format!("the name {} is not text", image.display()))?;
        // By that name, curl means its standard input.
        let path = if path == "-" { "./-" } else { path };
        Ok([
            format!(
                "curl -sS{key} -H 'content-type: application/octet-stream' --data-binary {} {}",
                quote(&format!("@{path}")),
                quote(&format!("{url}/upload?fileName={name}"))
            ),
            format!("curl -sS{key} {}", quote(&format!("{url}/list?limit=10"))),
        ])
    }

    /// Waits until the API lists images. A stage that was made a moment ago answers 403 or 404 at first,
    /// until all of API Gateway's machines know of it. `on` hears what it waits for, once each.
    pub async fn wait_until_it_answers(&self, pass: &Pass, on: impl Fn(&str)) -> anyhow::Result<()> {
        let url = format!("{}/list?limit=1", self.api_url.as_deref().context(NO_API)?);
        let mut last = "it gives no answer".to_owned();
        let end = Instant::now() + WAIT;
        // By the clock: an API that hangs takes half a minute for each response.
        while let Ok(answer) = timeout_at(end, http::status(&url, &pass.headers())).await {
            let now = match answer {
                Ok(200) => return Ok(()),
                Ok(403) => "it answers 403, as long as it does not know its key everywhere".to_owned(),
                Ok(404) => "it answers 404, as long as it does not know its stage everywhere".to_owned(),
                Ok(status) => format!("it answers {status}"),
                Err(error) => format!("{error:#}"),
            };
            if now != last {
                on(&format!("waiting for the API, three minutes at most: {now}"));
                last = now;
            }
            sleep(Duration::from_secs(1)).await;
        }
        bail!(
            "the API at {url} does not list images after three minutes: {last}; look at the logs of the function {}",
            self.functions["list"]
        );
    }
}

/// Writes a header that curl sends where it is told to by `-H @FILE`.
pub fn save_header(folder: &Path, env: &str, name: &str, value: &str) -> anyhow::Result<PathBuf> {
    let path = key_path(folder, env);
    let write = || -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        // Made with mode 0600, and in place of whatever is there.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{name}: {value}")?;
        file.persist(&path)?;
        Ok(())
    };
    write().with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

fn key_path(folder: &Path, env: &str) -> PathBuf {
    folder.join(format!("{env}.api-key"))
}

/// Removes what [`save_header`] wrote; the key is gone with its stack.
pub fn forget_key(folder: &Path, env: &str) -> anyhow::Result<()> {
    let path = key_path(folder, env);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// How long an API and a key may take to be known to all of API Gateway's machines.
const WAIT: Duration = Duration::from_mins(3);
const NO_API: &str = "the stack has no API yet; run `provision apply`";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;
    use crate::settings;
    use crate::stack::place::Place;

    fn outputs(key: &str) -> Outputs {
        let place = Place {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            endpoint: None,
        };
        let mut record = StackRecord::new("default", &place, "abcd1234".to_owned());
        record.api_id = Some("a1b2c3d4e5".to_owned());
        let settings = settings::parse("[defaults]\nauth = \"api-key\"\n", "default").unwrap();
        let outputs = Outputs::new(&settings, &record, Some("http://host:1/it's"));
        Outputs { api_key: Some(key.to_owned()), ..outputs }
    }

    #[test]
    fn the_lines_for_a_shell_are_what_they_say_whatever_is_in_them() {
        let key = Path::new("/state's/default.api-key");
        let picture = Path::new("it's $(id)/a b'.jpg");
        let [upload, list] = outputs("secret").curl(picture, Some(key)).unwrap();
        let words = |line: &str| {
            let line = format!("curl() {{ printf '%s\\n' \"$@\"; }}; {line}");
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let url = "http://host:1/it's/restapis/a1b2c3d4e5/v1/_user_request_";
        let expected = [
            "-sS",
            "-H",
            "@/state's/default.api-key",
            "-H",
            "content-type: application/octet-stream",
            "--data-binary",
            "@it's $(id)/a b'.jpg",
            &format!("{url}/upload?fileName=a%20b%27%2Ejpg"),
        ];
        assert_eq!(words(&upload), expected);
        assert_eq!(words(&list), ["-sS", "-H", "@/state's/default.api-key", &format!("{url}/list?limit=10")]);
        assert!(outputs("secret").curl(Path::new("-"), None).unwrap()[0].contains("'@./-'"));
    }

    #[test]
    fn the_key_is_in_a_file_of_the_callers_own_and_on_no_command_line() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("it's here");
        let outputs = outputs("s3cret");
        let path = outputs.save_key(&state).unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "x-api-key: s3cret\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for line in outputs.curl(Path::new("a.jpg"), Some(&path)).unwrap() {
            assert!(!line.contains("s3cret"), "{line}");
        }
        forget_key(&state, "default").unwrap();
        forget_key(&state, "default").unwrap();
        assert!(!path.exists());
    }
}
