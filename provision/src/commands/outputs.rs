//! `provision outputs`: where the stack is.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::Common;
use crate::outputs::Outputs;
use crate::session::{Existing, existing_record};
use crate::state::Store;
use crate::{report, settings};

pub async fn run(common: &Common, api_key: bool, curl: Option<&Path>) -> anyhow::Result<ExitCode> {
    let outputs = read(common, api_key || curl.is_some()).await?;
    let lines = match curl {
        Some(image) => {
            let key = outputs.save_key(&common.state_dir)?;
            let lines = outputs.curl(image, key.as_deref())?;
            outputs.wait_until_it_answers(report::note).await?;
            Some(lines)
        }
        None => None,
    };
    report::outputs(&outputs, lines.as_ref(), common.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Asks AWS only where it must: for the API key, or for a record that lies in a bucket.
async fn read(common: &Common, with_key: bool) -> anyhow::Result<Outputs> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    if with_key || settings.state_bucket.is_some() {
        let Existing { aws, record, .. } = Existing::open(common).await?;
        let outputs = Outputs::new(&record, aws.endpoint.as_deref());
        return if with_key { outputs.with_api_key(&aws).await } else { Ok(outputs) };
    }
    let record = existing_record(&Store::local(&common.state_dir, &common.env)).await?;
    let endpoint = std::env::var("AWS_ENDPOINT_URL").ok();
    Ok(Outputs::new(&record, endpoint.as_deref().map(|url| url.trim_end_matches('/'))))
}
