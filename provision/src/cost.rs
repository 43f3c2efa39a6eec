//! What a month costs, from the settings and a guess of the traffic. Pure arithmetic over AWS's list
//! prices; free tiers are left out, because an account has them once and not each stack.

use contract::Function;
use serde::Serialize;

use crate::settings::{Package, Settings};

/// List prices of us-east-1 in US dollars. Other regions cost up to about half as much again.
pub const REGION: &str = "us-east-1";
/// The year whose list prices these are. AWS changes them rarely, and downwards.
pub const DATE: &str = "2025";

const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const API_GATEWAY: &str = "https://aws.amazon.com/api-gateway/pricing/";
const S3: &str = "https://aws.amazon.com/s3/pricing/";
const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/on-demand/";
const CLOUDWATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";
const XRAY: &str = "https://aws.amazon.com/xray/pricing/";
const SQS: &str = "https://aws.amazon.com/sqs/pricing/";
const ECR: &str = "https://aws.amazon.com/ecr/pricing/";

/// What is expected of a month.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Traffic {
    pub uploads: f64,
    pub lists: f64,
    pub downloads: f64,
    /// Megabytes of an image.
    pub image_mb: f64,
    /// Images kept from the months before.
    pub stored: f64,
}

/// One line of the bill.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    pub service: &'static str,
    pub what: String,
    pub quantity: f64,
    /// US dollars for one of `quantity`.
    pub price: f64,
    /// US dollars.
    pub cost: f64,
    /// Where the price is published.
    pub source: &'static str,
}

/// How long a request keeps a function busy, in milliseconds of which AWS's own time is most: a
/// generous guess, at the memory that is the default.
const UPLOAD_MS: f64 = 150.0;
const LIST_MS: f64 = 30.0;
const PROCESS_MS: f64 = 500.0;
/// What the thumbnails of an image weigh together, in bytes, at the sizes that are the default.
const THUMBNAILS: f64 = 120_000.0;
/// Of the events of new objects, those that fail for good: a generous guess too.
const FAILED: f64 = 0.001;
/// What a request writes to the function's log, and to the API's, in bytes.
const LINE: f64 = 800.0;
const ACCESS_LINE: f64 = 400.0;
/// Without a rule of the account's own, X-Ray takes the first request of each second and 5 % of the rest.
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>
const SECONDS: f64 = 30.0 * 86_400.0;
const SAMPLED: f64 = 0.05;
/// One for each of three kinds of trouble of a function that somebody waits for, two of the one that nobody
/// does, one of the API and one of the queue.
const ALARMS: f64 = 10.0;
/// An item with its keys, in bytes, below the kilobyte that a write unit pays for.
const RECORD: f64 = 700.0;
/// Compressed, in gigabytes.
const IMAGE_OF_FUNCTION: f64 = 0.003;
/// Custom metrics by which a stack that is in use is billed: latency of each function, uploads and their
/// bytes of the two that take them in, and two kinds of rejects.
const METRICS: f64 = 9.0;

