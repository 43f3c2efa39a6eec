"""What an independent client, boto3, sees on the embedded AWS. Each command prints JSON."""

import base64
import contextlib
import functools
import json
import re
import sys

import boto3
from botocore.exceptions import ClientError

import damage
import events
import watch


@functools.cache
def client(service):
    return boto3.client(service)


def everything(call, key, **arguments):
    return [item for page in client(call[0]).get_paginator(call[1]).paginate(**arguments) for item in page.get(key, [])]


def object_(bucket, key):
    answer = client("s3").get_object(Bucket=bucket, Key=key)
    return {
        "data": base64.b64encode(answer["Body"].read()).decode(),
        "contentType": answer["ContentType"],
        "contentDisposition": answer.get("ContentDisposition"),
        "metadata": answer["Metadata"],
    }


def objects(bucket):
    return [item["Key"] for item in everything(("s3", "list_objects_v2"), "Contents", Bucket=bucket)]


def record(table, image):
    item = client("dynamodb").get_item(TableName=table, Key={"ImageID": {"S": image}}, ConsistentRead=True).get("Item")
    return {name: next(iter(value.values())) for name, value in item.items()} if item else None


def records(table):
    """Every item, whole."""
    items = everything(("dynamodb", "scan"), "Items", TableName=table, ConsistentRead=True)
    return sorted(items, key=lambda item: item["ImageID"]["S"])


def empty(table):
    """Deletes every item."""
    for item in records(table):
        client("dynamodb").delete_item(TableName=table, Key={"ImageID": item["ImageID"]})


def resources(stack):
    """Everything that is named after the stack, whatever its tags say."""
    found = [name for name in (bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"])]
    found += everything(("dynamodb", "list_tables"), "TableNames")
    found += [item["repositoryName"] for item in everything(("ecr", "describe_repositories"), "repositories")]
    found += [item["RoleName"] for item in everything(("iam", "list_roles"), "Roles")]
    found += [item["FunctionName"] for item in everything(("lambda", "list_functions"), "Functions")]
    found += [item["logGroupName"] for item in everything(("logs", "describe_log_groups"), "logGroups")]
    found += [url.split("/")[-1] for url in everything(("sqs", "list_queues"), "QueueUrls")]
    for call in ("get_rest_apis", "get_api_keys", "get_usage_plans"):
        found += [f"{call} {item['name']}" for item in everything(("apigateway", call), "items")]
    found += [f"alarm {item['AlarmName']}" for item in everything(("cloudwatch", "describe_alarms"), "MetricAlarms")]
    found += [f"user pool {item['Name']}" for item in user_pools()]
    dashboards = everything(("cloudwatch", "list_dashboards"), "DashboardEntries")
    found += [f"dashboard {item['DashboardName']}" for item in dashboards]
    return sorted(name for name in found if stack in name)


def user_pools():
    return client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]


def sign_in(stack):
    """The pool of users of the stack, with its domain, its client and its style."""
    cognito = client("cognito-idp")
    pool = next((pool["Id"] for pool in user_pools() if pool["Name"] == stack), None)
    if pool is None:
        return None
    described = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]
    found = cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"]
    at = [{"UserPoolId": pool, "ClientId": one["ClientId"]} for one in found]
    clients = [cognito.describe_user_pool_client(**one)["UserPoolClient"] for one in at]
    styles = []
    for one in at:
        with contextlib.suppress(cognito.exceptions.ResourceNotFoundException):
            styles.append(cognito.describe_managed_login_branding_by_client(**one)["ManagedLoginBranding"])
    domain = described.get("Domain")
    if domain:
        domain = cognito.describe_user_pool_domain(Domain=domain)["DomainDescription"]
    return {"pool": described, "domain": domain, "clients": clients, "styles": len(styles)}


