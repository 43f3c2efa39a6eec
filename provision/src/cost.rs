//! What a month costs, from the settings and a guess of the traffic. Pure arithmetic over AWS's list
//! prices; free tiers are left out, because an account has them once and not each stack.

use contract::Function;
use serde::Serialize;

use crate::settings::sign_in::Tier;
use crate::settings::{Auth, Package, Period, Settings};
use crate::stack::function::{Busy, profile};
use crate::stack::watch::count_alarms;

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
const COGNITO_PRICES: &str = "https://aws.amazon.com/cognito/pricing/";
const ECR: &str = "https://aws.amazon.com/ecr/pricing/";

/// The service whose users are paid for.
pub const COGNITO: &str = "Cognito";

/// What is expected of a month.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Traffic {
    pub uploads: f64,
    pub lists: f64,
    pub downloads: f64,
    /// Who sign in, where somebody does.
    pub users: f64,
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

/// What the thumbnails of an image weigh together, in bytes, at the sizes that are the default.
const THUMBNAILS: f64 = 120_000.0;
/// The share of the events of new objects that fail for good: a generous guess too.
const FAILED: f64 = 0.001;
/// What a request writes to the function's log, and to the API's, in bytes.
const LINE: f64 = 800.0;
const ACCESS_LINE: f64 = 400.0;
/// What a page of 50 images weighs, compressed, most of it signed links. Who does not ask for
/// compression gets seven times as much.
const LIST_ANSWER: f64 = 40_000.0;
/// Without a rule of the account's own, X-Ray takes the first request of each second and 5 % of the rest.
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>
const DAYS: f64 = 30.0;
const SECONDS: f64 = DAYS * 86_400.0;
const SAMPLED: f64 = 0.05;
/// An item with its keys, in bytes, below the kilobyte that a write unit pays for.
const RECORD: f64 = 700.0;
/// Compressed, in gigabytes.
const IMAGE_OF_FUNCTION: f64 = 0.003;

/// The worst month that one API key can make: its whole quota, or all that the throttle lets through, spent
/// on images as large as they may be, each of them downloaded once. Nothing counts downloads, so more of
/// those are more than this.
pub fn worst(settings: &Settings) -> Traffic {
    let throttled = settings.throttle.rate * SECONDS;
    let periods = |period| match period {
        Period::Day => DAYS,
        Period::Week => DAYS / 7.0,
        Period::Month => 1.0,
    };
    // No key of a user has a quota, and none can be counted together with all others.
    let quota = settings
        .quota
        .filter(|_| settings.auth == Auth::ApiKey)
        .map(|quota| f64::from(quota.requests) * periods(quota.period));
    let uploads = quota.map_or(throttled, |quota| quota.min(throttled));
    #[expect(clippy::cast_precision_loss, reason = "5 GiB at most")]
    let image_mb = settings.max_upload_bytes as f64 / 1e6;
    Traffic { uploads, lists: 0.0, downloads: uploads, users: 0.0, image_mb, stored: 0.0 }
}

/// Gigabytes that S3 keeps of what was replaced. An image that does not come in a request gets its metadata
/// by a copy onto itself, and the bucket keeps the old version for a while.
fn replaced(settings: &Settings, traffic: &Traffic) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
    let inline = contract::INLINE_LIMIT as f64 / 1e6;
    let announced = if traffic.image_mb > inline { traffic.uploads } else { 0.0 };
    announced * traffic.image_mb / 1000.0 * (f64::from(settings.keep_deleted_days) / DAYS).min(1.0)
}

/// Custom metrics by which a stack that is in use is billed: latency of each function, uploads and their
/// bytes of those that take them in, and two kinds of rejects.
fn metrics(settings: &Settings) -> f64 {
    let functions = settings.functions.keys();
    let of_each = functions.map(|function| if profile(*function).takes_images { 3.0 } else { 1.0 });
    of_each.sum::<f64>() + 2.0
}

/// How often the authorizer is asked: once by each request at most, since what it says is kept for a minute.
fn asked(settings: &Settings, Traffic { uploads, lists, .. }: &Traffic) -> f64 {
    if settings.has_users() { uploads + lists } else { 0.0 }
}

/// Half a unit for each 4 KB of a page of 50, and for each key that is looked at.
fn read_units(settings: &Settings, traffic: &Traffic) -> f64 {
    let pages = traffic.lists * (51.0 * RECORD / 4096.0).ceil();
    (pages + asked(settings, traffic)) * 0.5
}

