//! Where the stack is: what a person pastes and a script reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use contract::Function;
use serde::Serialize;

use crate::aws::{Aws, apigateway, http};
use crate::stack::{Names, STAGE};
use crate::state::Record;

#[derive(Debug, Serialize)]
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
    /// Names of the Lambda functions.
    pub functions: BTreeMap<&'static str, String>,
    /// The secret, where it was asked for and the stack has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
}

impl Outputs {
    /// Computed from the record alone; no call to AWS. `endpoint` is the emulator's, where there is one.
    pub fn new(record: &Record, endpoint: Option<&str>) -> Outputs {
        let names = Names::new(&record.env, &record.region, &record.suffix);
        let functions = Function::ALL.map(|function| (function.name(), names.function(function)));
        Outputs {
            api_url: record.api_id.as_deref().map(|id| api_url(id, &record.region, endpoint)),
            api_id: record.api_id.clone(),
            table: names.table(),
            functions: functions.into(),
            stack: names.stack,
            env: names.env,
            bucket: names.bucket,
            account: record.account.clone(),
            region: record.region.clone(),
            api_key: None,
        }
    }

    pub async fn with_api_key(self, aws: &Aws) -> anyhow::Result<Outputs> {
        // The suffix is of no account here: a key is found by the stack's name.
        let names = Names::new(&self.env, &self.region, "");
        let api_key = apigateway::key_value(aws, &names).await?;
        Ok(Outputs { api_key, ..self })
    }

    /// Two lines to paste into a shell.
    pub fn curl(&self, image: &Path) -> anyhow::Result<[String; 2]> {
        let url = self.api_url.as_deref().context(NO_API)?;
        let key = self.api_key.as_deref().map_or_else(String::new, |key| format!(" -H 'x-api-key: {key}'"));
        let name = image.file_name().with_context(|| format!("{} is no file", image.display()))?;
        let name = percent_encoding::utf8_percent_encode(
            &name.to_string_lossy(),
            percent_encoding::NON_ALPHANUMERIC,
        )
        .to_string();
        let path = image.display();
        Ok([
            format!(
                "curl -sS{key} -H 'content-type: application/octet-stream' --data-binary '@{path}' \
                 '{url}/upload?fileName={name}'"
            ),
            format!("curl -sS{key} '{url}/list?limit=10'"),
        ])
    }

    /// Waits until the API lists images. A stage that was made a moment ago answers 403 or 404 at first,
    /// until all of API Gateway's machines know of it. `on` hears what it waits for, once each.
    pub async fn wait_until_it_answers(&self, on: impl Fn(&str)) -> anyhow::Result<()> {
        let url = format!("{}/list?limit=1", self.api_url.as_deref().context(NO_API)?);
        let mut last = String::new();
        for attempt in 0..SECONDS {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let now = match http::status(&url, self.api_key.as_deref()).await {
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
        }
        bail!(
            "the API at {url} does not list images after three minutes: {last}; look at the logs of the function {}",
            self.functions["list"]
        );
    }
}

/// How long an API and a key may take to be known to all of API Gateway's machines.
const SECONDS: u32 = 180;
const NO_API: &str = "the stack has no API yet; run `provision apply`";

fn api_url(id: &str, region: &str, endpoint: Option<&str>) -> String {
    match endpoint {
        Some(endpoint) => format!("{endpoint}/restapis/{id}/{STAGE}/_user_request_"),
        None => {
            let domain = contract::domain(region);
            format!("https://{id}.execute-api.{region}.{domain}/{STAGE}")
        }
    }
}
