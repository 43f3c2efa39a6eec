//! `provision cost`: what a month costs by list prices.

use std::process::ExitCode;

use crate::cli::{Common, Traffic};
use crate::{cost, report, settings};

pub fn run(common: &Common, traffic: &Traffic) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    let Traffic { uploads, lists, downloads, users, image_mb, stored, worst_case } = *traffic;
    let expected = cost::Traffic { uploads, lists, downloads, users, image_mb, stored };
    let traffic = if worst_case { cost::worst(&settings) } else { expected };
    report::cost(&cost::estimate(&settings, &traffic), &traffic, worst_case, common.json)?;
    Ok(ExitCode::SUCCESS)
}
