"""For witness.py: what new objects start, and the queue of what failed at it."""

import json

import boto3


def client(service):
    return boto3.client(service)


def queue_url(stack):
    return client("sqs").get_queue_url(QueueName=f"{stack}-process-dead-letters")["QueueUrl"]


def notifications(bucket):
    """All of a bucket's, ours and others'."""
    found = client("s3").get_bucket_notification_configuration(Bucket=bucket)
    return {key: value for key, value in found.items() if key != "ResponseMetadata"}


def foreign_notifications(bucket, stack):
    """One to a queue of somebody else, one to a function under another prefix, and EventBridge, beside ours."""
    s3, sqs, functions = client("s3"), client("sqs"), client("lambda")
    url = sqs.create_queue(QueueName=f"theirs-{stack}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    may = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = {"Version": "2012-10-17", "Statement": [may]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    prefix = lambda value: {"Key": {"FilterRules": [{"Name": "prefix", "Value": value}]}}
    ours = notifications(bucket)
    of_functions = ours["LambdaFunctionConfigurations"]
    theirs = {"Id": "theirs", "Events": ["s3:ObjectRemoved:*"], "Filter": prefix("x/")}
    theirs["LambdaFunctionArn"] = of_functions[0]["LambdaFunctionArn"]
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [*of_functions, theirs],
            "QueueConfigurations": [
                {"Id": "theirs too", "QueueArn": arn, "Events": ["s3:ObjectRemoved:*"], "Filter": prefix("y/")}
            ],
            "EventBridgeConfiguration": {},
        },
    )
    return notifications(bucket)


def drift_events(stack, bucket):
    """Changes every managed field of the queue, of our notification, of who may call and of where failures go."""
    sqs, s3, functions = client("sqs"), client("s3"), client("lambda")
    url = queue_url(stack)
    sqs.untag_queue(QueueUrl=url, TagKeys=["cloudpix:env"])
    sqs.tag_queue(QueueUrl=url, Tags={"theirs": "kept"})
    changed = {"MessageRetentionPeriod": "60", "VisibilityTimeout": "0", "SqsManagedSseEnabled": "false", "Policy": ""}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=changed)
    found = notifications(bucket)
    ours = next(item for item in found["LambdaFunctionConfigurations"] if item["Id"] == "cloudpix-process")
    ours["Events"] = ["s3:ObjectCreated:Copy"]
    ours["Filter"]["Key"]["FilterRules"] = [{"Name": "prefix", "Value": "elsewhere/"}]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=found)
    at = {"FunctionName": f"{stack}-process", "Qualifier": "live", "StatementId": "CloudpixObjects"}
    functions.remove_permission(**at)
    # Without the account, as a console once wrote it.
    functions.add_permission(
        **at, Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", SourceArn=f"arn:aws:s3:::{bucket}"
    )
    functions.update_function_configuration(FunctionName=f"{stack}-process", DeadLetterConfig={"TargetArn": ""})
    return sqs.list_queue_tags(QueueUrl=url)["Tags"]


def queue_tags(stack):
    return client("sqs").list_queue_tags(QueueUrl=queue_url(stack))["Tags"]


def dead_letters(stack, *bodies):
    """Puts these into the queue, as Lambda does what failed."""
    for body in bodies:
        client("sqs").send_message(QueueUrl=queue_url(stack), MessageBody=body)


def waiting(stack):
    """How many messages are in the queue, those in flight included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client("sqs").get_queue_attributes(QueueUrl=queue_url(stack), AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def put_record(table, image, status, *attributes):
    """A record of which no more is there than says how far it has come."""
    item = {"ImageID": image, "ImageStatus": status, **dict.fromkeys(attributes, "webp:")}
    client("dynamodb").put_item(TableName=table, Item={name: {"S": value} for name, value in item.items()})


def hide_record(table, image):
    """What a deletion does first, long ago; then it broke off."""
    client("dynamodb").update_item(
        TableName=table,
        Key={"ImageID": {"S": image}},
        UpdateExpression="SET ImageStatus = :status, #owner = :owner, UploadOrder = :order REMOVE UploadDate",
        ExpressionAttributeNames={"#owner": "Owner"},
        ExpressionAttributeValues={
            ":status": {"S": "deleting"},
            ":owner": {"S": "#deleting"},
            ":order": {"S": f"2026-01-01T00:00:00.000Z#{image}"},
        },
    )


def versions(bucket, key):
    """How many versions of an object are kept, delete markers apart."""
    return len(client("s3").list_object_versions(Bucket=bucket, Prefix=key).get("Versions", []))


def copy_back(bucket, key):
    """Copies the newest version onto its key, as somebody who wants a deleted image back does."""
    newest = client("s3").list_object_versions(Bucket=bucket, Prefix=key)["Versions"][0]["VersionId"]
    client("s3").copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key, "VersionId": newest})


def put_file(bucket, key, path):
    client("s3").upload_file(path, bucket, key)


FUNCTIONS = (
    notifications, foreign_notifications, drift_events, queue_tags, dead_letters, waiting, put_record,
    hide_record, versions, copy_back, put_file,
)
COMMANDS = {f.__name__: f for f in FUNCTIONS}