def unsettle(stack):
    """Changes what is ours of the sign-in, and sets what is somebody else's."""
    cognito, gateway, seen = client("cognito-idp"), client("apigateway"), sign_in(stack)
    pool, one = seen["pool"]["Id"], seen["clients"][0]
    cognito.update_user_pool(
        UserPoolId=pool,
        EmailVerificationSubject="theirs",
        EmailVerificationMessage="the code is {####}",
        Policies={"PasswordPolicy": {"MinimumLength": 16}},
        UserPoolTags={**seen["pool"]["UserPoolTags"], "theirs": "kept"},
        AutoVerifiedAttributes=["email"],
    )
    cognito.update_user_pool_client(
        UserPoolId=pool,
        ClientId=one["ClientId"],
        ReadAttributes=["email"],
        CallbackURLs=["https://theirs.example/"],
        LogoutURLs=["https://theirs.example/"],
        SupportedIdentityProviders=["COGNITO"],
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"],
        AllowedOAuthFlowsUserPoolClient=True,
    )
    style = cognito.describe_managed_login_branding_by_client(UserPoolId=pool, ClientId=one["ClientId"])
    style = style["ManagedLoginBranding"]["ManagedLoginBrandingId"]
    cognito.delete_managed_login_branding(UserPoolId=pool, ManagedLoginBrandingId=style)
    cognito.delete_user_pool_domain(UserPoolId=pool, Domain=seen["pool"]["Domain"])
    api = next(api["id"] for api in everything(("apigateway", "get_rest_apis"), "items") if api["name"] == stack)
    asked = gateway.get_authorizers(restApiId=api)["items"][0]["id"]
    patches = [{"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": "3600"}]
    gateway.update_authorizer(restApiId=api, authorizerId=asked, patchOperations=patches)


def census(stack):
    """Everything of the stack with its parts, each as often as there is one, without what chance drew."""
    names = resources(stack)
    found = [re.sub(r"-images-[a-z0-9]{8}$", "-images", name) for name in names]
    for api in everything(("apigateway", "get_rest_apis"), "items"):
        if api["name"] != stack:
            continue
        gateway, at = client("apigateway"), {"restApiId": api["id"]}
        found += [f"stage {stage['stageName']}" for stage in gateway.get_stages(**at)["item"]]
        found += [f"authorizer {one['name']}" for one in gateway.get_authorizers(**at).get("items", [])]
        found += ["deployment" for _ in everything(("apigateway", "get_deployments"), "items", **at)]
        for resource in everything(("apigateway", "get_resources"), "items", **at, embed=["methods"]):
            found += [f"{verb} {resource['path']}" for verb in resource.get("resourceMethods", {"no method": {}})]
    for plan in everything(("apigateway", "get_usage_plans"), "items"):
        if plan["name"] == stack:
            found += [f"plan of {len(plan.get('apiStages', []))} stage"]
            found += ["plan key" for _ in everything(("apigateway", "get_usage_plan_keys"), "items", usagePlanId=plan["id"])]
    for name in (name for name in names if name.startswith(stack + "-")):
        with contextlib.suppress(client("lambda").exceptions.ResourceNotFoundException):
            policy = json.loads(client("lambda").get_policy(FunctionName=name)["Policy"])
            found += [f"{name} {statement['Sid']}" for statement in policy["Statement"]]
        with contextlib.suppress(client("ecr").exceptions.RepositoryNotFoundException):
            found += [f"{name} image" for _ in everything(("ecr", "describe_images"), "imageDetails", repositoryName=name)]
    pool = sign_in(stack)
    if pool:
        found += [f"domain of version {(pool['domain'] or {}).get('ManagedLoginVersion')}", f"styles: {pool['styles']}"]
        found += [f"client {one['ClientName']}" for one in pool["clients"]]
    for bucket in (name for name in names if name.startswith(f"{stack}-images-")):
        found += [f"notification {item['Id']}" for item in events.notifications(bucket).get("LambdaFunctionConfigurations", [])]
    return sorted(found)


def changes(application):
    """What the client with this application id in its user agent asked for: how many calls, those that change
    something, and those that ECR was sent, with the repository."""
    # The emulator answers the newest fifty, whatever the page.
    sources = ("apigateway", "cloudwatch", "monitoring", "dynamodb", "ecr", "iam", "lambda", "logs", "s3", "sqs", "sts")
    of = lambda source: [{"AttributeKey": "EventSource", "AttributeValue": f"{source}.amazonaws.com"}]
    lookup = client("cloudtrail").lookup_events
    found = [event for source in sources for event in lookup(LookupAttributes=of(source))["Events"]]
    found = [json.loads(event["CloudTrailEvent"]) for event in found]
    found = [event for event in found if f"app/{application}" in event["userAgent"]]
    ours = [call(event) for event in found]
    reads = ("Get", "List", "Describe", "Head", "BatchGet", "BatchCheck", "GET.", "HEAD.")
    ecr = [
        (event["eventName"], event["requestParameters"].get("repositoryName"))
        for event in found
        if event["eventSource"] == "ecr.amazonaws.com"
    ]
    return {
        "all": len(ours),
        "mutating": sorted(name for name in ours if not name.startswith(reads)),
        "ecr": sorted(ecr),
    }