pub fn estimate(settings: &Settings, traffic: &Traffic) -> Vec<Item> {
    let Traffic { uploads, lists, downloads, image_mb, stored } = *traffic;
    let requests = uploads + lists;
    // Larger images than a request takes come through a presigned URL, past API Gateway and Lambda.
    let gb = |megabytes: f64| megabytes / 1000.0;
    let memory = |function: Function| {
        settings.functions.get(&function).map_or(0.0, |sizing| f64::from(sizing.memory) / 1024.0)
    };
    let busy = uploads * UPLOAD_MS / 1000.0 * memory(Function::Upload)
        + lists * LIST_MS / 1000.0 * memory(Function::List)
        + uploads * PROCESS_MS / 1000.0 * memory(Function::Process);
    #[expect(clippy::cast_precision_loss, reason = "eight at most")]
    let thumbnails = settings.thumbnails.sizes.len() as f64;
    // Each new object starts a function too, without API Gateway.
    let calls = requests + uploads;
    let images = stored + uploads;
    let line = LINE + if settings.watch.access_logs { ACCESS_LINE } else { 0.0 };
    let transferred = gb(downloads * image_mb);
    let mut items = vec![
        item("API Gateway", "requests, million", requests / 1e6, 3.50, API_GATEWAY),
        item("Lambda", "requests, million", calls / 1e6, 0.20, LAMBDA),
        item("Lambda", "GB-seconds", busy, 0.000_016_666_7, LAMBDA),
        item("S3", "images kept, GB-months", gb(images * image_mb) + images * THUMBNAILS / 1e9, 0.023, S3),
        item("S3", "PUT requests, thousand", uploads * (1.0 + thumbnails) / 1e3, 0.005, S3),
        item("S3", "GET requests, thousand", (downloads + uploads) / 1e3, 0.0004, S3),
        item("S3", "sent to the internet, GB", transferred, 0.09, S3),
        // What failed is put there, and taken and deleted again.
        item("SQS", "requests, million", uploads * FAILED * 3.0 / 1e6, 0.40, SQS),
        // The table and its two indexes, when it is stored and when it has thumbnails.
        item("DynamoDB", "write units, million", uploads * 6.0 / 1e6, 0.625, DYNAMODB),
        // Half a unit for each 4 KB of a page of 50.
        item(
            "DynamoDB",
            "read units, million",
            lists * (51.0 * RECORD / 4096.0).ceil() / 2.0 / 1e6,
            0.125,
            DYNAMODB,
        ),
        item("DynamoDB", "stored, GB-months", images * RECORD * 3.0 / 1e9, 0.25, DYNAMODB),
        item("DynamoDB", "point-in-time recovery, GB-months", images * RECORD * 3.0 / 1e9, 0.20, DYNAMODB),
        item("CloudWatch", "logs taken in, GB", (requests * line + uploads * LINE) / 1e9, 0.50, CLOUDWATCH),
        item("CloudWatch", "custom metrics", if requests > 0.0 { METRICS } else { 0.0 }, 0.30, CLOUDWATCH),
    ];
    if settings.watch.tracing {
        let first = calls.min(SECONDS);
        let traces = first + (calls - first) * SAMPLED;
        items.push(item("X-Ray", "traces, million", traces / 1e6, 5.0, XRAY));
    }
    if settings.watch.alarms.is_some() {
        items.push(item("CloudWatch", "alarms", ALARMS, 0.10, CLOUDWATCH));
    }
    if settings.watch.dashboard {
        items.push(item("CloudWatch", "dashboard", 1.0, 3.0, CLOUDWATCH));
    }
    if settings.package == Package::Image {
        #[expect(clippy::cast_precision_loss, reason = "a few versions")]
        let versions = (settings.keep_versions * settings.functions.len()) as f64;
        items.push(item("ECR", "function images, GB-months", versions * IMAGE_OF_FUNCTION, 0.10, ECR));
    }
    items
}

fn item(service: &'static str, what: &str, quantity: f64, price: f64, source: &'static str) -> Item {
    Item { service, what: what.to_owned(), quantity, price, cost: quantity * price, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    const QUIET: Traffic = Traffic { uploads: 0.0, lists: 0.0, downloads: 0.0, image_mb: 3.0, stored: 0.0 };

    fn total(traffic: &Traffic) -> f64 {
        let settings = settings::load(None, "default", None).unwrap();
        estimate(&settings, traffic).iter().map(|item| item.cost).sum()
    }

    #[test]
    fn a_stack_that_nobody_uses_costs_less_than_a_cent() {
        assert!(total(&QUIET) < 0.01, "{}", total(&QUIET));
    }

    #[test]
    fn each_kind_of_traffic_is_billed_once() {
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 0.005, "{found} {expected}");
        let quiet = total(&QUIET);
        // 1,000 images of 3 MB, once kept and once sent: 3 GB.
        close(total(&Traffic { stored: 1000.0, ..QUIET }) - quiet, 3.12 * 0.023);
        close(total(&Traffic { downloads: 1000.0, ..QUIET }) - quiet, 3.0 * 0.09);
        let million = total(&Traffic { lists: 1e6, ..QUIET }) - quiet;
        // API Gateway, requests, 7,500 GB-seconds, 4.5 units each, 1.2 GB of logs, nine metrics, a trace each.
        close(million, 3.5 + 0.2 + 0.125 + 4.5 * 0.125 + 0.6 + 2.7 + 5.0);
    }

    #[test]
    fn the_page_of_prices_has_each_price_and_its_source() {
        let page = include_str!("../../docs/prices.md");
        let settings =
            settings::parse("[defaults]\ndashboard = true\nalarms.enabled = true\n", "default").unwrap();
        let items = estimate(&settings, &Traffic { lists: 1.0, ..QUIET });
        for Item { service, what, price, source, .. } in &items {
            let line = format!("| {service} | {what} | {price} | <{source}> |");
            assert!(page.contains(&line), "{line}");
        }
        assert_eq!(page.matches("<https://").count(), items.len());
    }

    #[test]
    fn what_watches_is_in_the_bill() {
        let total = |text: &str| -> f64 {
            let settings = settings::parse(text, "default").unwrap();
            estimate(&settings, &QUIET).iter().map(|item| item.cost).sum()
        };
        let watched = "[defaults]\ndashboard = true\nalarms.enabled = true\n";
        assert!((total(watched) - total("") - 4.0).abs() < 0.005, "{}", total(watched));
    }
}
