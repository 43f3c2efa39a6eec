//! What watches over the stack: CloudWatch's alarms, and a dashboard to look at.

use std::collections::{BTreeMap, BTreeSet};

use contract::Function;
use serde_json::{Value, json};

use super::function::{Trouble, profile, takers};
use super::id::Purpose;
use super::place::{Names, Place, STAGE};
use super::resource::watch::{Alarm, Alarms, Dashboard};
use crate::settings::Settings;

/// How many alarms there are by these settings. Each of them costs money beyond ten in an account, which are free.
pub fn count_alarms(settings: &Settings) -> usize {
    let of_functions: usize = settings.functions.keys().map(|function| profile(*function).alarms.len()).sum();
    let on_bytes = if settings.alarms.uploaded_gb.is_some() { takers().count() } else { 0 };
    // One of the API and one of the queue.
    of_functions + 2 + on_bytes
}

/// One error of ours is one too many; a function that is slow may be so for ten minutes.
///
/// The metrics are at <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html> and
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html>.
pub(super) fn alarms(all: &Settings, names: &Names) -> Alarms {
    let settings = &all.alarms;
    let tells: BTreeSet<String> = settings.topic.iter().cloned().collect();
    let alarm =
        |namespace: &str, metric: &str, dimensions: &[(&str, String)], statistic: &str, at_least, periods| {
            let dimensions = dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            Alarm {
                namespace: namespace.to_owned(),
                metric: metric.to_owned(),
                dimensions: dimensions.collect(),
                statistic: statistic.to_owned(),
                at_least,
                period: 300,
                periods,
                missing_data: "notBreaching".to_owned(),
                tells: tells.clone(),
            }
        };
    let mut alarms = BTreeMap::new();
    for &function in all.functions.keys() {
        let whose = [("FunctionName", names.function(function))];
        let slow = f64::from(settings.latency_ms);
        alarms.extend(profile(function).alarms.iter().map(|&trouble| {
            let alarm = match trouble {
                Trouble::Errors => alarm("AWS/Lambda", "Errors", &whose, "Sum", 1.0, 1),
                Trouble::Throttles => alarm("AWS/Lambda", "Throttles", &whose, "Sum", 1.0, 1),
                Trouble::Slow => alarm("AWS/Lambda", "Duration", &whose, "p99", slow, 2),
            };
            (names.alarm(function, trouble), alarm)
        }));
    }
    let api = [("ApiName", names.stack.clone()), ("Stage", STAGE.to_owned())];
    alarms.insert(names.api_alarm(), alarm("AWS/ApiGateway", "5XXError", &api, "Sum", 1.0, 1));
    // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
    let queue = [("QueueName", names.queue())];
    let waiting = alarm("AWS/SQS", "ApproximateNumberOfMessagesVisible", &queue, "Maximum", 1.0, 1);
    alarms.insert(names.queue(), waiting);
    if let Some(gb) = settings.uploaded_gb {
        for function in takers() {
            let whose = [("FunctionName", names.function(function))];
            // It is our own metric, from the line that the function logs of each image.
            let hourly = alarm("CloudPix", "UploadedBytes", &whose, "Sum", f64::from(gb) * 1e9, 1);
            alarms.insert(names.bytes_alarm(function), Alarm { period: 3600, ..hourly });
        }
    }
    Alarms { tags: names.tags(), alarms }
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>
pub(super) fn dashboard(settings: &Settings, place: &Place, names: &Names) -> Dashboard {
    let api = |metric: &str| json!(["AWS/ApiGateway", metric, "ApiName", names.stack, "Stage", STAGE]);
    let of_each = |namespace: &str, metric: &str| {
        let row = |function: &Function| json!([namespace, metric, "FunctionName", names.function(*function)]);
        settings.functions.keys().map(row).collect::<Vec<_>>()
    };
    let table = |metric: &str| json!(["AWS/DynamoDB", metric, "TableName", names.table(Purpose::Metadata)]);
    let widget = |title: &str, statistic: &str, metrics: Vec<Value>| {
        json!({
            "type": "metric", "width": 8, "height": 6,
            "properties": {
                "title": title, "stat": statistic, "period": 300, "region": place.region,
                "view": "timeSeries", "metrics": metrics,
            },
        })
    };
    let lambda = |metric: &str| of_each("AWS/Lambda", metric);
    let widgets = [
        widget("Requests", "Sum", ["Count", "4XXError", "5XXError"].map(api).to_vec()),
        widget("API latency, p99 (ms)", "p99", vec![api("Latency")]),
        widget(
            "Uploads",
            "Sum",
            vec![json!(["CloudPix", "Uploads", "FunctionName", names.function(Function::Upload)])],
        ),
        widget("Function errors", "Sum", [lambda("Errors"), lambda("Throttles")].concat()),
        widget("Function duration, p99 (ms)", "p99", lambda("Duration")),
        widget(
            "Events that failed for good",
            "Maximum",
            vec![json!(["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", names.queue()])],
        ),
        widget(
            "Table: capacity units",
            "Sum",
            ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"].map(table).to_vec(),
        ),
    ];
    Dashboard { tags: names.tags(), body: json!({ "widgets": widgets }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    #[test]
    fn every_alarm_has_a_name_that_is_looked_for() {
        let names = Names::new("staging", "eu-west-1", "ab12");
        let mut settings = settings::parse("[defaults]\nauth = \"users\"\n", "default").unwrap();
        settings.alarms.uploaded_gb = Some(5);
        let all = alarms(&settings, &names).alarms;
        let bytes = &all["cloudpix-staging-process-bytes"];
        assert_eq!((bytes.at_least, bytes.period, bytes.periods), (5e9, 3600, 1));
        let made: Vec<String> = all.into_keys().collect();
        let mut sought = names.alarms();
        sought.sort();
        assert_eq!(made, sought);
        assert_eq!(made.len(), count_alarms(&settings), "{made:?}");
        // More than ten cost money, so those on bytes have to be asked for:
        // <https://aws.amazon.com/cloudwatch/pricing/>.
        settings.alarms.uploaded_gb = None;
        let fewer = alarms(&settings, &names).alarms.len();
        assert_eq!((fewer, made.len()), (count_alarms(&settings), fewer + takers().count()));
    }
}
