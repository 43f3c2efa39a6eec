"""Who may ask the embedded AWS: only who holds a key of this machine's own, whatever a web page tries.

Whoever may call Lambda runs code here, and a browser reaches every port of this machine: a page can post
to it from its own origin, or under a name that it points at 127.0.0.1 once the page is loaded (DNS
rebinding). So a name that is not this machine's is refused, an origin where AWS's own APIs are concerned,
and whatever has no signature: MiniStack takes `test`, any account's number, and no key at all for the root
user, and does not look at what these sign. Four things are for strangers, as they are on AWS: the deployed
API, the bucket's presigned URLs, signing in, and preflights of these. Reading container images needs no key
either, since Docker has none for it.

Signing in is what Cognito takes unsigned: a user pool's pages and keys, its token endpoint, and those calls of
its API that show a password, a code or a token in the body. AWS lets a page of any origin ask all of it. Here
such a page gets at what does nothing for whoever lacks a secret already: an access or refresh token, or a code
with its verifier. It may not try passwords, nor read the pages.
"""

import hashlib
import hmac
import os
import re
from urllib.parse import parse_qs

from ministack import app as ministack
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, router, sigv4
from ministack.services import cognito, lambda_svc, s3, sts

HEALTH = "/_ministack/health"
# MiniStack's own doors: to reset it, to configure it, to read code and queues.
INTERNAL = ("/_ministack", "/_localstack", "/health")
# How `provision outputs` names the API. MiniStack's other ways to it are not used, so nobody is let in by them.
API = re.compile(r"/restapis/[^/]+/[^/]+/_user_request_(/|$)")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# A user pool's pages, with their methods, and where its keys are.
PAGES = {
    "/oauth2/authorize": ("GET",),
    "/login": ("POST",),
    "/logout": ("GET",),
    "/oauth2/token": ("POST",),
    "/oauth2/userInfo": ("GET", "POST"),
}
KEYS = re.compile(r"/([\w-]+)/\.well-known/(?:jwks\.json|openid-configuration)")
POOLS = "AWSCognitoIdentityProviderService."
# What any origin may ask, of these and of the calls.
OPEN_PAGES = ("/oauth2/token", "/oauth2/userInfo")
OPEN_CALLS = ("GetTokensFromRefreshToken", "GetUser", "RevokeToken")


class Guard:
    """ASGI middleware that lets nobody in but whom this file's head names; `hosts` are more names of this machine."""

    def __init__(self, app, hosts=()):
        self.app = app
        self.hosts = (*LOOPBACK, *hosts)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        refusal = self.refusal(scope) if scope["type"] == "http" else None
        if not refusal:
            await self.app(scope, receive, send)
            return
        status, body = refusal
        headers = [(b"content-type", b"application/xml"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def refusal(self, scope):
        """Status and body of the answer to who may not ask; None for who may."""
        headers = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), sigv4.decode_header_value(value))
        host, path, method = headers.get("host", ""), scope["path"], scope["method"]
        query = parse_qs(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
        name = re.sub(r":\d*$", "", host.lower())
        # Browsers and resolvers keep *.localhost on this machine (RFC 6761); S3's buckets are under it.
        if name not in self.hosts and not name.endswith(tuple(f".{host}" for host in self.hosts)):
            return error(403, "ForeignHost", f"This is not {host}, but an embedded AWS on localhost")
        if path.startswith(INTERNAL):
            return None if (path, method) == (HEALTH, "GET") and "origin" not in headers else denied()
        if name in self.hosts and API.match(path):
            return None
        if method == "OPTIONS":
            return None if ministack._s3_cors_target(host, path) or asks_to_sign_in(path, headers) else denied()
        signed = headers.get("authorization", "")
        if not signed and iam_evaluator._s3_presigned_query(query):
            failure = s3._verify_presigned_sigv4(method, path, headers, query)
            return failure and (failure[0], failure[2])
        if name in self.hosts and signs_in(scope):
            own = headers.get("origin", "").lower() in ("", f"http://{host.lower()}")
            return None if own or for_any_origin(path, headers) else foreign()
        if "origin" in headers:
            return foreign()
        if ministack._is_ecr_registry_path(path):
            return None if method in ("GET", "HEAD") else denied()
        # What is signed, MiniStack verifies.
        known = signed.startswith("AWS4-HMAC-SHA256 ") and router.extract_access_key_id({"authorization": signed})
        return None if known else denied()


def signs_in(scope):
    """Whether it is one of the requests that Cognito takes unsigned, and carries nothing that could make it another."""
    names = [name.lower() for name, _ in scope["headers"] if name.lower() != b"cookie"]
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    # MiniStack joins what is sent twice, and so would read something else than what was looked at here.
    if len(set(names)) < len(names) or headers.get(b"authorization", "").startswith("AWS4-"):
        return False
    path, method, target = scope["path"], scope["method"], headers.get(b"x-amz-target")
    if target is not None:
        unsigned = target.removeprefix(POOLS) in iam_actions.unsigned_operations("cognito-idp")
        bare = not scope["query_string"] and b"authorization" not in headers
        return target.startswith(POOLS) and unsigned and bare and (path, method) == ("/", "POST")
    if keys := KEYS.fullmatch(path):
        # Of a pool that there is: MiniStack takes any other for an object of a bucket.
        return method == "GET" and any(pool == keys[1] for (_, _, pool), _ in cognito._user_pools.all_items())
    return method in PAGES.get(path, ())


def for_any_origin(path, headers):
    call = headers.get("x-amz-target", "").removeprefix(POOLS)
    return call in OPEN_CALLS if call else path in OPEN_PAGES or KEYS.fullmatch(path)


def asks_to_sign_in(path, headers):
    """A browser's question before what `for_any_origin` lets in, of which it does not name the call."""
    wanted = re.split(r"[, ]+", headers.get("access-control-request-headers", "").lower())
    return path in OPEN_PAGES or (path == "/" and "x-amz-target" in wanted)


def install():
    """Make the root user's one key a key like all others, and the functions' keys nothing to be reckoned."""
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]

    def is_root(access_key_id):
        # No key at all: who calls the deployed API or signs in, which nothing else reaches.
        return access_key_id in (key, "")

    iam_evaluator.is_root_access_key = sts.is_root_access_key = is_root
    # Where MiniStack asks this, it is to leave a signature unverified.
    iam_evaluator._is_root_key = lambda access_key_id: False
    credentials = function_credentials(secret)
    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = credentials


def function_credentials(secret):
    """What gives a function its role's session. MiniStack derives it from names, which anybody can."""

    def credentials(config):
        account, _ = lambda_runtime._account_region_from_function_config(config)
        role = config["Role"].rsplit("/", 1)[-1]

        def derived(what):
            text = f"{what}:{config['FunctionArn']}:{config['Role']}".encode()
            return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()

        key, session = f"ASIA{derived('key')[:16].upper()}", config["FunctionName"][:64]
        sts.register_session(key, {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
            "UserId": f"{role}:{session}",
            "SecretAccessKey": derived("secret"),
            "SessionToken": derived("token"),
        })
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return dict(zip(names, (key, derived("secret"), derived("token")), strict=True))

    return credentials


def foreign():
    return error(403, "ForeignOrigin", "A web page may call the API, presigned URLs and signing in, and no API of AWS")


def denied():
    return error(403, "AccessDenied", "Access Denied: the request is not signed with a key of this embedded AWS")


def error(status, code, message):
    text = message.replace("&", "&amp;").replace("<", "&lt;")
    return status, f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
