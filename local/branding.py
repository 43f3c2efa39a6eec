"""Managed login, Cognito's pages to sign in, which shows nothing for a client without a style: a "branding".

MiniStack has the pages, and none of the calls.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateManagedLoginBranding.html
"""

import time

from ministack.core import responses
from ministack.services import cognito

from user_pools import refused


def install():
    cognito.handle_oauth2_authorize = branded(cognito.handle_oauth2_authorize)
    cognito._delete_user_pool_client = with_branding(cognito._delete_user_pool_client)
    cognito._dispatch_idp = more_calls(cognito._dispatch_idp)


def branded(original):
    """Managed login has no pages for a client without a style.

    https://docs.aws.amazon.com/cognito/latest/developerguide/managed-login-branding.html
    """

    def authorize(method, path, headers, query):
        pool_id, pool, client = cognito._find_pool_by_client_id(cognito._qp(query, "client_id"))
        newest = pool and 2 in pool.get("_managed_login_versions", {}).values()
        if newest and client["ClientId"] not in brandings(pool_id):
            text = "<p>Please contact an administrator.</p>"
            page = cognito._page_shell("Login pages unavailable", "Login pages unavailable", text)
            return 403, {"Content-Type": "text/html; charset=utf-8"}, page.encode()
        return original(method, path, headers, query)

    return authorize


def with_branding(original):
    def delete(data):
        answer = original(data)
        if answer[0] == 200:
            brandings(data["UserPoolId"]).pop(data["ClientId"], None)
        return answer

    return delete


def brandings(pool_id):
    """Of a pool: client -> style. Kept within the pool, so that it lives and goes with it."""
    return cognito._user_pools[pool_id].setdefault("_brandings", {})


def more_calls(original):
    calls = {
        "CreateManagedLoginBranding": create_branding,
        "DescribeManagedLoginBranding": describe_branding,
        "DescribeManagedLoginBrandingByClient": describe_branding,
        "UpdateManagedLoginBranding": update_branding,
        "DeleteManagedLoginBranding": delete_branding,
    }

    async def dispatch(action, data):
        if action not in calls:
            return await original(action, data)
        pool = cognito._user_pools.get(data.get("UserPoolId"))
        if not pool:
            return refused("ResourceNotFoundException", f"User pool {data.get('UserPoolId')} does not exist.")
        if data.get("ClientId") not in (None, *pool["_clients"]):
            return refused("ResourceNotFoundException", f"User pool client {data['ClientId']} does not exist.")
        return calls[action](data, brandings(pool["Id"]))

    return dispatch


def create_branding(data, styles):
    if data["ClientId"] in styles:
        return refused("ManagedLoginBrandingExistsException", "Managed login branding already exists for this client.")
    fresh = {"ManagedLoginBrandingId": responses.new_uuid(), "CreationDate": time.time()}
    return put_branding(data, styles, data["ClientId"], {**fresh, "UserPoolId": data["UserPoolId"]})


def update_branding(data, styles):
    client = find_branding(data, styles)
    return put_branding(data, styles, client, styles[client]) if client else no_branding()


def put_branding(data, styles, client, before):
    """What was given anew. AWS answers with assets always, and with settings where there are some."""
    provided = bool(data.get("UseCognitoProvidedValues"))
    own = {key: data[key] for key in ("Assets", "Settings") if data.get(key)}
    if provided == bool(own):
        return refused("InvalidParameterException", "Give either UseCognitoProvidedValues or a style of your own.")
    kept = {key: before[key] for key in ("ManagedLoginBrandingId", "UserPoolId", "CreationDate")}
    now = {"UseCognitoProvidedValues": provided, "LastModifiedDate": time.time()}
    styles[client] = {**kept, "Assets": [], **own, **now}
    return responses.json_response({"ManagedLoginBranding": styles[client]})


def describe_branding(data, styles):
    client = find_branding(data, styles)
    return responses.json_response({"ManagedLoginBranding": styles[client]}) if client else no_branding()


def delete_branding(data, styles):
    client = find_branding(data, styles)
    if not client:
        return no_branding()
    del styles[client]
    return responses.json_response({})


def find_branding(data, styles):
    """The client whose style it is, named by itself or by the style's id."""
    if data.get("ClientId"):
        return data["ClientId"] if data["ClientId"] in styles else None
    ids = {style["ManagedLoginBrandingId"]: client for client, style in styles.items()}
    return ids.get(data.get("ManagedLoginBrandingId"))


def no_branding():
    return refused("ResourceNotFoundException", "Managed login branding does not exist.")
