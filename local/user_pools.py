"""What Amazon Cognito refuses and MiniStack lets pass. What it has not at all is in branding.py."""

import json
import secrets
import time

from ministack.core import iam_actions, responses
from ministack.services import cognito

# How the parts of a request are named that sign somebody in, by the call.
SIGN_IN = {
    "_initiate_auth": "AuthParameters",
    "_admin_initiate_auth": "AuthParameters",
    "_respond_to_auth_challenge": "ChallengeResponses",
    "_admin_respond_to_auth_challenge": "ChallengeResponses",
}
# Challenges of which MiniStack takes the answer from anybody who knows a user's name.
SESSION_CHALLENGES = ("NEW_PASSWORD_REQUIRED", "MFA_SETUP", "SOFTWARE_TOKEN_MFA")
# What an update sets where it says nothing. A feature plan stays, and so does what no update can change.
POOL_DEFAULTS = {
    "AccountRecoverySetting": {},
    "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": False, "UnusedAccountValidityDays": 7},
    "AutoVerifiedAttributes": [],
    "DeletionProtection": "INACTIVE",
    "DeviceConfiguration": {},
    "EmailConfiguration": {},
    "EmailVerificationMessage": "",
    "EmailVerificationSubject": "",
    "LambdaConfig": {},
    "MfaConfiguration": "OFF",
    "Policies": {
        "PasswordPolicy": {
            "MinimumLength": 8,
            "RequireUppercase": True,
            "RequireLowercase": True,
            "RequireNumbers": True,
            "RequireSymbols": True,
            "TemporaryPasswordValidityDays": 7,
        }
    },
    "SmsAuthenticationMessage": "",
    "SmsConfiguration": {},
    "SmsVerificationMessage": "",
    "UserAttributeUpdateSettings": {},
    "UserPoolAddOns": {},
    "UserPoolTags": {},
    "VerificationMessageTemplate": {},
}
CLIENT_DEFAULTS = {
    "AccessTokenValidity": None,
    "AllowedOAuthFlows": [],
    "AllowedOAuthFlowsUserPoolClient": False,
    "AllowedOAuthScopes": [],
    "AnalyticsConfiguration": None,
    "AuthSessionValidity": 3,
    "CallbackURLs": [],
    "DefaultRedirectURI": "",
    "EnablePropagateAdditionalUserContextData": False,
    "EnableTokenRevocation": True,
    "ExplicitAuthFlows": [],
    "IdTokenValidity": None,
    "LogoutURLs": [],
    "PreventUserExistenceErrors": "LEGACY",
    "ReadAttributes": [],
    "RefreshTokenValidity": 30,
    "SupportedIdentityProviders": [],
    "TokenValidityUnits": {},
    "WriteAttributes": [],
}
LOOPBACK = ("http://localhost", "http://127.0.0.1", "http://[::1]")
# No domain of Cognito's own may have these in its name.
RESERVED = ("amazon", "aws", "cognito")


def install():
    sessions = Sessions()
    for call, parameters in SIGN_IN.items():
        setattr(cognito, call, sessions.kept(getattr(cognito, call), parameters))
    for call in ("_associate_software_token", "_verify_software_token"):
        setattr(cognito, call, sessions.renewed(getattr(cognito, call)))
    wrappers = {
        "_sign_up": administrators_only,
        "_create_user_pool": of_its_plan,
        "_update_user_pool": whole_pool,
        "_delete_user_pool": unprotected,
        "_create_user_pool_client": whole_client,
        "_update_user_pool_client": whole_client,
        "_create_user_pool_domain": good_domain,
        "_update_user_pool_domain": good_domain,
        "_delete_user_pool_domain": known_domain,
        "_send_verification_email": drawn,
        "_find_pool_by_client_id": with_domain,
    }
    for call, wrapper in wrappers.items():
        setattr(cognito, call, wrapper(getattr(cognito, call)))
    cognito._EMAIL_OTP_CODE = code()
    iam_actions.extract_resource_arn = tagged(iam_actions.extract_resource_arn)


