"""A refresh token that is good once, where the client says so. MiniStack drops that setting, and a token stays good.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
"""

import json
import time
from urllib.parse import parse_qs

from ministack.core import responses
from ministack.services import cognito

from user_pools import refused


def install():
    for call in ("_create_user_pool_client", "_update_user_pool_client"):
        setattr(cognito, call, one_way(getattr(cognito, call)))
    for call in ("_initiate_auth", "_admin_initiate_auth"):
        setattr(cognito, call, no_plain_refresh(getattr(cognito, call)))
    cognito._get_tokens_from_refresh_token = by_call(cognito._get_tokens_from_refresh_token)
    cognito._oauth2_token = by_page(cognito._oauth2_token)
    cognito._refresh_token_revoked = spent(cognito._refresh_token_revoked)


def rotates(client):
    return ((client or {}).get("RefreshTokenRotation") or {}).get("Feature") == "ENABLED"


def one_way(original):
    def put(data):
        if rotates(data) and "ALLOW_REFRESH_TOKEN_AUTH" in data.get("ExplicitAuthFlows", []):
            message = "ALLOW_REFRESH_TOKEN_AUTH is not compatible with refresh token rotation."
            return refused("InvalidParameterException", message)
        return original(data)

    return put


def no_plain_refresh(original):
    def sign_in(data):
        pool = cognito._pool_for_client(data.get("ClientId"))[0]
        refreshes = data.get("AuthFlow") in ("REFRESH_TOKEN_AUTH", "REFRESH_TOKEN")
        if pool and refreshes and rotates(pool["_clients"][data["ClientId"]]):
            return refused("InvalidParameterException", "REFRESH_TOKEN_AUTH is not enabled for the client.")
        return original(data)

    return sign_in


def by_call(original):
    def renew(data):
        answer = original(data)
        fresh = rotated(data["RefreshToken"]) if answer[0] == 200 else None
        if not fresh:
            return answer
        said = json.loads(answer[2])
        said["AuthenticationResult"]["RefreshToken"] = fresh
        return responses.json_response(said)

    return renew


def by_page(original):
    def token(data, query, body=b"", headers=None):
        answer = original(data, query, body, headers)
        asked = parse_qs(body.decode("utf-8", "replace"))
        renews = answer[0] == 200 and asked.get("grant_type") == ["refresh_token"]
        fresh = rotated(asked["refresh_token"][0]) if renews else None
        if not fresh:
            return answer
        return answer[0], answer[1], json.dumps({**json.loads(answer[2]), "refresh_token": fresh}).encode()

    return token


def rotated(token):
    """The next token, which ends when the one before would have; that one is good for the time of grace."""
    claims = cognito._token_claims(token)
    pool = pool_of(claims)
    client = pool["_clients"][claims["client_id"]]
    if not rotates(client):
        return None
    now = int(time.time())
    fresh = cognito._signed_jwt({**claims, "jti": responses.new_uuid(), "iat": now}, pool["Id"], "access")
    if token in cognito._refresh_tokens:
        cognito._refresh_tokens[fresh] = dict(cognito._refresh_tokens[token])
    grace = client["RefreshTokenRotation"].get("RetryGracePeriodSeconds") or 0
    # By its id, within the pool, so that it is known after a kill too. Asked again, it is not good for longer.
    pool.setdefault("_spent", {}).setdefault(claims["jti"], now + grace)
    return fresh


def spent(original):
    def revoked(token, user):
        claims = cognito._token_claims(token)
        pool = pool_of(claims)
        ends = pool and pool.get("_spent", {}).get(claims.get("jti"))
        # MiniStack does not look at when it ends, either.
        ended = [moment for moment in (ends, claims.get("exp")) if moment is not None and moment <= time.time()]
        return original(token, user) or bool(ended)

    return revoked


def pool_of(claims):
    return cognito._get_pool_unscoped(str(claims.get("iss", "")).rpartition("/")[2])
