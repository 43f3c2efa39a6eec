//! `provision outputs`: where the stack is.

use std::path::Path;
use std::process::ExitCode;

use crate::aws::Aws;
use crate::cli::Common;
use crate::outputs::Outputs;
use crate::pass::{self, Pass};
use crate::session::{Existing, existing_record};
use crate::settings::Settings;
use crate::stack::place::Names;
use crate::state::{StackRecord, Store};
use crate::{report, settings};

pub async fn run(common: &Common, api_key: bool, curl: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Some(image) = curl else {
        report::outputs(&read(common, api_key).await?, None, common.json)?;
        return Ok(ExitCode::SUCCESS);
    };
    let Existing { settings, aws, record, names, .. } = Existing::open(common).await?;
    let outputs = complete(&settings, &aws, &record, &names, true).await?;
    let key = outputs.save_key(&common.state_dir)?;
    let lines = outputs.curl(image, key.as_deref())?;
    let waiting = async |pass: &Pass| outputs.wait_until_it_answers(pass, report::note).await;
    pass::with(&aws, &names, outputs.auth, waiting).await?;
    report::outputs(&outputs, Some(&lines), common.json)?;
    Ok(ExitCode::SUCCESS)
}

async fn complete(
    settings: &Settings,
    aws: &Aws,
    record: &StackRecord,
    names: &Names,
    with_key: bool,
) -> anyhow::Result<Outputs> {
    let outputs = Outputs::new(settings, record, aws.place.endpoint.as_deref());
    let outputs = outputs.with_sign_in(aws, names).await?;
    if with_key { outputs.with_api_key(aws).await } else { Ok(outputs) }
}

/// Asks AWS only where it must: for the API key, for what Cognito drew, or for a record that lies in a bucket.
async fn read(common: &Common, with_key: bool) -> anyhow::Result<Outputs> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    if with_key || settings.has_pool() || settings.state_bucket.is_some() {
        let Existing { settings, aws, record, names, .. } = Existing::open(common).await?;
        return complete(&settings, &aws, &record, &names, with_key).await;
    }
    let record = existing_record(&Store::local(&common.state_dir, &common.env)).await?;
    let endpoint = std::env::var("AWS_ENDPOINT_URL").ok();
    Ok(Outputs::new(&settings, &record, endpoint.as_deref().map(|url| url.trim_end_matches('/'))))
}
