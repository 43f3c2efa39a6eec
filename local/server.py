"""The embedded AWS itself: MiniStack, made to survive a kill. Started by emulator.py.

MiniStack writes S3 objects to disk as they arrive, and everything else (tables, functions, roles,
the API) only when it is shut down in good order: killed, it would come back with images that no
record names. Here the answer to a request that changed something leaves only after the change is
on disk. Item writes go to a journal, since a table can be large; all else is small, and the state
of the service concerned is written whole, in the format that MiniStack itself reads at start.
What Lambda logs makes no request, so the last log lines are what a kill can lose.
"""

import argparse
import asyncio
import base64
import contextvars
import hashlib
import json
import logging
import os
import pathlib
import signal
import threading
import time
import types
from urllib.parse import parse_qs

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack
from ministack.core import persistence, responses
from ministack.services import apigateway_v1, lambda_svc

import branding
import gateway
import guard
import layers
import parity
import rotation
import sessions
import user_pools

# Operations that change nothing, by how their names begin, where the headers give a name.
READS = ("BatchCheck", "BatchGet", "Describe", "Get", "List", "Query", "Scan", "TransactGet")
ITEM_WRITES = ("BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem")
# A journal longer than this and than the snapshot it follows is folded into a new snapshot.
JOURNAL_BYTES = 4 * 1024 * 1024


# The path of the request that is being answered, as its client sent it.
SENT = contextvars.ContextVar("sent", default="")


class Durable:
    """ASGI middleware that holds an answer back until what the request changed is on disk."""

    def __init__(self, app):
        self.app = app
        self.journal = Journal(pathlib.Path(persistence.STATE_DIR))

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self.restored(send))
            return
        SENT.set(scope["path"])
        service, operation = changes(scope) if scope["type"] == "http" else (None, "")
        parity.caller.set(credential(scope)[0])
        if not service:
            await self.app(scope, receive, send)
            return

        body = bytearray()

        async def receive_kept():
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def send_saved(message):
            # Requests run on this one event loop: no other comes between the change and its saving.
            if message["type"] == "http.response.start" and message["status"] < 400:
                if operation in ITEM_WRITES:
                    self.journal.append(operation, bytes(body))
                else:
                    self.save(service)
            await send(message)

        await self.app(scope, receive_kept if operation in ITEM_WRITES else receive, send_saved)

    def restored(self, send):
        async def send_restored(message):
            if message["type"] == "lifespan.startup.complete":
                try:
                    await self.journal.replay()
                except Exception as error:
                    logging.exception("the saved state cannot be read")
                    message = {"type": "lifespan.startup.failed", "message": str(error)}
            await send(message)

        return send_restored

    def save(self, service):
        if service == "dynamodb":
            self.journal.fold()
            return
        config = ministack.SERVICE_REGISTRY[service]
        keys = (config.get("state_key", config["module"]), *config.get("sub_modules", ()))
        sources = ministack._build_persistence_save_dict()
        for key in keys:
            if key in sources:
                persistence.save_state(key, settled(sources[key]))


class Journal:
    """Item writes since the snapshot in dynamodb.json, one a line.

    The first line is the snapshot's digest. A journal of another snapshot is an old one whose
    writes are in the snapshot already: the snapshot is always written first.
    """

    def __init__(self, directory):
        self.snapshot = directory / "dynamodb.json"
        self.path = directory / "dynamodb.journal"
        self.file = None
        self.follows = None
        self.limit = JOURNAL_BYTES

    async def replay(self):
        if not self.snapshot.exists():
            return
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else [b""]
        if lines.pop(0) == self.digest():
            # What follows the last newline was being written when the kill came, and was not answered.
            for line in lines[:-1]:
                await apply(json.loads(line))
        self.fold()

    def append(self, operation, body):
        entry = {
            "account": responses.get_account_id(),
            "region": responses.get_region(),
            "operation": operation,
            "body": base64.b64encode(body).decode(),
        }
        self.file.write(json.dumps(entry).encode() + b"\n")
        if self.file.tell() > self.limit:
            self.fold()

    def fold(self):
        """Write a new snapshot and begin an empty journal after it."""
        persistence.save_state("dynamodb", ministack._build_persistence_save_dict()["dynamodb"]())
        digest = self.digest()
        if digest == self.follows:
            # The snapshot is the old one still (the disk may be full): its journal stays.
            return
        if self.file:
            self.file.close()
        fresh = self.path.with_suffix(".new")
        self.file = fresh.open("wb", buffering=0)
        self.file.write(digest + b"\n")
        fresh.replace(self.path)
        self.follows = digest
        self.limit = max(JOURNAL_BYTES, self.snapshot.stat().st_size)

    def digest(self):
        return hashlib.sha256(self.snapshot.read_bytes()).hexdigest().encode()


def settled(get_state):
    """The state; taken again where a Lambda call, which has a thread of its own, changed it meanwhile."""
    for _ in range(100):
        try:
            return get_state()
        except RuntimeError:
            time.sleep(0.001)
    return get_state()