def refused(what, message):
    return responses.error_response_json(what, message, 400)


def pool_of(data):
    """The pool that a call is about: by its own id, or by that of one of its clients."""
    named = cognito._user_pools.get(data.get("UserPoolId"))
    return named or cognito._pool_for_client(data.get("ClientId"))[0]


class Sessions:
    """Who is in the middle of signing in. MiniStack draws the sessions, and does not look at them when they come back,
    so that whoever knew a name could set its password."""

    def __init__(self):
        # Session -> client, user, when it ends.
        self.open = {}

    def kept(self, original, parameters):
        def sign_in(data):
            pool, name = pool_of(data), (data.get(parameters) or {}).get("USERNAME")
            known = self.open.get(data.get("Session"))
            if pool and data.get("ChallengeName") in SESSION_CHALLENGES:
                if problem := self.problem(pool, data, known, name):
                    return problem
            answer = original(data)
            said = json.loads(answer[2]) if answer[0] == 200 else {}
            if answer[0] == 200:
                self.open.pop(data.get("Session"), None)
            if pool and said.get("Session"):
                name = name or said.get("ChallengeParameters", {}).get("USER_ID_FOR_SRP")
                minutes = pool["_clients"][data["ClientId"]].get("AuthSessionValidity") or 3
                user, _ = cognito._resolve_user(pool, name)
                now = time.time()
                self.open = {session: known for session, known in self.open.items() if known[2] > now}
                self.open[said["Session"]] = data["ClientId"], user and user["Username"], now + 60 * minutes
            return answer

        return sign_in

    def problem(self, pool, data, known, name):
        client, username, ends = known or ("", "", 0)
        user, _ = cognito._resolve_user(pool, name)
        if client != data.get("ClientId") or not user or user["Username"] != username:
            return refused("NotAuthorizedException", "Invalid session for the user.")
        if ends < time.time():
            return refused("NotAuthorizedException", "Invalid session for the user, session is expired.")
        if data["ChallengeName"] != "NEW_PASSWORD_REQUIRED":
            return None
        return cognito._validate_password(pool, data["ChallengeResponses"].get("NEW_PASSWORD") or "")

    def renewed(self, original):
        """Setting up a second factor goes on with a session of its own."""

        def step(data):
            known = self.open.get(data.get("Session"))
            answer = original(data)
            if known and answer[0] == 200:
                self.open[json.loads(answer[2])["Session"]] = known
            return answer

        return step


def administrators_only(original):
    def sign_up(data):
        pool = pool_of(data)
        if pool and (pool.get("AdminCreateUserConfig") or {}).get("AllowAdminCreateUserOnly"):
            return refused("NotAuthorizedException", "SignUp is not permitted for this user pool")
        return original(data)

    return sign_up


def code():
    return f"{secrets.randbelow(10**6):06}"


def drawn(original):
    """A code that was mailed is drawn, where MiniStack has one for everybody."""

    def send(pool, username, attributes, constant, *rest, **named):
        fresh, (user, _) = code(), cognito._resolve_user(pool, username)
        for kind in ("_confirmation_code", "_reset_code"):
            if user and user.get(kind) == constant:
                user[kind] = fresh
        return original(pool, username, attributes, fresh, *rest, **named)

    return send


def plan_problem(tier, data):
    factors = ((data.get("Policies") or {}).get("SignInPolicy") or {}).get("AllowedFirstAuthFactors") or ["PASSWORD"]
    if tier != "LITE" or factors == ["PASSWORD"]:
        return None
    return lacking("Choice-based authentication")


def lacking(feature):
    message = f"The following features need to be disabled for the LITE pricing tier configured: {feature}"
    return refused("FeatureUnavailableInTierException", message)


