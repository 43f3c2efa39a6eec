"""For witness.py: what others do to a stack, which it has to get over."""

import json

import boto3


def client(service):
    return boto3.client(service)


def remake_role(name):
    """Deletes a role and makes it anew, all the same but for the id that IAM gives it."""
    iam, at = client("iam"), {"RoleName": name}
    role = iam.get_role(**at)["Role"]
    tags = iam.list_role_tags(**at)["Tags"]
    policies = iam.list_role_policies(**at)["PolicyNames"]
    documents = {policy: iam.get_role_policy(**at, PolicyName=policy)["PolicyDocument"] for policy in policies}
    for policy in policies:
        iam.delete_role_policy(**at, PolicyName=policy)
    iam.delete_role(**at)
    trust = json.dumps(role["AssumeRolePolicyDocument"])
    iam.create_role(**at, AssumeRolePolicyDocument=trust, Tags=tags)
    for policy, document in documents.items():
        iam.put_role_policy(**at, PolicyName=policy, PolicyDocument=json.dumps(document))
    return {"before": role["RoleId"], "after": iam.get_role(**at)["Role"]["RoleId"]}


def descriptions(function):
    """Of the function and of the version that is live."""
    get = client("lambda").get_function_configuration
    return [get(FunctionName=function).get("Description"), get(FunctionName=function, Qualifier="live").get("Description")]


def twin(bucket):
    """Another bucket with the stack's tags, such as a restore from a backup leaves."""
    s3, name = client("s3"), bucket[:-8] + "twin0000"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": s3.get_bucket_tagging(Bucket=bucket)["TagSet"]})
    return name


def clutter(bucket):
    """Versions, delete markers and uploads in parts, more than a page of each."""
    s3 = client("s3")
    for number in range(1010):
        s3.put_object(Bucket=bucket, Key=f"uploads/{number:04}.jpg", Body=b"x")
    for number in range(0, 1010, 7):
        s3.delete_object(Bucket=bucket, Key=f"uploads/{number:04}.jpg")
        s3.put_object(Bucket=bucket, Key=f"uploads/{number:04}.jpg", Body=b"y")
    for number in range(3):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=f"uploads/parts-{number}")["UploadId"]
        s3.upload_part(Bucket=bucket, Key=f"uploads/parts-{number}", UploadId=upload, PartNumber=1, Body=b"z")
    seen = s3.list_object_versions(Bucket=bucket)
    uploads = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    return {"truncated": seen["IsTruncated"], "uploads": len(uploads)}


COMMANDS = {f.__name__: f for f in (remake_role, descriptions, twin, clutter)}