def remember_code():
    """MiniStack hashes the code of all functions and versions whenever one function changes, which in an account of
    many stacks is most of its time. Here the same bytes are hashed once."""
    write, prune = lambda_svc._write_code_blob, lambda_svc._prune_orphan_code_blobs
    # By identity: the bytes are kept, so that no others come to be at their place.
    known = {}

    def write_once(code):
        _, sha = known.get(id(code), (None, None))
        if sha is None or not os.path.exists(os.path.join(lambda_svc.CODE_BLOB_DIR, f"{sha}.zip")):
            sha = write(code)
            known[id(code)] = code, sha
        return sha

    def prune_both(referenced):
        prune(referenced)
        for key in [key for key, (_, sha) in known.items() if sha not in referenced]:
            del known[key]

    lambda_svc._write_code_blob, lambda_svc._prune_orphan_code_blobs = write_once, prune_both


async def apply(entry):
    """Do a journalled write again, as the account and in the region that did it."""
    responses.set_request_account_id(entry["account"])
    responses.set_request_region(entry["region"])
    headers = {"x-amz-target": f"DynamoDB_20120810.{entry['operation']}"}
    handler = ministack.SERVICE_HANDLERS["dynamodb"]
    status, _, answer = await handler("POST", "/", headers, base64.b64decode(entry["body"]), {})
    if status >= 400:
        logging.error("journal: %s was refused: %s", entry["operation"], answer)


def encode_at_once():
    """MiniStack saves by json.dump, which encodes piece by piece in Python; json.dumps does the same in C, in a tenth
    of the time. With the stacks of a whole test run in one account that is most of what a change costs."""

    def dump(value, file, **options):
        file.write(json.dumps(value, **options))

    persistence.json = types.SimpleNamespace(**{**vars(json), "dump": dump})


def name_rpc_calls():
    """Smithy's RPC v2 has the operation in the path, where MiniStack's record of calls does not look for it."""
    by_header = ministack._ct_event_name

    def event_name(service, method, path, headers, query_params):
        _, found, operation = path.rpartition("/operation/")
        return operation if found else by_header(service, method, path, headers, query_params)

    ministack._ct_event_name = event_name


def tell_paths():
    """API Gateway tells a function what path its client sent, where MiniStack makes one up of stage and route.

    So it is on a domain of one's own too, with whatever base path that has:
    https://github.com/localstack/localstack/pull/12296 says what AWS was seen to send.
    """
    by_stage = apigateway_v1._build_lambda_event_v1

    def event(*arguments, **named):
        made = by_stage(*arguments, **named)
        made["requestContext"]["path"] = SENT.get()
        return made

    apigateway_v1._build_lambda_event_v1 = event


def changes(scope):
    """The service that a request may change, by the name in its signature, and the operation if named."""
    headers = dict(scope["headers"])
    operation = headers.get(b"x-amz-target", b"").decode("latin-1").rpartition(".")[2]
    # Nobody signs these; and what is named after reading may change something here, as by GetTokensFromRefreshToken.
    if scope["method"] == "POST" and guard.signs_in(scope):
        return "cognito-idp", operation
    unchanged = operation.startswith(READS) or operation in layers.TRANSIENT
    if unchanged or scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return None, operation
    parts = credential(scope)
    name = parts[3] if len(parts) == 5 else ""
    name = ministack.SERVICE_NAME_ALIASES.get(name, name)
    return (name if name in ministack.SERVICE_REGISTRY else None), operation


def credential(scope):
    """What a request is signed by, in its parts: KEYID/20261123/us-east-1/s3/aws4_request."""
    headers = dict(scope["headers"])
    signed = headers.get(b"authorization", b"").decode("latin-1").partition("Credential=")[2]
    if not signed:
        signed = parse_qs(scope["query_string"].decode("latin-1")).get("X-Amz-Credential", [""])[0]
    return signed.split(",")[0].split("/")


def end_with(pid):
    """Shut down when that process is gone: a test run that was interrupted leaves no server behind."""
    while True:
        time.sleep(1)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGTERM)
            return


def main():
    parser = argparse.ArgumentParser(description="Run MiniStack in the foreground; emulator.py starts this.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", required=True, help="only names the process, for emulator.py to know it again")
    parser.add_argument("--until", type=int, metavar="PID", help="shut down when this process has ended")
    parser.add_argument("--host", action="append", default=[], help="a name besides localhost that it is asked by")
    arguments = parser.parse_args()
    if arguments.until:
        threading.Thread(target=end_with, args=(arguments.until,), daemon=True).start()

    guard.install()
    layers.install()
    parity.install()
    user_pools.install()
    branding.install()
    rotation.install()
    sessions.install()
    gateway.install()
    name_rpc_calls()
    remember_code()
    encode_at_once()
    tell_paths()
    logging.getLogger("persistence").setLevel(logging.WARNING)
    config = Config()
    config.bind = [f"127.0.0.1:{arguments.port}"]
    config.keep_alive_timeout = 75
    asyncio.run(serve(guard.Guard(Durable(ministack.app), arguments.host), config))


if __name__ == "__main__":
    main()