def call(event):
    """Where the trail has no better name than "POST.iam", the form that was posted says the action."""
    return event["requestParameters"].get("Action") or event["eventName"]


def allow_call(function, statement):
    """Lets somebody call the function's alias."""
    at, caller = {"FunctionName": function, "Qualifier": "live"}, "arn:aws:events:us-east-1:000000000000:rule/theirs"
    client("lambda").add_permission(
        **at, StatementId=statement, Action="lambda:InvokeFunction", Principal="events.amazonaws.com", SourceArn=caller
    )


def share(function):
    """How many of the function may run at once, and how many the account lets run."""
    reserved = client("lambda").get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
    return {"reserved": reserved, "limit": client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]}


def drop_alarms(stack):
    names = [item["AlarmName"] for item in everything(("cloudwatch", "describe_alarms"), "MetricAlarms")]
    client("cloudwatch").delete_alarms(AlarmNames=[name for name in names if name.startswith(stack + "-")])


def retag(repository):
    """Has every image bear the tag that earlier versions gave, and no other."""
    ecr = client("ecr")
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="MUTABLE")
    for image in everything(("ecr", "list_images"), "imageIds", repositoryName=repository):
        found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": image["imageDigest"]}])
        manifest, tag = found["images"][0]["imageManifest"], image["imageDigest"].replace(":", "-")
        ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": image["imageDigest"]}])
        ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    return [image["imageTag"] for image in everything(("ecr", "list_images"), "imageIds", repositoryName=repository)]


def api_key(name):
    return next(key["id"] for key in everything(("apigateway", "get_api_keys"), "items") if key["name"] == name)


def security(bucket, table, function):
    s3, dynamodb = client("s3"), client("dynamodb")
    description = dynamodb.describe_table(TableName=table)["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    return {
        "publicAccess": s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        "encryption": s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"],
        "versioning": s3.get_bucket_versioning(Bucket=bucket)["Status"],
        "policy": json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]),
        "cors": s3.get_bucket_cors(Bucket=bucket)["CORSRules"],
        "lifecycle": s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"],
        "billing": description["BillingModeSummary"]["BillingMode"],
        "indexes": {index["IndexName"]: index["KeySchema"] for index in description["GlobalSecondaryIndexes"]},
        "deletionProtection": description["DeletionProtectionEnabled"],
        "ttl": dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"],
        "recovery": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "retention": everything(("logs", "describe_log_groups"), "logGroups", logGroupNamePrefix=f"/aws/lambda/{function}"),
        "caller": json.loads(client("lambda").get_policy(FunctionName=function, Qualifier="live")["Policy"])["Statement"],
    }


def function(name):
    answer = client("lambda").get_function(FunctionName=name)
    return {"configuration": answer["Configuration"], "code": answer["Code"], "tags": answer["Tags"]}


def alias(function):
    """Where `live` points, and the versions that there are."""
    live = client("lambda").get_alias(FunctionName=function, Name="live")
    versions = everything(("lambda", "list_versions_by_function"), "Versions", FunctionName=function)
    return {
        "version": live["FunctionVersion"],
        "description": live["Description"],
        "versions": [one["Version"] for one in versions if one["Version"] != "$LATEST"],
    }


def add_alias(function, name, version):
    client("lambda").create_alias(FunctionName=function, Name=name, FunctionVersion=version)
    return None


def images(repository):
    return sorted(image["imageDigest"] for image in everything(("ecr", "list_images"), "imageIds", repositoryName=repository))


def layers(repository):
    """The size of each layer of each image, and of its configuration; null for one that is not there."""
    found = {}
    for digest in images(repository):
        manifest = json.loads(image(repository, digest)["manifest"])
        digests = [part["digest"] for part in [manifest["config"], *manifest["layers"]]]
        answer = client("ecr").batch_check_layer_availability(repositoryName=repository, layerDigests=digests)
        for layer in answer["layers"]:
            found[layer["layerDigest"]] = layer["layerSize"] if layer["layerAvailability"] == "AVAILABLE" else None
    return found


