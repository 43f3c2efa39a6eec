"""What schemathesis must know of CloudPix beyond openapi.yaml. `openapi.rs` runs it with this.

JSON Schema cannot say that bytes are an image, or that one parameter excludes another; openapi.yaml
says such rules in words. Here, requests that are meant to be valid are made to keep them, so that
they must be accepted as all valid ones. Those that are meant to be invalid are sent as they are.
"""

import base64
import datetime
import itertools
import pathlib

import schemathesis
from hypothesis import strategies
from schemathesis import GenerationMode

PICTURES = pathlib.Path(__file__).parent.parent / "images"
# Whose bytes are sent as what.
BY_MEDIA_TYPE = {
    "image/avif": "astronaut.avif",
    "image/bmp": "camera.bmp",
    "image/gif": "coffee.gif",
    "image/heic": "chelsea.heic",
    "image/heif": "chelsea.heic",
    "image/jpeg": "coffee.jpg",
    "image/jpg": "coffee.jpg",
    "image/png": "rocket.png",
    "image/tiff": "chelsea.tiff",
    "image/webp": "hubble.webp",
    "application/octet-stream": "猫.jpg",
}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
LARGEST_UPLOAD = 100 * 1024 * 1024
NUMBERS = itertools.count()

for media_type, file in BY_MEDIA_TYPE.items():
    schemathesis.openapi.media_type(media_type, strategies.just((PICTURES / file).read_bytes()))


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if case.operation.label == "POST /upload":
        # Most keys are made new: a key of before is answered with 409, and nothing behind it is reached.
        key, number = case.headers.get("Idempotency-Key"), next(NUMBERS)
        if key and number % 4:
            case.headers["Idempotency-Key"] = f"{key[:200]}{number}"
        if isinstance(case.body, dict):
            keep_upload_rules(case.body)
        else:
            case.query = {**(case.query or {}), "fileName": good_name((case.query or {}).get("fileName", ""))}
    elif case.operation.label == "GET /list" and case.query:
        keep_list_rules(case.query)


def keep_upload_rules(body):
    if isinstance(body.get("fileName"), str):
        body["fileName"] = good_name(body["fileName"])
    if body.get("contentType") is not None:
        body["contentType"] = "image/png"
    if isinstance(body.get("data"), str):
        body["data"] = base64.b64encode(PIXEL).decode()
        body.pop("sha256", None)
        if "size" in body:
            body["size"] = len(PIXEL)
    elif isinstance(body.get("size"), int | float):
        body["size"] = min(body["size"], LARGEST_UPLOAD)


def good_name(name):
    """At most 255 bytes, and something is left when the name has been cleaned."""
    return name[:60] + "a"


def keep_list_rules(query):
    # A cursor of our making exists only on a page with more behind it; pictures.rs walks those.
    query.pop("cursor", None)
    if "date" in query:
        query.pop("from", None)
        query.pop("to", None)
    elif "from" in query and "to" in query and not moment(query["from"]) < moment(query["to"]):
        del query["to"]


def moment(text):
    at = datetime.datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """API Gateway cannot tell a method that a path lacks from a path that it lacks: to both it answers
    its "missing authentication token", which the stack turns into 404. There is no 405 to configure, and
    not even a method ANY takes TRACE or QUERY.
    """
    lacking = type(failure).__name__ == "UnsupportedMethodResponse" and response.status_code == 404
    return not (lacking and response.json().get("detail") == "there is no such route")
