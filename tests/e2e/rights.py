"""What a function's role may do and what not, tried out with credentials of that role.

Called as: rights.py STACK BUCKET FUNCTION SIBLING, where SIBLING is another function. Prints JSON: the answer to each
call that the function needs, and to each of a sample that it does not; "done", or the error's code. `STACK-other` is
made and goes again.
"""

import contextlib
import json
import sys

import boto3
from botocore.exceptions import ClientError

STACK, BUCKET, FUNCTION, SIBLING = sys.argv[1:]
TABLE, ACCESS, OTHER = f"{STACK}-metadata", f"{STACK}-access", f"{STACK}-other"
A_KEY = {"Key": {"S": "key#00"}}
THUMBNAIL = "thumbnails/01a2069e-dd76-72f0-8fe1-7584d39ddc0d/160.webp"
KEY = "uploads/01a2069e-dd76-72f0-8fe1-7584d39ddc0d.jpg"
ID = {"ImageID": {"S": "01a2069e-dd76-72f0-8fe1-7584d39ddc0d"}}
ROLE = next(
    role["Arn"] for role in boto3.client("iam").list_roles()["Roles"] if role["RoleName"].startswith(f"{STACK}-{FUNCTION}-")
)
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})


def outcome(call):
    try:
        call()
        return "done"
    except ClientError as error:
        return error.response["Error"]["Code"]


@contextlib.contextmanager
def trusted(role):
    """The role may be taken by this account too, for a while: else none but Lambda may."""
    iam, name = boto3.client("iam"), role.split("/")[-1]
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    ours = {"Effect": "Allow", "Principal": {"AWS": role.split(":")[4]}, "Action": "sts:AssumeRole"}
    widened = {**before, "Statement": [*before["Statement"], ours]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(widened))
    try:
        yield
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))