def widen(repository):
    """Adds a statement to the repository's policy and spoils ours."""
    policy = json.loads(client("ecr").get_repository_policy(repositoryName=repository)["policyText"])
    policy["Statement"][0]["Condition"] = {}
    policy["Statement"].append({"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "ecr:ListImages"})
    client("ecr").set_repository_policy(repositoryName=repository, policyText=json.dumps(policy))
    return None


def pull_policy(repository):
    policy = json.loads(client("ecr").get_repository_policy(repositoryName=repository)["policyText"])
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def image(repository, digest):
    answer = client("ecr").batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    manifest = answer["images"][0]
    settings = client("ecr").describe_repositories(repositoryNames=[repository])["repositories"][0]
    return {
        "manifest": manifest["imageManifest"],
        "tag": manifest["imageId"].get("imageTag"),
        "mutability": settings["imageTagMutability"],
        "scanOnPush": settings["imageScanningConfiguration"]["scanOnPush"],
    }


def meddle(bucket, table, function, group):
    """Changes one thing of each behind provision's back."""
    client("s3").delete_public_access_block(Bucket=bucket)
    client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags_with_theirs(bucket)})
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "theirs/"}, "Expiration": {"Days": 9}}
    client("s3").put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [theirs]})
    theirs = {"ID": "theirs", "AllowedOrigins": ["https://theirs.example"], "AllowedMethods": ["GET"]}
    client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [theirs]})
    client("dynamodb").update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": False, "AttributeName": "ExpiresAt"}
    )
    client("lambda").update_function_configuration(FunctionName=function, MemorySize=1024)
    client("logs").put_retention_policy(logGroupName=group, retentionInDays=1)
    return None


def rules(bucket):
    """Ids of the bucket's lifecycle and CORS rules."""
    lifecycle = client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    cors = client("s3").get_bucket_cors(Bucket=bucket)["CORSRules"]
    return [[rule.get("ID") for rule in lifecycle], [rule.get("ID") for rule in cors]]


def tags_with_theirs(bucket):
    return client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"] + [{"Key": "theirs", "Value": "kept"}]


def tags(bucket):
    return {tag["Key"]: tag["Value"] for tag in client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]}


def foreign(table):
    """A table of that name that is not CloudPix's."""
    client("dynamodb").create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "ImageID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "ImageID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return None


def versioned_bucket(name):
    client("s3").create_bucket(Bucket=name)
    client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def write(bucket, key, text):
    client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())


def user(name, policy):
    """A user who may do what the policy says, and no more."""
    iam = client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="test", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def role_session(name, policy):
    """Credentials of a role as IAM Identity Center makes it, in a path that the session's ARN has not."""
    iam, account = client("iam"), client("sts").get_caller_identity()["Account"]
    trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName=name, Path="/aws-reserved/sso.amazonaws.com/", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=name, PolicyName="test", PolicyDocument=policy)
    taken = client("sts").assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="jane@example.com")["Credentials"]
    names = {"id": "AccessKeyId", "secret": "SecretAccessKey", "token": "SessionToken"}
    return {field: taken[name] for field, name in names.items()}


def session():
    """Credentials that end, as most people's do."""
    credentials = client("sts").get_session_token()["Credentials"]
    names = {"id": "AccessKeyId", "secret": "SecretAccessKey", "token": "SessionToken"}
    return {name: credentials[field] for name, field in names.items()}


def log_lines(stack):
    """What every function of the stack has said."""
    groups = everything(("logs", "describe_log_groups"), "logGroups", logGroupNamePrefix=f"/aws/lambda/{stack}-")
    found = (everything(("logs", "filter_log_events"), "events", logGroupName=group["logGroupName"]) for group in groups)
    return [event["message"] for events in found for event in events]


