"""What signing in on the embedded AWS comes to. `sign_in.rs` says what it should. Each command prints JSON."""

import base64
import json
import sys
import time

from access import called, doors, rights
from browser import (
    BROWSER,
    FIRST,
    OWN,
    POLICY,
    POOLS,
    REGION,
    ROTATING,
    USER,
    authorize,
    claims,
    client_settings,
    code_of,
    first_sign_in,
    form,
    hidden,
    login,
    make_all,
    make_client,
    make_pool,
    make_user,
    outcome,
    refresh,
    said,
    token,
    verified,
)


def signed_in(name):
    """From an invited user to tokens, and what went wrong on the way, as it should."""
    pool, client = make_all(name, **ROTATING)
    seen = {"foreign redirect": authorize(client, redirect_uri="https://evil.example/")[0]}
    page = login(client, FIRST)[2]
    seen["asks for a new password"] = "new_password" in page
    weak = form("/login", {**hidden(page), "new_password": "short", "confirm_password": "short"})
    seen["weak password"] = [weak[0], "did not conform with policy" in weak[2]]
    code = code_of(form("/login", {**hidden(page), "new_password": OWN, "confirm_password": OWN}))
    seen["wrong verifier"] = token(client, code, verifier="w" * 64)[0]
    answer = token(client, code)
    tokens = json.loads(answer[2])
    seen["code used twice"] = token(client, code)[0]
    access, identity = verified(pool, tokens["access_token"]), verified(pool, tokens["id_token"])
    seen["uses"] = [access["token_use"], identity["token_use"]]
    seen["issuer"] = access["iss"] == identity["iss"] == f"https://cognito-idp.{REGION}.amazonaws.com/{pool}"
    seen["client"] = access["client_id"] == identity["aud"] == client
    seen["email"] = identity["email"]
    seen["same person"] = access["sub"] == identity["sub"]
    head, _, signature = tokens["access_token"].split(".")
    other = base64.urlsafe_b64encode(json.dumps({**access, "sub": "bob"}).encode()).rstrip(b"=").decode()
    try:
        verified(pool, f"{head}.{other}.{signature}")
        seen["forged"] = "taken"
    except Exception as error:
        seen["forged"] = type(error).__name__
    first = tokens["refresh_token"]
    second = BROWSER.get_tokens_from_refresh_token(ClientId=client, RefreshToken=first)["AuthenticationResult"]["RefreshToken"]
    return {"seen": seen, "after": [pool, client, tokens["access_token"], first, second]}


def after(pool, client, access, first, second):
    """What a kill has left of that."""
    verified(pool, access)
    password = lambda value: outcome(
        BROWSER.initiate_auth, ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": USER, "PASSWORD": value}
    )
    return {
        "status": POOLS.admin_get_user(UserPoolId=pool, Username=USER)["UserStatus"],
        "own password": password(OWN),
        "temporary password": password(FIRST),
        "page": login(client, OWN)[0],
        "refresh token": refresh(client, second)[0],
        "refresh token before it": refresh(client, first)[0],
        "branding": outcome(POOLS.describe_managed_login_branding_by_client, UserPoolId=pool, ClientId=client),
    }