@contextlib.contextmanager
def others():
    """A bucket and a table of somebody else, with an object and an item, so that only rights are missing."""
    s3, dynamodb, sqs = boto3.client("s3"), boto3.client("dynamodb"), boto3.client("sqs")
    queue = sqs.create_queue(QueueName=OTHER)["QueueUrl"]
    s3.create_bucket(Bucket=OTHER)
    s3.put_object(Bucket=OTHER, Key=KEY, Body=b"theirs")
    s3.put_object(Bucket=BUCKET, Key="private/notes", Body=b"theirs")
    dynamodb.create_table(
        TableName=OTHER,
        AttributeDefinitions=[{"AttributeName": "ImageID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "ImageID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        yield
    finally:
        s3.delete_object(Bucket=OTHER, Key=KEY)
        s3.delete_bucket(Bucket=OTHER)
        dynamodb.delete_table(TableName=OTHER)
        sqs.delete_queue(QueueUrl=queue)


@contextlib.contextmanager
def administrator():
    """The token service, for a user who may do everything: the account's own key is trusted by all."""
    iam, user = boto3.client("iam"), {"UserName": f"{STACK}-{FUNCTION}-admin"}
    iam.create_user(**user)
    iam.put_user_policy(**user, PolicyName="everything", PolicyDocument=EVERYTHING)
    key = iam.create_access_key(**user)["AccessKey"]
    yield boto3.client("sts", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])


def query(dynamodb, table, index=None):
    key = {"OwnerIndex": ("Owner", "public"), "UploadDateIndex": ("UploadDate", "2026-11-23")}.get(
        index, ("ImageID", ID["ImageID"]["S"])
    )
    more = {"IndexName": index} if index else {}
    return dynamodb.query(
        TableName=table,
        KeyConditionExpression="#key = :value",
        ExpressionAttributeNames={"#key": key[0]},
        ExpressionAttributeValues={":value": {"S": key[1]}},
        **more,
    )


def write_logs(logs, function):
    group = f"/aws/lambda/{STACK}-{function}"
    logs.create_log_stream(logGroupName=group, logStreamName=f"rights-of-{FUNCTION}")
    event = {"timestamp": 1_795_000_000_000, "message": "tried"}
    logs.put_log_events(logGroupName=group, logStreamName=f"rights-of-{FUNCTION}", logEvents=[event])


def send(sqs, name):
    return sqs.send_message(QueueUrl=boto3.client("sqs").get_queue_url(QueueName=name)["QueueUrl"], MessageBody="{}")


def needed(s3, dynamodb, logs, sqs):
    """In an order in which each finds what it is about."""
    bump = {"UpdateExpression": "SET Size = :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    item = {"TableName": TABLE, "Item": {**ID, "Owner": {"S": "public"}}}
    records = {
        "dynamodb:PutItem": lambda: dynamodb.put_item(**item, ConditionExpression="attribute_not_exists(ImageID)"),
        "dynamodb:GetItem": lambda: dynamodb.get_item(TableName=TABLE, Key=ID, ConsistentRead=True),
        "dynamodb:UpdateItem": lambda: dynamodb.update_item(TableName=TABLE, Key=ID, **bump),
        "dynamodb:DeleteItem": lambda: dynamodb.delete_item(TableName=TABLE, Key=ID),
    }
    own = {
        "upload": {
            "s3:PutObject": lambda: s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"mine", IfNoneMatch="*"),
            "s3:GetObject": lambda: s3.get_object(Bucket=BUCKET, Key=KEY),
            "s3:DeleteObject": lambda: s3.delete_object(Bucket=BUCKET, Key=KEY),
            "s3:DeleteObject, a thumbnail": lambda: s3.delete_object(Bucket=BUCKET, Key=THUMBNAIL),
            **records,
        },
        "list": {
            "dynamodb:Query OwnerIndex": lambda: query(dynamodb, TABLE, "OwnerIndex"),
            "dynamodb:Query UploadDateIndex": lambda: query(dynamodb, TABLE, "UploadDateIndex"),
            "dynamodb:GetItem": lambda: dynamodb.get_item(TableName=TABLE, Key=ID, ConsistentRead=True),
            "s3:GetObject": lambda: s3.get_object(Bucket=BUCKET, Key="uploads/there.jpg"),
            "s3:GetObject, a thumbnail": lambda: s3.get_object(Bucket=BUCKET, Key="thumbnails/there.webp"),
        },
        "process": {
            "s3:PutObject": lambda: s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"mine"),
            "s3:GetObject": lambda: s3.get_object(Bucket=BUCKET, Key=KEY),
            "s3:DeleteObjectVersion": lambda: s3.delete_object(Bucket=BUCKET, Key=KEY, VersionId="null"),
            "s3:DeleteObject": lambda: s3.delete_object(Bucket=BUCKET, Key=KEY),
            "s3:PutObject, a thumbnail": lambda: s3.put_object(Bucket=BUCKET, Key=THUMBNAIL, Body=b"mine"),
            "s3:DeleteObject, a thumbnail": lambda: s3.delete_object(Bucket=BUCKET, Key=THUMBNAIL),
            "s3:ListBucket": lambda: s3.list_objects_v2(Bucket=BUCKET),
            "sqs:SendMessage": lambda: send(sqs, f"{STACK}-process-dead-letters"),
            **records,
        },
    }
    used = {"ExpressionAttributeNames": {"#used": "LastUsed"}, "ExpressionAttributeValues": {":now": {"S": "now"}}}
    own["authorize"] = {
        "dynamodb:GetItem": lambda: dynamodb.get_item(TableName=ACCESS, Key=A_KEY, ConsistentRead=True),
        "dynamodb:UpdateItem": lambda: dynamodb.update_item(
            TableName=ACCESS, Key=A_KEY, UpdateExpression="SET #used = :now", **used
        ),
    }
    return {**own[FUNCTION], "logs": lambda: write_logs(logs, FUNCTION)}


def needless(client):
    s3, dynamodb, logs, functions, sqs = (client(name) for name in ("s3", "dynamodb", "logs", "lambda", "sqs"))
    iam, role = client("iam"), ROLE.split("/")[-1]
    at = {"FunctionName": f"{STACK}-{SIBLING}"}
    queue = boto3.client("sqs").get_queue_url(QueueName=f"{STACK}-process-dead-letters")["QueueUrl"]
    public = json.dumps({"Version": "2012-10-17", "Statement": []})
    of_both = {
        "s3:ListAllMyBuckets": lambda: s3.list_buckets(),
        "s3:ListBucket": lambda: s3.list_objects_v2(Bucket=OTHER),
        "s3:ListBucketVersions": lambda: s3.list_object_versions(Bucket=BUCKET),
        "s3:GetObject, another prefix": lambda: s3.get_object(Bucket=BUCKET, Key="private/notes"),
        "s3:PutObject, another prefix": lambda: s3.put_object(Bucket=BUCKET, Key="private/more", Body=b"mine"),
        "s3:DeleteObject, another prefix": lambda: s3.delete_object(Bucket=BUCKET, Key="private/notes"),
        "s3:GetObject, another bucket": lambda: s3.get_object(Bucket=OTHER, Key=KEY),
        "s3:PutObject, another bucket": lambda: s3.put_object(Bucket=OTHER, Key="uploads/more", Body=b"mine"),
        "s3:PutBucketPolicy": lambda: s3.put_bucket_policy(Bucket=BUCKET, Policy=public),
        "s3:DeleteBucketPolicy": lambda: s3.delete_bucket_policy(Bucket=BUCKET),
        "s3:PutBucketPublicAccessBlock": lambda: s3.delete_public_access_block(Bucket=BUCKET),
        "s3:DeleteBucket": lambda: s3.delete_bucket(Bucket=OTHER),
        "dynamodb:Scan": lambda: dynamodb.scan(TableName=TABLE),
        "dynamodb:Query, the table": lambda: query(dynamodb, TABLE),
        "dynamodb:GetItem, another table": lambda: dynamodb.get_item(TableName=OTHER, Key=ID),
        "dynamodb:PutItem, another table": lambda: dynamodb.put_item(TableName=OTHER, Item=ID),
        "dynamodb:UpdateTable": lambda: dynamodb.update_table(TableName=TABLE, DeletionProtectionEnabled=False),
        "dynamodb:DeleteTable": lambda: dynamodb.delete_table(TableName=OTHER),
        "dynamodb:ListTables": lambda: dynamodb.list_tables(),
        "logs, another function's": lambda: write_logs(logs, SIBLING),
        "logs:CreateLogGroup": lambda: logs.create_log_group(logGroupName=f"/aws/lambda/{OTHER}"),
        "logs:DeleteLogGroup": lambda: logs.delete_log_group(logGroupName=f"/aws/lambda/{STACK}-{FUNCTION}"),
        "logs:FilterLogEvents": lambda: logs.filter_log_events(logGroupName=f"/aws/lambda/{STACK}-{SIBLING}"),
        "lambda:InvokeFunction": lambda: functions.invoke(**at, Payload=b"{}"),
        "lambda:UpdateFunctionConfiguration": lambda: functions.update_function_configuration(**at, Timeout=9),
        "lambda:DeleteFunction": lambda: functions.delete_function(**at),
        "iam:PutRolePolicy": lambda: iam.put_role_policy(RoleName=role, PolicyName="cloudpix", PolicyDocument=EVERYTHING),
        "iam:ListRoles": lambda: iam.list_roles(),
        "sts:AssumeRole": lambda: client("sts").assume_role(
            RoleArn=ROLE.replace(f"-{FUNCTION}-", f"-{SIBLING}-"), RoleSessionName="climb"
        ),
        "sqs:SendMessage, another queue": lambda: send(sqs, OTHER),
        "sqs:ReceiveMessage": lambda: sqs.receive_message(QueueUrl=queue),
        "sqs:PurgeQueue": lambda: sqs.purge_queue(QueueUrl=queue),
        "ecr:GetAuthorizationToken": lambda: client("ecr").get_authorization_token(),
        "apigateway:GET keys": lambda: client("apigateway").get_api_keys(includeValues=True),
    }
    of_one = {
        "upload": {
            "s3:ListBucket, ours": lambda: s3.list_objects_v2(Bucket=BUCKET),
            "s3:PutObject, a thumbnail": lambda: s3.put_object(Bucket=BUCKET, Key=THUMBNAIL, Body=b"mine"),
            "dynamodb:Query": lambda: query(dynamodb, TABLE, "OwnerIndex"),
            "s3:DeleteObjectVersion": lambda: s3.delete_object(Bucket=BUCKET, Key=KEY, VersionId="null"),
            "s3:PutObjectAcl": lambda: s3.put_object_acl(Bucket=BUCKET, Key="uploads/there.jpg", ACL="private"),
            "s3:PutObjectTagging": lambda: s3.put_object_tagging(
                Bucket=BUCKET, Key="uploads/there.jpg", Tagging={"TagSet": []}
            ),
        },
        "process": {
            "dynamodb:Query": lambda: query(dynamodb, TABLE, "OwnerIndex"),
            "s3:GetObject, a thumbnail": lambda: s3.get_object(Bucket=BUCKET, Key="thumbnails/there.webp"),
            "s3:DeleteObjectVersion, a thumbnail": lambda: s3.delete_object(
                Bucket=BUCKET, Key=THUMBNAIL, VersionId="null"
            ),
            "s3:PutBucketNotification": lambda: s3.put_bucket_notification_configuration(
                Bucket=BUCKET, NotificationConfiguration={}
            ),
        },
        "list": {
            "s3:ListBucket, ours": lambda: s3.list_objects_v2(Bucket=BUCKET),
            "sqs:SendMessage": lambda: send(sqs, f"{STACK}-process-dead-letters"),
            "s3:DeleteObject, a thumbnail": lambda: s3.delete_object(Bucket=BUCKET, Key="thumbnails/there.webp"),
            "s3:PutObject": lambda: s3.put_object(Bucket=BUCKET, Key="uploads/more", Body=b"mine"),
            "s3:DeleteObject": lambda: s3.delete_object(Bucket=BUCKET, Key="uploads/there.jpg"),
            "dynamodb:PutItem": lambda: dynamodb.put_item(TableName=TABLE, Item=ID),
            "dynamodb:UpdateItem": lambda: dynamodb.update_item(TableName=TABLE, Key=ID),
            "dynamodb:DeleteItem": lambda: dynamodb.delete_item(TableName=TABLE, Key=ID),
        },
    }
    of_one["authorize"] = {
        "dynamodb:PutItem, a key": lambda: dynamodb.put_item(TableName=ACCESS, Item=A_KEY),
        "dynamodb:DeleteItem, a key": lambda: dynamodb.delete_item(TableName=ACCESS, Key=A_KEY),
        "dynamodb:Scan, keys": lambda: dynamodb.scan(TableName=ACCESS),
        "dynamodb:Query, keys": lambda: query(dynamodb, ACCESS, "OwnerIndex"),
        "dynamodb:GetItem, an image": lambda: dynamodb.get_item(TableName=TABLE, Key=ID),
        "dynamodb:UpdateItem, an image": lambda: dynamodb.update_item(TableName=TABLE, Key=ID),
        "dynamodb:Query, images": lambda: query(dynamodb, TABLE, "OwnerIndex"),
        "s3:GetObject": lambda: s3.get_object(Bucket=BUCKET, Key="uploads/there.jpg"),
        "s3:ListBucket, ours": lambda: s3.list_objects_v2(Bucket=BUCKET),
        "cognito-idp:ListUserPools": lambda: client("cognito-idp").list_user_pools(MaxResults=1),
    }
    return {**of_both, **of_one[FUNCTION]}


def main():
    for key in ("uploads/there.jpg", "thumbnails/there.webp"):
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"there")
    with administrator() as sts, others():
        role = {"RoleArn": ROLE, "RoleSessionName": "rights"}
        answers = {"untrusted": outcome(lambda: sts.assume_role(**role))}
        with trusted(ROLE):
            credentials = sts.assume_role(**role)["Credentials"]
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        as_role = boto3.Session(*(credentials[name] for name in names)).client
        calls = {"needed": needed(*(as_role(name) for name in ("s3", "dynamodb", "logs", "sqs"))), "needless": needless(as_role)}
        for kind, attempts in calls.items():
            answers[kind] = {name: outcome(call) for name, call in attempts.items()}
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
