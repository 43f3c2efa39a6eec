"""The functions in Python, to compare with: boto3 on AWS's runtime interface client."""

import base64
import hashlib
import io
import json
import os
import urllib.parse
import uuid
from datetime import datetime, timezone

import boto3
from botocore.config import Config
from PIL import Image

BUCKET, TABLE = os.environ["CLOUDPIX_BUCKET"], os.environ["CLOUDPIX_TABLE"]
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
s3 = boto3.client("s3", endpoint_url=ENDPOINT, config=Config(signature_version="s3v4"))
dynamodb = boto3.client("dynamodb", endpoint_url=ENDPOINT)
FORMATS = {"JPEG": ("image/jpeg", "jpg"), "PNG": ("image/png", "png")}


def handler(event, _context):
    status, body = (201, upload(event)) if event["resource"] == "/upload" else (200, page())
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body), "isBase64Encoded": False}


def upload(event):
    if event["isBase64Encoded"]:
        name = event["queryStringParameters"]["fileName"]
        data = base64.b64decode(event["body"])
    else:
        asked = json.loads(event["body"])
        name = asked["fileName"]
        data = base64.b64decode(asked["data"], validate=True)
    with Image.open(io.BytesIO(data)) as image:
        (width, height), (media_type, extension) = image.size, FORMATS[image.format]
    sha256 = hashlib.sha256(data)
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    image_id = str(uuid.uuid4())
    key = f"uploads/{image_id}.{extension}"
    url = download_url(key, name)
    s3.put_object(
        Bucket=BUCKET,
        Key=key,
        Body=data,
        ContentType=media_type,
        IfNoneMatch="*",
        ChecksumSHA256=base64.b64encode(sha256.digest()).decode(),
        Metadata={
            "file-name": urllib.parse.quote(name),
            "width": str(width),
            "height": str(height),
            "uploaded-at": now,
            "sha256": sha256.hexdigest(),
        },
    )
    dynamodb.put_item(
        TableName=TABLE,
        Item={
            "ImageID": {"S": image_id},
            "FileName": {"S": name},
            "ContentType": {"S": media_type},
            "Size": {"N": str(len(data))},
            "Width": {"N": str(width)},
            "Height": {"N": str(height)},
            "Sha256": {"S": sha256.hexdigest()},
            "S3ObjectKey": {"S": key},
            "ImageStatus": {"S": "ready"},
            "CreatedAt": {"S": now},
            "UploadDate": {"S": now[:10]},
            "UploadOrder": {"S": f"{now}#{image_id}"},
            "Owner": {"S": "public"},
        },
        ConditionExpression="attribute_not_exists(ImageID)",
    )
    return view(image_id, name, media_type, len(data), width, height, sha256.hexdigest(), now, url)


def page():
    answer = dynamodb.query(
        TableName=TABLE,
        IndexName="OwnerIndex",
        KeyConditionExpression="#owner = :owner",
        ExpressionAttributeNames={"#owner": "Owner"},
        ExpressionAttributeValues={":owner": {"S": "public"}},
        ScanIndexForward=False,
        Limit=50,
    )
    images = []
    for item in answer["Items"]:
        text = lambda name: item[name]["S"]
        number = lambda name: int(item[name]["N"])
        url = download_url(text("S3ObjectKey"), text("FileName"))
        images.append(
            view(
                text("ImageID"),
                text("FileName"),
                text("ContentType"),
                number("Size"),
                number("Width"),
                number("Height"),
                text("Sha256"),
                text("CreatedAt"),
                url,
            )
        )
    following = answer.get("LastEvaluatedKey")
    return {"images": images, "count": len(images), "nextCursor": following and following["UploadOrder"]["S"]}


def download_url(key, name):
    parameters = {
        "Bucket": BUCKET,
        "Key": key,
        "ResponseContentDisposition": f"attachment; filename*=UTF-8''{urllib.parse.quote(name)}",
    }
    return s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=900)


def view(image_id, name, media_type, size, width, height, sha256, at, url):
    return {
        "imageId": image_id,
        "status": "ready",
        "fileName": name,
        "contentType": media_type,
        "size": size,
        "width": width,
        "height": height,
        "sha256": sha256,
        "uploadDate": at[:10],
        "uploadedAt": at,
        "downloadUrl": url,
    }
