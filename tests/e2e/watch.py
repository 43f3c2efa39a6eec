"""For witness.py: what watches over a stack, and how it is blinded."""

import contextlib
import json

import boto3


def client(service):
    return boto3.client(service)


def api_of(stack):
    return next(api["id"] for api in client("apigateway").get_rest_apis(limit=500)["items"] if api["name"] == stack)


def plan_of(stack):
    plans = client("apigateway").get_usage_plans(limit=500)["items"]
    return next((plan for plan in plans if plan["name"] == stack), {})


def watch(stack):
    gateway, cloudwatch = client("apigateway"), client("cloudwatch")
    stage = gateway.get_stage(restApiId=api_of(stack), stageName="v1")
    mode = lambda function: client("lambda").get_function(FunctionName=f"{stack}-{function}")["Configuration"]["TracingConfig"]["Mode"]
    alarms = {}
    for alarm in cloudwatch.describe_alarms(AlarmNamePrefix=f"{stack}-")["MetricAlarms"]:
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        tags = {tag["Key"]: tag["Value"] for tag in tags}
        fields = ("ExtendedStatistic", "Threshold", "AlarmActions")
        alarms[alarm["AlarmName"]] = {"tags": tags, **{field: alarm.get(field) for field in fields}}
    dashboard = []
    with contextlib.suppress(cloudwatch.exceptions.ClientError):
        dashboard = json.loads(cloudwatch.get_dashboard(DashboardName=stack)["DashboardBody"])["widgets"]
    return {
        "accessLog": stage.get("accessLogSettings") or {},
        "tracing": {"stage": stage["tracingEnabled"], "upload": mode("upload"), "list": mode("list")},
        "quota": plan_of(stack).get("quota"),
        "alarms": alarms,
        "dashboard": dashboard,
    }


def patch(path, value):
    return {"op": "replace", "path": path, "value": value}


def let_log():
    """Lets API Gateway write logs, as whoever looks after the account would."""
    role = patch("/cloudwatchRoleArn", "arn:aws:iam::000000000000:role/apigateway-logs")
    client("apigateway").update_account(patchOperations=[role])


def blind(stack):
    """Changes everything that watches behind the back of the stack."""
    cloudwatch = client("cloudwatch")
    patches = [patch("/tracingEnabled", "false"), patch("/accessLogSettings/format", "$context.requestId")]
    client("apigateway").update_stage(restApiId=api_of(stack), stageName="v1", patchOperations=patches)
    client("lambda").update_function_configuration(FunctionName=f"{stack}-list", TracingConfig={"Mode": "PassThrough"})
    cloudwatch.put_metric_alarm(
        AlarmName=f"{stack}-upload-errors", Namespace="AWS/Lambda", MetricName="Errors", Statistic="Sum", Period=300,
        EvaluationPeriods=1, Threshold=1000, ComparisonOperator="GreaterThanOrEqualToThreshold",
    )  # fmt: skip
    cloudwatch.delete_alarms(AlarmNames=[f"{stack}-list-slow"])
    body = json.loads(cloudwatch.get_dashboard(DashboardName=stack)["DashboardBody"])
    del body["widgets"][0]
    cloudwatch.put_dashboard(DashboardName=stack, DashboardBody=json.dumps(body))


def others_watch(stack):
    """A dashboard and an alarm of somebody else's, under the names of ours."""
    widget = {"type": "text", "width": 6, "height": 2, "properties": {"markdown": "sales = good"}}
    client("cloudwatch").put_dashboard(DashboardName=stack, DashboardBody=json.dumps({"widgets": [widget]}))
    client("cloudwatch").put_metric_alarm(
        AlarmName=f"{stack}-list-slow", Namespace="Sales", MetricName="Slow", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip


def raise_alarm(name):
    client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")


def invoke(function):
    """Calls it as Lambda counts it; what comes through the API, the emulator counts not."""
    event = {"httpMethod": "GET", "path": "/list", "resource": "/list", "headers": {}, "requestContext": {}}
    answer = client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return json.load(answer["Payload"])["statusCode"]


COMMANDS = {f.__name__: f for f in (invoke, watch, let_log, blind, others_watch, raise_alarm)}