def of_its_plan(original):
    """Passkeys and codes by mail are not in the cheapest plan.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-sign-in-feature-plans.html
    """

    def create(data):
        return plan_problem(data.get("UserPoolTier"), data) or original(data)

    return create


def whole_pool(original):
    """An update that leaves something out sets it back.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-updating.html
    Some of it AWS was seen to keep (https://github.com/go-to-k/cdkd/issues/2675); who sends all is right either way.
    """

    def update(data):
        pool = cognito._user_pools.get(data.get("UserPoolId"))
        if pool and (problem := plan_problem(data.get("UserPoolTier", pool["UserPoolTier"]), data)):
            return problem
        answer = original({**POOL_DEFAULTS, **data})
        if answer[0] == 200:
            pool["Name"] = data.get("PoolName", pool["Name"])
        return answer

    return update


def unprotected(original):
    def delete(data):
        pool = cognito._user_pools.get(data.get("UserPoolId")) or {}
        if pool.get("DeletionProtection") == "ACTIVE":
            message = (
                "The user pool cannot be deleted because deletion protection is activated. "
                "Deletion protection must be inactivated first."
            )
            return refused("InvalidParameterException", message)
        if pool.get("Domain") or pool.get("CustomDomain"):
            message = "User pool cannot be deleted. It has a domain configured that should be deleted first."
            return refused("InvalidParameterException", message)
        return original(data)

    return delete


def whole_client(original):
    """A client is sent whole too, and nobody is sent back with a code where others can read it.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html
    """

    def put(data):
        for url in (*data.get("CallbackURLs", []), *data.get("LogoutURLs", [])):
            if url.startswith("http://") and not url.startswith(tuple(f"{it}{end}" for it in LOOPBACK for end in ":/")):
                return refused("InvalidParameterException", f"{url} cannot use the HTTP protocol.")
            if "#" in url:
                return refused("InvalidParameterException", f"{url} cannot contain a fragment.")
        default = data.get("DefaultRedirectURI")
        if default and default not in data.get("CallbackURLs", []):
            return refused("InvalidParameterException", "DefaultRedirectURI must be one of CallbackURLs.")
        answer = original({**CLIENT_DEFAULTS, **data})
        if answer[0] != 200:
            return answer
        said = json.loads(answer[2])["UserPoolClient"]
        client = cognito._user_pools[said["UserPoolId"]]["_clients"][said["ClientId"]]
        client["RefreshTokenRotation"] = data.get("RefreshTokenRotation")
        return cognito._describe_user_pool_client(said)

    return put


def good_domain(original):
    def put(data):
        pool, domain = cognito._user_pools.get(data.get("UserPoolId")), data.get("Domain") or ""
        if reserved := [word for word in RESERVED if word in domain and not data.get("CustomDomainConfig")]:
            return refused("InvalidParameterException", f"Domain cannot contain reserved word: {reserved[0]}")
        if pool and pool["UserPoolTier"] == "LITE" and data.get("ManagedLoginVersion") == 2:
            return lacking("Managed login")
        return original(data)

    return put


def known_domain(original):
    def delete(data):
        if cognito._pool_domain_map.get(data.get("Domain")) != data.get("UserPoolId"):
            return refused("InvalidParameterException", "No such domain or user pool exists.")
        return original(data)

    return delete


def with_domain(original):
    """A pool without a domain has no pages and no token endpoint, which MiniStack has for all pools at one place."""

    def find(client_id):
        pool_id, pool, client = original(client_id)
        if pool and not (pool.get("Domain") or pool.get("CustomDomain")):
            return None, None, None
        return pool_id, pool, client

    return find


def tagged(original):
    """The calls about tags name the pool by its ARN, and a right on that pool is enough for them."""

    def resource(service, method, path, headers, body, *rest):
        found = original(service, method, path, headers, body, *rest)
        named = iam_actions._safe_json_field(body, "ResourceArn") if service == "cognito-idp" else None
        return named if named and found == "*" else found

    return resource
