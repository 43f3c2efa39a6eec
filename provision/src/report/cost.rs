//! The estimate of a month's bill.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::out;
use crate::cost::{COGNITO, DATE, Item, REGION, Traffic};

/// Said of the worst case, which is none: a link needs no key.
const BEYOND: &str = "  Downloads are counted by nothing: a link works for 15 minutes, as often as\n  anybody likes, and each GB beyond these is billed at the price above.\n\n";

pub fn cost(items: &[Item], traffic: &Traffic, worst_case: bool, json: bool) -> anyhow::Result<()> {
    let total: f64 = items.iter().map(|item| item.cost).sum();
    if json {
        let answer = json!({
            "currency": "USD",
            "region": REGION,
            "pricesOf": DATE,
            "traffic": traffic,
            "items": items,
            "total": total,
        });
        return out(&format!("{answer:#}\n"));
    }
    let Traffic { uploads, lists, downloads, users, image_mb, stored } = traffic;
    let signed_in = items.iter().any(|item| item.service == COGNITO);
    let users = if signed_in { format!(" {users} users,") } else { String::new() };
    let mut text = format!(
        "A month with {uploads} uploads, {lists} list requests, {downloads} downloads,\n\
        {users} {image_mb} MB an image, {stored} images kept from before.\n\
         List prices of {REGION} ({DATE}) in US dollars, free tiers left out.\n\n"
    );
    for Item { service, what, quantity, price, cost, .. } in items.iter().filter(|item| item.cost > 0.0) {
        let cost = if *cost < 0.005 { "< 0.01".to_owned() } else { format!("{cost:.2}") };
        let price = format!("{price:.7}");
        let price = price.trim_end_matches('0').trim_end_matches('.');
        let _ = writeln!(text, "  {service:<11} {what:<33} {quantity:>9.3} x {price:<9} {cost:>8}");
    }
    let _ = writeln!(text, "  {:<11} {:<33} {:>9}   {:<9} {total:>8.2}\n", "total", "", "", "");
    if worst_case {
        text.push_str(BEYOND);
    }
    let sources: BTreeMap<_, _> = items.iter().map(|item| (item.service, item.source)).collect();
    for (service, source) in sources {
        let _ = writeln!(text, "  {service:<11} {source}");
    }
    out(&text)
}
