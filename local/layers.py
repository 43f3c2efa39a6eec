"""The layer calls of ECR's API, which MiniStack answers and forgets, made to keep what they are sent.

A layer then is where `docker pull` looks for it, and what ECR refuses is refused: a part that does not
follow the one before, a layer whose digest is another, an image whose layers are not there.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html

Each layer lies in a file of its own. MiniStack has them in the state of ECR, which is written whole with every change:
a few images, and each tag of a repository took a second.
"""

import base64
import hashlib
import json
import pathlib
from urllib.parse import quote

from ministack.core import persistence
from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import ecr

PART_BYTES = 10 * 1024 * 1024
# Calls that change nothing that outlives the server.
TRANSIENT = ("InitiateLayerUpload", "UploadLayerPart")


FOLDER = pathlib.Path(persistence.STATE_DIR) / "layers"


def install():
    ecr._batch_check_layer_availability = check
    ecr._initiate_layer_upload = initiate
    ecr._upload_layer_part = upload
    ecr._complete_layer_upload = complete
    ecr._put_image = put_image(ecr._put_image)
    ecr._delete_repository = delete_repository(ecr._delete_repository)
    ecr.get_state = without_layers(ecr.get_state)
    ecr.load_persisted_state = with_layers(ecr.load_persisted_state)


def without_layers(original):
    """The state, with None for each layer, once its file is written."""
    # Those of the state before, which is the one on disk until this one is written.
    before = set()

    def get_state():
        nonlocal before
        state, named = original(), set()
        FOLDER.mkdir(parents=True, exist_ok=True)
        for layers in state["layer_blobs"]._data.values():
            for digest, layer in layers.items():
                file = file_of(digest)
                if not file.exists():
                    # Whole or not at all: what is under its name is never written again.
                    temporary = file.with_suffix(".new")
                    temporary.write_bytes(layer)
                    temporary.replace(file)
                named.add(file.name)
                layers[digest] = None
        for file in FOLDER.iterdir():
            if file.name not in named | before:
                file.unlink()
        before = named
        return state

    return get_state


def with_layers(original):
    def load(state):
        for layers in state["layer_blobs"]._data.values():
            for digest, layer in layers.items():
                if layer is None:
                    layers[digest] = file_of(digest).read_bytes()
        return original(state)

    return load


def file_of(digest):
    return FOLDER / quote(digest, safe="")


def check(data):
    name = data["repositoryName"]
    if name not in ecr._repositories:
        return no_repository(name)
    blobs = ecr._layer_blobs.get(name, {})
    layers = [
        {
            "layerDigest": digest,
            "layerAvailability": "AVAILABLE" if digest in blobs else "UNAVAILABLE",
            "layerSize": len(blobs.get(digest, b"")),
        }
        for digest in data["layerDigests"]
    ]
    return json_response({"layers": layers, "failures": []})


def initiate(data):
    name = data["repositoryName"]
    if name not in ecr._repositories:
        return no_repository(name)
    upload_id = new_uuid()
    ecr._uploads.setdefault(name, {})[upload_id] = bytearray()
    return json_response({"uploadId": upload_id, "partSize": PART_BYTES})


def upload(data):
    received = ecr._uploads.get(data["repositoryName"], {}).get(data["uploadId"])
    if received is None:
        return refuse("UploadNotFoundException", "The upload could not be found")
    part = base64.b64decode(data["layerPartBlob"])
    first, last = data["partFirstByte"], data["partLastByte"]
    if first != len(received) or last != first + len(part) - 1:
        message = f"The part {first}-{last} does not follow {len(received)} bytes"
        return error_response_json(
            "InvalidLayerPartException", message, 400, {"lastValidByteReceived": len(received) - 1}
        )
    received.extend(part)
    return json_response({"uploadId": data["uploadId"], "lastByteReceived": last})


def complete(data):
    name, uploads = data["repositoryName"], ecr._uploads.get(data["repositoryName"], {})
    received = uploads.get(data["uploadId"])
    if received is None:
        return refuse("UploadNotFoundException", "The upload could not be found")
    digest = "sha256:" + hashlib.sha256(received).hexdigest()
    if digest not in data["layerDigests"]:
        return refuse("InvalidLayerException", f"The layer's digest is {digest}")
    blobs = ecr._layer_blobs.setdefault(name, {})
    if digest in blobs:
        return refuse("LayerAlreadyExistsException", f"The layer {digest} exists")
    blobs[digest] = bytes(received)
    del uploads[data["uploadId"]]
    return json_response({"uploadId": data["uploadId"], "layerDigest": digest})


def put_image(original):
    def put(data):
        name, manifest = data["repositoryName"], data["imageManifest"].encode()
        if name not in ecr._repositories:
            return no_repository(name)
        described = json.loads(manifest)
        named = [part["digest"] for part in [described["config"], *described["layers"]]]
        missing = [digest for digest in named if digest not in ecr._layer_blobs.get(name, {})]
        if missing:
            return refuse("LayersNotFoundException", f"The layers {missing} are not there")
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        if data.get("imageDigest", digest) != digest:
            return refuse("ImageDigestDoesNotMatchException", f"The image's digest is {digest}")
        answer = original(data)
        if answer[0] == 200:
            ecr._manifest_blobs.setdefault(name, {})[digest] = manifest
        return answer

    return put


def delete_repository(original):
    """With all that is in it: one that is made anew under its name has no layers."""

    def delete(data):
        answer = original(data)
        if answer[0] == 200:
            for stored in (ecr._layer_blobs, ecr._manifest_blobs, ecr._uploads):
                stored.pop(data["repositoryName"], None)
        return answer

    return delete


def no_repository(name):
    return refuse("RepositoryNotFoundException", f"The repository with name '{name}' does not exist")


def refuse(code, message):
    return error_response_json(code, message, 400)
