"""Signing in on the embedded AWS, as a browser and an administrator do it, with boto3 and nothing of ours."""

import base64
import hashlib
import html
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
CALLBACK = f"{ENDPOINT}/restapis/api/v1/_user_request_/"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
USER, FIRST, OWN = "ann@example.com", "Temporary-1234", "correct horse battery"
POLICY = {"MinimumLength": 12, **dict.fromkeys(("RequireUppercase", "RequireLowercase", "RequireNumbers", "RequireSymbols"), False)}
ACCOUNT, REGION = "000000000000", "us-east-1"


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)


def http(method, url, body=None, headers=None):
    """Status, headers and text, whatever the status is."""
    request = urllib.request.Request(url, data=None if body is None else body.encode(), method=method, headers=headers or {})
    try:
        with OPENER.open(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def form(path, fields, **headers):
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return http("POST", ENDPOINT + path, urllib.parse.urlencode(fields), {**kind, **headers})


def outcome(call, **arguments):
    """What AWS says to a call: the code of its error, or "done"."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"


def said(call, **arguments):
    """Code and text of the error."""
    try:
        call(**arguments)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return "done"


POOLS = boto3.client("cognito-idp")
BROWSER = boto3.client("cognito-idp", config=botocore.config.Config(signature_version=botocore.UNSIGNED))


def make_pool(name, **settings):
    settings = {"AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True}, **settings}
    sign_in = {"UsernameAttributes": ["email"], "AutoVerifiedAttributes": ["email"], "Policies": {"PasswordPolicy": POLICY}}
    return POOLS.create_user_pool(PoolName=name, **{**sign_in, **settings})["UserPool"]["Id"]


def client_settings(**settings):
    return {
        "ClientName": "gallery",
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        "SupportedIdentityProviders": ["COGNITO"],
        "CallbackURLs": [CALLBACK],
        "LogoutURLs": [CALLBACK],
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": ["openid", "email"],
        "AllowedOAuthFlowsUserPoolClient": True,
        "PreventUserExistenceErrors": "ENABLED",
        **settings,
    }


def make_client(pool, **settings):
    return POOLS.create_user_pool_client(UserPoolId=pool, **client_settings(**settings))["UserPoolClient"]["ClientId"]


def make_user(pool, name=USER):
    attributes = [{"Name": "email", "Value": name}, {"Name": "email_verified", "Value": "true"}]
    POOLS.admin_create_user(
        UserPoolId=pool, Username=name, TemporaryPassword=FIRST, MessageAction="SUPPRESS", UserAttributes=attributes
    )


ROTATING = {
    "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
    "RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": 0},
}


def make_all(name, **settings):
    """A pool with pages that work, its client, and a user who has not signed in yet."""
    pool = make_pool(name)
    client = make_client(pool, **settings)
    POOLS.create_user_pool_domain(Domain=name, UserPoolId=pool, ManagedLoginVersion=2)
    POOLS.create_managed_login_branding(UserPoolId=pool, ClientId=client, UseCognitoProvidedValues=True)
    make_user(pool)
    return pool, client


def authorize(client, **changed):
    fields = {
        "client_id": client,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid email",
        "state": "state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changed,
    }
    return http("GET", f"{ENDPOINT}/oauth2/authorize?{urllib.parse.urlencode(fields)}")


def hidden(page):
    return {name: html.unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', page)}


def code_of(answer):
    """The code that the browser is sent back with, by an answer that does so."""
    status, headers, page = answer
    assert status == 302 and headers["location"].startswith(f"{CALLBACK}?"), (status, page)
    query = urllib.parse.parse_qs(urllib.parse.urlparse(headers["location"]).query)
    assert query["state"] == ["state"], query
    return query["code"][0]


def login(client, password):
    return form("/login", {**hidden(authorize(client)[2]), "username": USER, "password": password})


def token(client, code, verifier=VERIFIER, **headers):
    fields = {"grant_type": "authorization_code", "client_id": client, "code": code}
    return form("/oauth2/token", {**fields, "redirect_uri": CALLBACK, "code_verifier": verifier}, **headers)


def refresh(client, value):
    return form("/oauth2/token", {"grant_type": "refresh_token", "client_id": client, "refresh_token": value})


def first_sign_in(client):
    """The temporary password, a password of one's own, and what a code gives."""
    page = login(client, FIRST)[2]
    fresh = {**hidden(page), "new_password": OWN, "confirm_password": OWN}
    return json.loads(token(client, code_of(form("/login", fresh)))[2])


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def claims(jwt):
    return json.loads(decoded(jwt.split(".")[1]))


def verified(pool, jwt):
    """The claims of a token, if a key that the pool publishes has signed it."""
    head, body, signature = jwt.split(".")
    keys = json.loads(http("GET", f"{ENDPOINT}/{pool}/.well-known/jwks.json")[2])["keys"]
    header = json.loads(decoded(head))
    key = next(it for it in keys if it["kid"] == header["kid"])
    assert header["alg"] == key["alg"] == "RS256", header
    number = lambda name: int.from_bytes(decoded(key[name]), "big")
    public = rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    public.verify(decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return claims(jwt)