def refusals(name):
    """What AWS refuses, in a pool for it."""
    seen, pool = {}, make_pool(name, DeletionProtection="ACTIVE")
    client = make_client(pool)
    seen["sign-up"] = said(BROWSER.sign_up, ClientId=client, Username=USER, Password=OWN)
    make_user(pool)

    challenge = BROWSER.initiate_auth(
        ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": USER, "PASSWORD": FIRST}
    )
    answer = lambda session, password, challenge="NEW_PASSWORD_REQUIRED", user=USER: said(
        BROWSER.respond_to_auth_challenge,
        ClientId=client,
        ChallengeName=challenge,
        Session=session,
        ChallengeResponses={"USERNAME": user, "NEW_PASSWORD": password},
    )
    session, foreign = challenge["Session"], base64.b64encode(b"s" * 32).decode()
    make_user(pool, "bob@example.com")
    seen["weak password"] = answer(session, "short").split(":")[0]
    seen["no session"] = answer(foreign, OWN)
    seen["another's session"] = answer(session, OWN, user="bob@example.com")
    seen["no second factor"] = answer(foreign, OWN, "MFA_SETUP")
    seen["own password"] = answer(session, OWN)
    seen["session used twice"] = answer(session, OWN)
    BROWSER.forgot_password(ClientId=client, Username=USER)
    reset = lambda code: outcome(
        BROWSER.confirm_forgot_password, ClientId=client, Username=USER, ConfirmationCode=code, Password=OWN
    )
    seen["guessed code"] = [reset(code) for code in ("123456", "654321")]

    for kind, url in {
        "http elsewhere": "http://example.com/",
        "http on a name that begins so": "http://localhost.example.com/",
        "fragment": "https://example.com/#here",
        "https": "https://example.com/",
        "localhost": "http://localhost:4566/",
        "this machine by its number": "http://127.0.0.1:4566/",
        "app": "cloudpix://signed-in",
    }.items():
        settings = client_settings(CallbackURLs=[url])
        seen[f"callback: {kind}"] = [
            outcome(POOLS.create_user_pool_client, UserPoolId=pool, **settings),
            outcome(POOLS.update_user_pool_client, UserPoolId=pool, ClientId=client, **settings),
            outcome(POOLS.create_user_pool_client, UserPoolId=pool, **client_settings(LogoutURLs=[url])),
        ]

    domain = {"UserPoolId": pool, "Domain": name}
    seen["reserved word in a domain"] = said(POOLS.create_user_pool_domain, UserPoolId=pool, Domain=f"{name}-aws")
    seen["pages without a domain"] = authorize(client)[0]
    POOLS.update_user_pool_client(UserPoolId=pool, ClientId=client, **client_settings())
    POOLS.create_user_pool_domain(**domain, ManagedLoginVersion=2)
    page = authorize(client)
    seen["pages without branding"] = [page[0], "Login pages unavailable" in page[2]]
    style = {"UserPoolId": pool, "ClientId": client}
    seen["branding of no pool"] = outcome(
        POOLS.create_managed_login_branding, UserPoolId=f"{REGION}_none", ClientId=client, UseCognitoProvidedValues=True
    )
    seen["branding of nothing"] = outcome(POOLS.create_managed_login_branding, **style)
    made = POOLS.create_managed_login_branding(**style, UseCognitoProvidedValues=True)["ManagedLoginBranding"]
    seen["branding"] = {key: made.get(key) for key in ("UseCognitoProvidedValues", "Assets", "Settings")}
    seen["second branding"] = outcome(POOLS.create_managed_login_branding, **style, UseCognitoProvidedValues=True)
    by_client = POOLS.describe_managed_login_branding_by_client(**style)["ManagedLoginBranding"]
    found = {"UserPoolId": pool, "ManagedLoginBrandingId": made["ManagedLoginBrandingId"]}
    seen["branding is found"] = by_client == POOLS.describe_managed_login_branding(**found)["ManagedLoginBranding"] == made
    seen["pages with branding"] = authorize(client)[0]
    POOLS.delete_managed_login_branding(**found)
    seen["branding is gone"] = [
        outcome(POOLS.describe_managed_login_branding_by_client, **style),
        outcome(POOLS.delete_managed_login_branding, **found),
        authorize(client)[0],
    ]

    seen["protected pool"] = said(POOLS.delete_user_pool, UserPoolId=pool)
    POOLS.update_user_pool(UserPoolId=pool, PoolName="renamed")
    left = POOLS.describe_user_pool(UserPoolId=pool)["UserPool"]
    kept = ("Name", "DeletionProtection", "AutoVerifiedAttributes", "UserPoolTags", "UserPoolTier")
    seen["after an update of nothing"] = {key: left.get(key) for key in kept}
    seen["its password policy"] = left["Policies"]["PasswordPolicy"]["MinimumLength"]
    POOLS.update_user_pool_client(UserPoolId=pool, ClientId=client)
    left = POOLS.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    seen["its client"] = [left["ClientName"], left["CallbackURLs"], left["AllowedOAuthFlowsUserPoolClient"]]
    seen["pool with a domain"] = said(POOLS.delete_user_pool, UserPoolId=pool)
    seen["no such domain"] = outcome(POOLS.delete_user_pool_domain, UserPoolId=pool, Domain=f"{name}-none")
    POOLS.delete_user_pool_domain(**domain)
    seen["pool"] = outcome(POOLS.delete_user_pool, UserPoolId=pool)

    verify_first = {"UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]}}
    loose = make_pool(f"{name}-loose", UsernameConfiguration={"CaseSensitive": False}, **verify_first)
    make_user(loose)
    seen["name in capitals"] = outcome(POOLS.admin_get_user, UserPoolId=loose, Username=USER.upper())
    seen["invited twice"] = outcome(POOLS.admin_create_user, UserPoolId=loose, Username=USER.capitalize())
    seen["update without the attributes to verify"] = outcome(POOLS.update_user_pool, UserPoolId=loose)
    verified_email = {"AutoVerifiedAttributes": ["email"]}
    seen["update with them"] = outcome(POOLS.update_user_pool, UserPoolId=loose, **verified_email)

    lite = make_pool(f"{name}-lite", UserPoolTier="LITE")
    lite_domain = {"UserPoolId": lite, "Domain": f"{name}-lite"}
    seen["managed login in Lite"] = outcome(POOLS.create_user_pool_domain, **lite_domain, ManagedLoginVersion=2)
    seen["classic pages in Lite"] = outcome(POOLS.create_user_pool_domain, **lite_domain, ManagedLoginVersion=1)
    passkeys = {"PasswordPolicy": POLICY, "SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}}
    seen["passkeys in Lite"] = outcome(POOLS.update_user_pool, UserPoolId=lite, Policies=passkeys)
    return seen


def rotated(name):
    """Refresh tokens of a client that rotates them, with no time of grace and with some."""
    seen, (pool, plain) = {}, make_all(name)
    rotation = ROTATING["RefreshTokenRotation"]
    both = client_settings(RefreshTokenRotation=rotation)
    seen["with plain refresh"] = outcome(POOLS.create_user_pool_client, UserPoolId=pool, **both)
    strict = make_client(pool, **ROTATING)
    lenient = make_client(pool, **{**ROTATING, "RefreshTokenRotation": {**rotation, "RetryGracePeriodSeconds": 2}})
    seen["kept"] = POOLS.describe_user_pool_client(UserPoolId=pool, ClientId=strict)["UserPoolClient"]["RefreshTokenRotation"]
    for client in (strict, lenient):
        POOLS.create_managed_login_branding(UserPoolId=pool, ClientId=client, UseCognitoProvidedValues=True)
    seen["not rotating"] = "refresh_token" in json.loads(refresh(plain, first_sign_in(plain)["refresh_token"])[2])

    first = json.loads(token(strict, code_of(login(strict, OWN)))[2])["refresh_token"]
    second = json.loads(refresh(strict, first)[2])["refresh_token"]
    seen["used twice"] = refresh(strict, first)[0]
    seen["ends when the first does"] = claims(first)["exp"] == claims(second)["exp"]
    call = lambda client, value: BROWSER.get_tokens_from_refresh_token(ClientId=client, RefreshToken=value)
    third = call(strict, second)["AuthenticationResult"]["RefreshToken"]
    seen["used twice by a call"] = outcome(call, client=strict, value=second)
    seen["all different"] = len({first, second, third}) == 3
    plainly = {"AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": {"REFRESH_TOKEN": third}}
    seen["refreshed plainly"] = outcome(BROWSER.initiate_auth, ClientId=strict, **plainly)
    seen["the third"] = refresh(strict, third)[0]

    first = json.loads(token(lenient, code_of(login(lenient, OWN)))[2])["refresh_token"]
    seen["within grace"] = [refresh(lenient, first)[0], refresh(lenient, first)[0]]
    time.sleep(3)
    seen["after grace"] = refresh(lenient, first)[0]
    return seen


if __name__ == "__main__":
    commands = {command.__name__: command for command in (signed_in, after, refusals, rotated, called, rights, doors)}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))