/// What Cognito takes for those who signed in at least once.
fn signed_in(settings: &Settings, users: f64) -> Option<Item> {
    let price = match settings.sign_in.tier {
        Tier::Essentials => 0.015,
        Tier::Lite => 0.0055,
    };
    settings.has_pool().then(|| item(COGNITO, "users of a month", users, price, COGNITO_PRICES))
}

pub fn estimate(settings: &Settings, traffic: &Traffic) -> Vec<Item> {
    let Traffic { uploads, lists, downloads, users, image_mb, stored } = *traffic;
    let requests = uploads + lists;
    // Larger images than a request takes come through a presigned URL, past API Gateway and Lambda.
    let gb = |megabytes: f64| megabytes / 1000.0;
    let memory = |function: Function| {
        settings.functions.get(&function).map_or(0.0, |sizing| f64::from(sizing.memory) / 1024.0)
    };
    let busy = settings.functions.keys().map(|&function| {
        let Busy { upload, page } = profile(function).busy;
        (uploads * upload + lists * page) / 1000.0 * memory(function)
    });
    let busy: f64 = busy.sum();
    #[expect(clippy::cast_precision_loss, reason = "eight at most")]
    let thumbnails = settings.thumbnails.sizes.len() as f64;
    // Each new object starts a function too, without API Gateway.
    let calls = requests + uploads + asked(settings, traffic);
    let images = stored + uploads;
    let line = LINE + if settings.access_logs { ACCESS_LINE } else { 0.0 };
    let transferred = gb(downloads * image_mb);
    let mut items = vec![
        item("API Gateway", "requests, million", requests / 1e6, 3.50, API_GATEWAY),
        item("API Gateway", "sent to the internet, GB", lists * LIST_ANSWER / 1e9, 0.09, API_GATEWAY),
        item("Lambda", "requests, million", calls / 1e6, 0.20, LAMBDA),
        item("Lambda", "GB-seconds", busy, 0.000_016_666_7, LAMBDA),
        item("S3", "images kept, GB-months", gb(images * image_mb) + images * THUMBNAILS / 1e9, 0.023, S3),
        item("S3", "old versions kept, GB-months", replaced(settings, traffic), 0.023, S3),
        item("S3", "PUT requests, thousand", uploads * (1.0 + thumbnails) / 1e3, 0.005, S3),
        item("S3", "GET requests, thousand", (downloads + uploads) / 1e3, 0.0004, S3),
        item("S3", "sent to the internet, GB", transferred, 0.09, S3),
        // What failed is put there, and taken and deleted again.
        item("SQS", "requests, million", uploads * FAILED * 3.0 / 1e6, 0.40, SQS),
        // The table and its two indexes, when it is stored and when it has thumbnails.
        item("DynamoDB", "write units, million", uploads * 6.0 / 1e6, 0.625, DYNAMODB),
        item("DynamoDB", "read units, million", read_units(settings, traffic) / 1e6, 0.125, DYNAMODB),
        item("DynamoDB", "stored, GB-months", images * RECORD * 3.0 / 1e9, 0.25, DYNAMODB),
        item("DynamoDB", "point-in-time recovery, GB-months", images * RECORD * 3.0 / 1e9, 0.20, DYNAMODB),
        item("CloudWatch", "logs taken in, GB", (requests * line + uploads * LINE) / 1e9, 0.50, CLOUDWATCH),
        item(
            "CloudWatch",
            "custom metrics",
            if requests > 0.0 { metrics(settings) } else { 0.0 },
            0.30,
            CLOUDWATCH,
        ),
    ];
    items.extend(signed_in(settings, users));
    if settings.tracing {
        let first = calls.min(SECONDS);
        let traces = first + (calls - first) * SAMPLED;
        items.push(item("X-Ray", "traces, million", traces / 1e6, 5.0, XRAY));
    }
    if settings.alarms.enabled {
        #[expect(clippy::cast_precision_loss, reason = "a few alarms")]
        let alarms = count_alarms(settings) as f64;
        items.push(item("CloudWatch", "alarms", alarms, 0.10, CLOUDWATCH));
    }
    if settings.dashboard {
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

    const QUIET: Traffic =
        Traffic { uploads: 0.0, lists: 0.0, downloads: 0.0, users: 0.0, image_mb: 3.0, stored: 0.0 };

    /// With these defaults beside an API key.
    fn parsed(text: &str) -> Settings {
        settings::parse(&format!("[defaults]\nauth = \"api-key\"\n{text}"), "default").unwrap()
    }

    fn total(traffic: &Traffic) -> f64 {
        let settings = parsed("");
        estimate(&settings, traffic).iter().map(|item| item.cost).sum()
    }

    #[test]
    fn a_stack_that_nobody_uses_costs_a_third_of_a_cent_a_function() {
        #[expect(clippy::cast_precision_loss, reason = "a few functions")]
        let functions = Function::ALL.len() as f64;
        assert!(total(&QUIET) < 0.01 / 3.0 * functions, "{}", total(&QUIET));
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
        // API Gateway, 40 GB sent, requests, 7,500 GB-seconds, 4.5 units each, 1.2 GB of logs, and the metrics.
        close(million, 3.5 + 3.6 + 0.2 + 0.125 + 4.5 * 0.125 + 0.6 + metrics(&parsed("")) * 0.3);
        let traced = parsed("tracing = true\n");
        let traced: f64 = estimate(&traced, &Traffic { lists: 1e6, ..QUIET }).iter().map(|it| it.cost).sum();
        close(traced - quiet - million, 5.0);
    }

    /// What cloudpix.toml and docs/security.md say in round numbers.
    #[test]
    fn a_key_in_the_wrong_hands_costs_what_its_quota_can_store_and_send() {
        let worst = |text: &str| {
            let settings = parsed(text);
            let traffic = worst(&settings);
            let total: f64 = estimate(&settings, &traffic).iter().map(|item| item.cost).sum();
            (traffic.uploads, total)
        };
        // A million images of 100 MiB: stored, kept once more as old versions, and downloaded once.
        let (uploads, dollars) = worst("");
        assert!(
            (uploads - 1e6).abs() < 0.1 && (14_250.0..14_400.0).contains(&dollars),
            "{uploads} {dollars}"
        );
        let (_, dollars) = worst("max-upload-bytes = 4_194_304\n");
        assert!((500.0..550.0).contains(&dollars), "{dollars}");
        let daily = "quota = { requests = 1000, period = \"day\" }\n";
        assert!((worst(daily).0 - 30_000.0).abs() < 0.1);
        // Without a quota it is the throttle, 50 a second, that ends it.
        assert!((worst("quota.requests = 0\n").0 - 129_600_000.0).abs() < 0.1);
    }

    #[test]
    fn the_page_of_prices_has_each_price_and_its_source() {
        let page = include_str!("../../docs/prices.md");
        let settings = settings::parse(
            "[defaults]\nauth = \"users\"\ntracing = true\ndashboard = true\nalarms.enabled = true\n",
            "default",
        )
        .unwrap();
        let items = estimate(&settings, &Traffic { lists: 1.0, ..QUIET });
        for Item { service, what, price, source, .. } in &items {
            let line = format!("| {service} | {what} | {price} | <{source}> |");
            assert!(page.contains(&line), "{line}");
        }
        assert_eq!(page.matches("<https://").count(), items.len());
    }

    #[test]
    fn users_are_paid_for_where_they_are_the_stacks_own() {
        let cost = |text: &str| {
            let settings =
                settings::parse(&format!("[defaults]\nauth = \"users\"\n{text}"), "default").unwrap();
            let items = estimate(&settings, &Traffic { users: 100.0, ..QUIET });
            items.iter().filter(|item| item.service == COGNITO).map(|item| item.cost).sum::<f64>()
        };
        assert!((cost("") - 1.5).abs() < 0.001);
        assert!((cost("sign-in.tier = \"lite\"\n") - 0.55).abs() < 0.001);
        let foreign = cost("sign-in.issuer = \"https://a.example\"\nsign-in.client-id = \"7\"\n");
        assert!(foreign.abs() < 0.001);
    }

    #[test]
    fn what_watches_is_in_the_bill() {
        let total = |text: &str| -> (f64, f64) {
            let settings = parsed(text);
            #[expect(clippy::cast_precision_loss, reason = "a few alarms")]
            let alarms = count_alarms(&settings) as f64;
            (estimate(&settings, &QUIET).iter().map(|item| item.cost).sum(), alarms)
        };
        let ((quiet, _), watched) = (total(""), "dashboard = true\nalarms.enabled = true\n");
        let (dollars, alarms) = total(watched);
        assert!((dollars - quiet - 3.0 - alarms * 0.1).abs() < 0.005, "{dollars} {alarms}");
        let (more, with_bytes) = total(&format!("{watched}alarms.uploaded-gb = 5\n"));
        assert!((more - dollars - (with_bytes - alarms) * 0.1).abs() < 0.005, "{more} {with_bytes}");
    }
}