def refusal(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def plain_http(bucket):
    """Answers to an administrator's requests without TLS, under the policy as it is and as it is on AWS.

    Not to the account's own key: the emulator lets that do everything, and AWS does not.
    """
    all_ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    key = user(f"admin-of-{bucket}", json.dumps(all_))
    bare = {"Bucket": bucket}
    policy = json.loads(client("s3").get_bucket_policy(**bare)["Policy"])
    s3 = boto3.client("s3", aws_access_key_id=key["id"], aws_secret_access_key=key["secret"])
    calls = {
        "list": lambda: s3.list_objects_v2(**bare),
        "get": lambda: s3.get_object(**bare, Key="uploads/none"),
        "put": lambda: s3.put_object(**bare, Key="uploads/none", Body=b"plain"),
    }
    here = {name: refusal(call) for name, call in calls.items()}
    exempt = policy["Statement"][0]["Condition"].pop("NotIpAddress")
    client("s3").put_bucket_policy(**bare, Policy=json.dumps(policy))
    on_aws = {name: refusal(call) for name, call in calls.items()}
    return {"policy": policy, "exempt": exempt, "here": here, "onAws": on_aws}


def expose(bucket):
    """Answers to all the ways to make a bucket or an object public."""
    s3, bare, key = client("s3"), {"Bucket": bucket}, "uploads/exposed"
    read = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [read]})
    everyone = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
    return {
        "bucket ACL": refusal(lambda: s3.put_bucket_acl(**bare, ACL="public-read")),
        "bucket grant": refusal(lambda: s3.put_bucket_acl(**bare, GrantRead=everyone)),
        "object with ACL": refusal(lambda: s3.put_object(**bare, Key=key, Body=b"", ACL="public-read")),
        "object with grant": refusal(lambda: s3.put_object(**bare, Key=key, Body=b"", GrantRead=everyone)),
        "policy": refusal(lambda: s3.put_bucket_policy(**bare, Policy=policy)),
    }


def drop_buckets(prefix):
    for bucket in client("s3").list_buckets(Prefix=prefix)["Buckets"]:
        client("s3").delete_bucket(Bucket=bucket["Name"])


