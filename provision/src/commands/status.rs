//! `provision status`: every resource with its health, and the last hour.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Instant;

use contract::{Function, path};

use crate::aws::{Aws, cloudwatch, dynamodb, http, lambda, sqs};
use crate::cli::Common;
use crate::live::{self, Known, Suffix};
use crate::outputs::Outputs;
use crate::report::{self, Row};
use crate::session::Existing;
use crate::settings::Auth;
use crate::stack::id::{Id, Purpose};
use crate::stack::place::Names;
use crate::stack::resource::Resource;

/// Exits with 1 where something is missing, sick, or raises an alarm.
pub async fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let Existing { settings, aws, record, names, .. } = Existing::open(common).await?;
    let outputs = Outputs::new(&settings, &record, aws.place.endpoint.as_deref());
    let (api, users) = (record.api_id.as_deref(), settings.has_users());
    let known = Known { api, suffix: Suffix::Known, code: &BTreeMap::new(), users };
    let functions: Vec<Function> = settings.functions.keys().copied().collect();
    // What says more of itself than that it is there is asked for that, and not read twice.
    let special = |id: &Id| {
        matches!(
            id,
            Id::Image(_) | Id::Function(_) | Id::Table(Purpose::Metadata) | Id::Queue | Id::Api | Id::Alarms
        )
    };
    let plain: Vec<Id> = Id::all().into_iter().filter(|id| !special(id)).collect();
    let (live, mut rows, hours) = tokio::try_join!(
        live::read_some(&aws, &names, &known, plain.clone()),
        special_rows(&aws, &names, &outputs, &functions),
        cloudwatch::last_hour(&aws, &names, &functions),
    )?;
    let optional = BTreeSet::from([Id::AccessLog, Id::Dashboard]);
    let wanted = |id: &Id| match id {
        Id::ApiKey | Id::UsagePlan => settings.auth == Auth::ApiKey,
        Id::Table(Purpose::Access) => users,
        Id::UserPool | Id::AppClient => settings.has_pool(),
        id if id.function().is_some_and(|of| !functions.contains(&of)) => false,
        id => !optional.contains(id) || live.contains_key(id),
    };
    for id in plain.into_iter().filter(wanted) {
        rows.push(Row::of(id, live.get(&id).map(health)));
    }
    rows.sort_by_key(|row| row.id);
    let well = report::status(&rows, &hours, &names, &aws.place, common.json)?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What can be said of a resource by what was read of it.
fn health(is: &Resource) -> (String, bool) {
    match is {
        // Without a page nobody can sign in.
        Resource::UserPool(pool) if pool.domain.is_none() => ("it has no page to sign in".to_owned(), false),
        Resource::AppClient(client) if client.callbacks.is_empty() => {
            ("signing in leads nowhere".to_owned(), false)
        }
        Resource::Table(_, table) if table.indexes.values().any(|index| index.status != "ACTIVE") => {
            ("an index is not ready yet".to_owned(), false)
        }
        _ => ("there".to_owned(), true),
    }
}

async fn special_rows(
    aws: &Aws,
    names: &Names,
    outputs: &Outputs,
    functions: &[Function],
) -> anyhow::Result<Vec<Row>> {
    let functions = functions.iter().map(async |&function| {
        anyhow::Ok(Row::of(Id::Function(function), lambda::health(aws, names, function).await?))
    });
    let (table, queue) = (names.table(Purpose::Metadata), names.queue());
    let (table, queue, functions, raised, api) = tokio::try_join!(
        dynamodb::health(aws, &table),
        sqs::count(aws, &queue),
        futures_util::future::try_join_all(functions),
        cloudwatch::raised(aws, names),
        async { anyhow::Ok(api(outputs).await) },
    )?;
    let mut rows = functions;
    rows.push(Row::of(Id::Table(Purpose::Metadata), table));
    rows.push(Row::of(Id::Queue, queue.map(waiting)));
    rows.push(Row::of(Id::Api, api));
    if let Some((raised, of)) = raised {
        let prefix = format!("{}-", names.stack);
        let short: Vec<&str> = raised.iter().map(|name| name.strip_prefix(&prefix).unwrap_or(name)).collect();
        let health = if raised.is_empty() {
            format!("all {of} quiet")
        } else {
            format!("RAISED: {}", short.join(", "))
        };
        rows.push(Row::of(Id::Alarms, Some((health, raised.is_empty()))));
    }
    Ok(rows)
}

/// How many events lie in the queue of what `process` failed at, and whether that is well.
fn waiting(messages: u64) -> (String, bool) {
    match messages {
        0 => ("empty".to_owned(), true),
        1 => ("1 event that failed; send it again: provision redrive".to_owned(), false),
        many => (format!("{many} events that failed; send them again: provision redrive"), false),
    }
}

/// Asks for a list as anyone may ask, so without the key. To be refused shows that the API is there, too.
async fn api(outputs: &Outputs) -> Option<(String, bool)> {
    let url = format!("{}{}?limit=1", outputs.api_url.as_deref()?, path::LIST);
    let start = Instant::now();
    Some(match http::status(&url, &[]).await {
        Ok(status) if status < 404 => {
            (format!("answers {status} in {} ms", start.elapsed().as_millis()), true)
        }
        Ok(status) => (format!("answers {status}"), false),
        Err(error) => (format!("does not answer: {error:#}"), false),
    })
}
