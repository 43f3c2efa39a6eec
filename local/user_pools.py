"""What Amazon Cognito refuses and MiniStack lets pass. What it has not at all is in branding.py."""

import json

from ministack.core import iam_actions, responses
from ministack.services import cognito

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
# No domain of Cognito's own may have these in its name.
RESERVED = ("amazon", "aws", "cognito")


def install():
    wrappers = {
        "_sign_up": administrators_only,
        "_create_user_pool": fitting,
        "_update_user_pool": whole_pool,
        "_delete_user_pool": unprotected,
        "_create_user_pool_client": whole_client,
        "_update_user_pool_client": whole_client,
        "_create_user_pool_domain": good_domain,
        "_update_user_pool_domain": good_domain,
        "_delete_user_pool_domain": known_domain,
        "_resolve_user": any_case,
        "_find_pool_by_client_id": with_domain,
    }
    for call, wrapper in wrappers.items():
        setattr(cognito, call, wrapper(getattr(cognito, call)))
    iam_actions.extract_resource_arn = tagged(iam_actions.extract_resource_arn)


def refused(what, message):
    return responses.error_response_json(what, message, 400)


def pool_of(data):
    """The pool that a call is about: by its own id, or by that of one of its clients."""
    named = cognito._user_pools.get(data.get("UserPoolId"))
    return named or cognito._pool_for_client(data.get("ClientId"))[0]


def administrators_only(original):
    def sign_up(data):
        pool = pool_of(data)
        if pool and (pool.get("AdminCreateUserConfig") or {}).get("AllowAdminCreateUserOnly"):
            return refused("NotAuthorizedException", "SignUp is not permitted for this user pool")
        return original(data)

    return sign_up


def any_case(original):
    """Whoever is invited as Ann@example.com signs in as ann@example.com, where the pool is told so."""

    def resolve(pool, username):
        found = original(pool, username)
        if found[0] or username is None or (pool.get("UsernameConfiguration") or {}).get("CaseSensitive", True):
            return found
        for user in pool["_users"].values():
            attributes = cognito._attr_list_to_dict(user.get("Attributes", []))
            names = [user["Username"], *(attributes.get(name) or "" for name in pool.get("UsernameAttributes") or [])]
            for name in names:
                if name.casefold() == username.casefold():
                    return original(pool, name)
        return found

    return resolve


def problem_of(data, tier, verified):
    """Passkeys and mailed codes are not in the cheapest plan; what is verified before it changes is verified at all.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-sign-in-feature-plans.html
    """
    factors = ((data.get("Policies") or {}).get("SignInPolicy") or {}).get("AllowedFirstAuthFactors") or ["PASSWORD"]
    if tier == "LITE" and factors != ["PASSWORD"]:
        return lacking("Choice-based authentication")
    before = (data.get("UserAttributeUpdateSettings") or {}).get("AttributesRequireVerificationBeforeUpdate") or []
    if set(before) - set(verified):
        message = "All attributes in AttributesRequireVerificationBeforeUpdate must exist in AutoVerifiedAttributes"
        return refused("InvalidParameterException", message)
    return None


def lacking(feature):
    message = f"The following features need to be disabled for the LITE pricing tier configured: {feature}"
    return refused("FeatureUnavailableInTierException", message)


def fitting(original):
    def create(data):
        return problem_of(data, data.get("UserPoolTier"), data.get("AutoVerifiedAttributes") or []) or original(data)

    return create


def whole_pool(original):
    """An update that leaves something out sets it back.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-updating.html
    Some of it AWS was seen to keep: https://github.com/go-to-k/cdkd/issues/2675, and, so that the others no longer fit,
    https://github.com/ekristen/aws-nuke/issues/477. Who sends all is right either way.
    """

    def update(data):
        pool = cognito._user_pools.get(data.get("UserPoolId"))
        if not pool:
            return original(data)
        kept = {key: pool[key] for key in ("UserAttributeUpdateSettings", "UserPoolTier") if pool.get(key)}
        data = {**POOL_DEFAULTS, **kept, **data}
        if problem := problem_of(data, data["UserPoolTier"], data["AutoVerifiedAttributes"]):
            return problem
        answer = original(data)
        if answer[0] == 200:
            pool["Name"] = data.get("PoolName", pool["Name"])
            # These have parts that cannot be left out, so that AWS leaves them out themselves.
            for key in ("SmsConfiguration", "UserPoolAddOns"):
                if not data.get(key):
                    pool.pop(key, None)
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
            if url.startswith("http://") and not url.startswith(("http://localhost:", "http://localhost/")):
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