def drift(stack, bucket, api):
    """Changes every managed field of some resource of each kind, and adds what is others'."""
    s3, dynamodb, iam, ecr = client("s3"), client("dynamodb"), client("iam"), client("ecr")
    functions, logs, gateway = client("lambda"), client("logs"), client("apigateway")
    tags = [tag for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"] if tag["Key"] != "cloudpix:env"]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [*tags, {"Key": "theirs", "Value": "kept"}]})
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [kms]})
    s3.delete_bucket_policy(Bucket=bucket)
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 9}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [*rules, theirs]})
    rules = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    theirs = {"ID": "theirs", "AllowedOrigins": ["https://theirs.example"], "AllowedMethods": ["DELETE"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [*rules, theirs]})

    table = f"{stack}-metadata"
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    tags = [{"Key": "cloudpix:env", "Value": "stolen"}, {"Key": "theirs", "Value": "kept"}]
    dynamodb.tag_resource(ResourceArn=arn, Tags=tags)
    dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": False, "AttributeName": "ExpiresAt"}
    )
    dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "OwnerIndex"}}])
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    index = {"IndexName": "UploadDateIndex", "ProvisionedThroughput": units}
    dynamodb.update_table(
        TableName=table,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units,
        GlobalSecondaryIndexUpdates=[{"Update": index}],
    )

    name = f"{stack}-upload"
    logs.delete_retention_policy(logGroupName=f"/aws/lambda/{name}")
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    logs.untag_resource(
        resourceArn=arn.replace(":lambda:", ":logs:").replace(f"function:{name}", f"log-group:/aws/lambda/{name}"),
        tagKeys=["cloudpix:env"],
    )
    role = functions.get_function(FunctionName=name)["Configuration"]["Role"].split("/")[-1]
    everything_allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="cloudpix", PolicyDocument=json.dumps(everything_allowed))
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(
        RoleName=role, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    iam.untag_role(RoleName=role, TagKeys=["cloudpix:env"])
    iam.tag_role(RoleName=role, Tags=[{"Key": "theirs", "Value": "kept"}])
    ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="MUTABLE")
    ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration={"scanOnPush": False})
    ecr.delete_lifecycle_policy(repositoryName=name)
    variables = functions.get_function(FunctionName=name)["Configuration"]["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name,
        MemorySize=1024,
        Timeout=3,
        Environment={"Variables": {**variables, "CLOUDPIX_TABLE": "another"}},
    )
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
    functions.untag_resource(Resource=arn, TagKeys=["cloudpix:env"])
    functions.tag_resource(Resource=arn, Tags={"theirs": "kept"})
    at = {"FunctionName": name, "Qualifier": "live"}
    statement = json.loads(functions.get_policy(**at)["Policy"])["Statement"][0]["Sid"]
    functions.remove_permission(StatementId=statement, **at)
    for statement in ("cloudpix-GET-old", "theirs"):
        functions.add_permission(
            FunctionName=name,
            StatementId=statement,
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=arn.replace(":lambda:", ":execute-api:").replace(f"function:{name}", f"{api}/v1/GET/old"),
        )

    gateway.update_rest_api(
        restApiId=api, patchOperations=[{"op": "replace", "path": "/description", "value": "mine now"}]
    )
    gateway.update_rest_api(
        restApiId=api, patchOperations=[{"op": "replace", "path": "/minimumCompressionSize", "value": "0"}]
    )
    paths = {item["path"]: item["id"] for item in everything(("apigateway", "get_resources"), "items", restApiId=api)}
    gateway.delete_method(restApiId=api, resourceId=paths["/list"], httpMethod="GET")
    at = {"restApiId": api, "resourceId": paths["/upload"], "httpMethod": "POST"}
    uri = gateway.get_integration(**at)["uri"]
    gateway.delete_method(**at)
    gateway.put_method(**at, authorizationType="NONE", apiKeyRequired=False)
    gateway.put_integration(**at, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.delete_gateway_response(restApiId=api, responseType="THROTTLED")
    throttle = {"/*/*/throttling/rateLimit": "9999", "/*/*/throttling/burstLimit": "4999"}
    patches = [{"op": "replace", "path": path, "value": value} for path, value in throttle.items()]
    gateway.update_stage(restApiId=api, stageName="v1", patchOperations=patches)
    key = next(item["id"] for item in everything(("apigateway", "get_api_keys"), "items") if item["name"] == stack)
    plans = everything(("apigateway", "get_usage_plans"), "items")
    plan = next(item["id"] for item in plans if item["name"] == stack)
    gateway.delete_usage_plan_key(usagePlanId=plan, keyId=key)


def theirs(stack, bucket):
    """Of what `drift` changed, what is not CloudPix's."""
    s3, table = client("s3"), client("dynamodb").describe_table(TableName=f"{stack}-metadata")["Table"]["TableArn"]
    function = client("lambda").get_function(FunctionName=f"{stack}-upload")
    role = function["Configuration"]["Role"].split("/")[-1]
    tags = client("dynamodb").list_tags_of_resource(ResourceArn=table)["Tags"]
    return {
        "bucket": [tag for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"] if tag["Key"] == "theirs"],
        "table": [tag for tag in tags if tag["Key"] == "theirs"],
        "role": [tag for tag in client("iam").list_role_tags(RoleName=role)["Tags"] if tag["Key"] == "theirs"],
        "function": function["Tags"].get("theirs"),
        "permissions": [
            statement
            for statement in json.loads(client("lambda").get_policy(FunctionName=f"{stack}-upload")["Policy"])["Statement"]
            if statement["Sid"] == "theirs"
        ],
        "lifecycle": [
            rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] if rule["ID"] == "theirs"
        ],
        "cors": [rule for rule in s3.get_bucket_cors(Bucket=bucket)["CORSRules"] if rule.get("ID") == "theirs"],
    }


COMMANDS = {"object": object_, **{f.__name__: f for f in (objects, record, resources, changes, security, function, image)}}
COMMANDS |= {f.__name__: f for f in (alias, add_alias, images, layers, widen, pull_policy, api_key, role_session, allow_call, share, drop_alarms, retag)}
COMMANDS |= {f.__name__: f for f in (drift, theirs, census, sign_in, unsettle, drop_buckets, records, empty, meddle, tags, foreign, user)}
COMMANDS |= {f.__name__: f for f in (versioned_bucket, write, rules, session, log_lines, plain_http, expose)}
COMMANDS |= watch.COMMANDS | damage.COMMANDS | events.COMMANDS

if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:]), default=str))
    # Asked line by line, it need not be started for each question.
    for line in () if sys.argv[1:] else sys.stdin:
        command, *arguments = json.loads(line)
        print(json.dumps(COMMANDS[command](*arguments), default=str), flush=True)
