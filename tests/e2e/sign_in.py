"""Signing in on the embedded AWS, as a browser does it, by a program of its own. Each command prints JSON."""

import base64
import hashlib
import html
import io
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile

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


def make_all(name):
    """A pool with pages that work, its client, and a user who has not signed in yet."""
    pool = make_pool(name)
    client = make_client(pool)
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


def signed_in(name):
    """From an invited user to tokens, and what went wrong on the way, as it should."""
    pool, client = make_all(name)
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
    return {"seen": seen, "pool": pool, "client": client, "access": tokens["access_token"], "refresh": tokens["refresh_token"]}


def after(pool, client, access, refresh_token):
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
        "refresh": refresh(client, refresh_token)[0],
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
        "this machine": "http://127.0.0.1:4566/",
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

    lite = make_pool(f"{name}-lite", UserPoolTier="LITE")
    lite_domain = {"UserPoolId": lite, "Domain": f"{name}-lite"}
    seen["managed login in Lite"] = outcome(POOLS.create_user_pool_domain, **lite_domain, ManagedLoginVersion=2)
    seen["classic pages in Lite"] = outcome(POOLS.create_user_pool_domain, **lite_domain, ManagedLoginVersion=1)
    passkeys = {"PasswordPolicy": POLICY, "SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}}
    seen["passkeys in Lite"] = outcome(POOLS.update_user_pool, UserPoolId=lite, Policies=passkeys)
    return seen


HANDLERS = {
    # Lets in whom it is shown "let me in", and counts how often it was asked.
    "authorize": """
asked = 0
def handler(event, context):
    global asked
    asked += 1
    api = "/".join(event["methodArn"].split("/")[:2])
    effect = "Allow" if event["headers"].get("authorization") == "let me in" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": api + "/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "ann", "policyDocument": policy, "context": {"owner": "ann", "asked": asked}}
""",
    "list": """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event["requestContext"].get("authorizer") or {})}
""",
}


def make_function(name, handler):
    """The ARN of an alias of a function that nobody may call yet."""
    role = f"{name}-role"
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = boto3.client("iam").create_role(
        RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    packed, lambdas = io.BytesIO(), boto3.client("lambda")
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("index.py", HANDLERS[handler])
    code = {"Code": {"ZipFile": packed.getvalue()}, "Runtime": "python3.12", "Handler": "index.handler"}
    lambdas.create_function(FunctionName=name, Role=arn, **code)
    lambdas.get_waiter("function_active_v2").wait(FunctionName=name)
    version = lambdas.publish_version(FunctionName=name)["Version"]
    return lambdas.create_alias(FunctionName=name, Name="live", FunctionVersion=version)["AliasArn"]


def allow(name, source, qualifier="live", **more):
    where = {"FunctionName": name, "StatementId": f"s{time.monotonic_ns()}", **({"Qualifier": qualifier} if qualifier else {})}
    allowed = {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com", **more}
    boto3.client("lambda").add_permission(**where, **allowed, SourceArn=source)
    return where


def forbid(where):
    boto3.client("lambda").remove_permission(**where)


def called(name):
    """Whom API Gateway calls, and what it makes of an authorizer."""
    gateway, seen = boto3.client("apigateway"), {}
    api = gateway.create_rest_api(name=name)["id"]
    source, url = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}", f"{ENDPOINT}/restapis/{api}/v1/_user_request_"
    uri = lambda arn: f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
    lists, authorizes = make_function(f"{name}-list", "list"), make_function(f"{name}-authorize", "authorize")
    settings = {
        "name": "people",
        "type": "REQUEST",
        "authorizerUri": uri(authorizes),
        "identitySource": "method.request.header.Authorization",
        "authorizerResultTtlInSeconds": 60,
    }
    authorizer = gateway.create_authorizer(restApiId=api, **settings)["id"]
    seen["same name"] = outcome(gateway.create_authorizer, restApiId=api, **settings)
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]

    def route(path, **how):
        at = {"restApiId": api, "resourceId": gateway.create_resource(restApiId=api, parentId=root, pathPart=path)["id"]}
        at["httpMethod"] = "GET"
        gateway.put_method(**at, **how)
        gateway.put_integration(**at, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri(lists))
        return at

    route("open", authorizationType="NONE")
    guarded = route("guarded", authorizationType="CUSTOM", authorizerId=authorizer)
    gateway.create_deployment(restApiId=api, stageName="v1")
    status = lambda path="open", **headers: http("GET", f"{url}/{path}", headers=headers)[0]

    seen["nobody allowed"] = status()
    for way, allowed in {
        "function, not its alias": (f"{source}/*", None, {}),
        "another API": (f"{source}x/*", "live", {}),
        "another route": (f"{source}/v1/GET/guarded", "live", {}),
        "another account": (f"{source}/*", "live", {"SourceAccount": "111111111111"}),
        "another service": (f"{source}/*", "live", {"Principal": "events.amazonaws.com"}),
        "its route": (f"{source}/v1/GET/open", "live", {}),
        "any stage": (f"{source}/*/GET/open", "live", {"SourceAccount": ACCOUNT}),
    }.items():
        where = allow(f"{name}-list", allowed[0], allowed[1], **allowed[2])
        seen[way] = status()
        forbid(where)
    allow(f"{name}-list", f"{source}/*")
    welcome = {"path": "guarded", "authorization": "let me in"}
    seen["authorizer nobody allowed"] = status(**welcome)
    where = allow(f"{name}-authorize", f"{source}/*/GET/*")
    seen["authorizer by the routes"] = status(**welcome)
    forbid(where)
    allow(f"{name}-authorize", f"{source}/authorizers/{authorizer}")
    seen["authorizer"] = status(**welcome)
    seen["no token"], seen["wrong token"] = status("guarded"), status("guarded", authorization="please")
    ask = lambda: json.loads(http("GET", f"{url}/guarded", headers={"authorization": "let me in"})[2])
    seen["context"] = [ask(), ask()]

    at = {"restApiId": api, "authorizerId": authorizer}
    patch = {"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": "300"}
    gateway.update_authorizer(**at, patchOperations=[patch])
    seen["patched"] = gateway.get_authorizer(**at)["authorizerResultTtlInSeconds"]
    seen["in use"] = said(gateway.delete_authorizer, **at)
    gateway.delete_method(**guarded)
    seen["unused"] = outcome(gateway.delete_authorizer, **at)

    # An ID token where the method asks for no scope, an access token where it does.
    pool, client = make_all(name)
    tokens = first_sign_in(client)
    arn = f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{pool}"
    people = gateway.create_authorizer(
        restApiId=api, name="pool", type="COGNITO_USER_POOLS", providerARNs=[arn], identitySource=settings["identitySource"]
    )["id"]
    how = {"authorizationType": "COGNITO_USER_POOLS", "authorizerId": people}
    route("identity", **how)
    route("scoped", **how, authorizationScopes=["openid"])
    gateway.create_deployment(restApiId=api, stageName="v1")
    for path in ("identity", "scoped"):
        seen[path] = [status(path, authorization=f"Bearer {tokens[kind]}") for kind in ("id_token", "access_token")]
    return seen


def restricted(name, *statements):
    """A client of Cognito's, of tags' and of functions' for a user with these rights, and no more."""
    iam = boto3.client("iam")
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return lambda service: boto3.client(service, **keys)


def rights(name):
    """What somebody may do who has rights on one pool only, how pools are found by their tags, and what is kept of them."""
    seen, tags = {}, {"cloudpix:stack": name, "cloudpix:env": "test"}
    pool, foreign = make_pool(name, UserPoolTags=tags, DeletionProtection="ACTIVE"), make_pool(f"{name}-other")
    arn = lambda pool: f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{pool}"
    on_pool = ("AdminGetUser", "DescribeUserPool", "ListTagsForResource", "ListUsers", "CreateUserPoolClient", "TagResource")
    on_all = ("cognito-idp:ListUserPools", "cognito-idp:DescribeUserPoolDomain", "tag:GetResources")
    limited = restricted(
        f"{name}-limited",
        {"Effect": "Allow", "Action": [f"cognito-idp:{call}" for call in on_pool], "Resource": arn(pool)},
        {"Effect": "Allow", "Action": list(on_all), "Resource": "*"},
    )
    mine, tagging = limited("cognito-idp"), limited("resourcegroupstaggingapi")
    make_user(pool)
    for label, at in (("own", pool), ("other", foreign)):
        seen[label] = {
            "AdminCreateUser": outcome(mine.admin_create_user, UserPoolId=at, Username="eve@example.com"),
            "AdminGetUser": outcome(mine.admin_get_user, UserPoolId=at, Username=USER),
            "DescribeUserPool": outcome(mine.describe_user_pool, UserPoolId=at),
            "DeleteUserPool": outcome(mine.delete_user_pool, UserPoolId=at),
            "CreateManagedLoginBranding": outcome(
                mine.create_managed_login_branding, UserPoolId=at, ClientId="none", UseCognitoProvidedValues=True
            ),
            "ListTagsForResource": outcome(mine.list_tags_for_resource, ResourceArn=arn(at)),
            "TagResource": outcome(mine.tag_resource, ResourceArn=arn(at), Tags={"more": "yes"}),
        }
    seen["ListUserPools"] = sorted(it["Name"] for it in mine.list_user_pools(MaxResults=60)["UserPools"] if name in it["Name"])
    seen["DescribeUserPoolDomain"] = mine.describe_user_pool_domain(Domain=f"{name}-none")["DomainDescription"]
    by_tag = lambda value: [
        it["ResourceARN"] == arn(pool)
        for it in tagging.get_resources(
            TagFilters=[{"Key": "cloudpix:stack", "Values": [value]}], ResourceTypeFilters=["cognito-idp:userpool"]
        )["ResourceTagMappingList"]
    ]
    seen["by tag"] = {name: by_tag(name), "no such": by_tag("none")}
    kept = POOLS.describe_user_pool(UserPoolId=pool)["UserPool"]
    seen["pool"] = {key: kept[key] for key in ("DeletionProtection", "UserPoolTags", "UserPoolTier", "UsernameAttributes")}
    return seen


ORIGINS = {"no": None, "own": ENDPOINT, "foreign": "https://evil.example", "other port": "http://localhost:1"}


def doors(name):
    """Who gets in without a key: what is asked from no page, from one of the emulator's own origin, and from others'."""
    pool, client = make_all(name)
    tokens = first_sign_in(client)
    json_1, calls = {"content-type": "application/x-amz-json-1.1"}, "AWSCognitoIdentityProviderService."
    call = lambda target, **data: ("POST", "/", json.dumps(data), {**json_1, "x-amz-target": calls + target})
    posted = {"content-type": "application/x-www-form-urlencoded"}
    page = lambda path, **fields: ("POST", path, urllib.parse.urlencode(fields), posted)
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    password = {"USERNAME": USER, "PASSWORD": OWN}
    signed_up = {"Username": "eve@example.com", "Password": OWN}
    renew = {"grant_type": "refresh_token", "client_id": client, "refresh_token": tokens["refresh_token"]}
    asked = {
        "page": ("GET", f"/oauth2/authorize?client_id={client}&response_type=code&redirect_uri={CALLBACK}", None, {}),
        "form": page("/login", client_id=client, redirect_uri=CALLBACK, username=USER, password="wrong"),
        "token": page("/oauth2/token", **renew),
        "user info": ("GET", "/oauth2/userInfo", None, bearer),
        "sign out": ("GET", f"/logout?client_id={client}&logout_uri={CALLBACK}", None, {}),
        "keys": ("GET", f"/{pool}/.well-known/jwks.json", None, {}),
        "configuration": ("GET", f"/{pool}/.well-known/openid-configuration", None, {}),
        "InitiateAuth": call("InitiateAuth", ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=password),
        "GetUser": call("GetUser", AccessToken=tokens["access_token"]),
        "GetTokensFromRefreshToken": call("GetTokensFromRefreshToken", ClientId=client, RefreshToken=tokens["refresh_token"]),
        # Refused by Cognito, not at the door.
        "RevokeToken": call("RevokeToken", ClientId="none", Token="none"),
        "SignUp": call("SignUp", ClientId=client, **signed_up),
        # What needs a key.
        "AdminGetUser": call("AdminGetUser", UserPoolId=pool, Username=USER),
        "AdminCreateUser": call("AdminCreateUser", UserPoolId=pool, Username=USER),
        "ListUserPools": call("ListUserPools", MaxResults=60),
        "DescribeUserPool": call("DescribeUserPool", UserPoolId=pool),
        "keys of no pool": ("GET", f"/{REGION}_none/.well-known/jwks.json", None, {}),
        "object so named": ("GET", "/bucket/.well-known/jwks.json", None, {}),
    }
    opened = lambda answer: answer[1].get("access-control-allow-origin")
    seen = {}
    for label, (method, path, body, headers) in asked.items():
        answers = [
            http(method, ENDPOINT + path, body, {**headers, **({"origin": origin} if origin else {})})
            for origin in ORIGINS.values()
        ]
        seen[label] = [answer[0] for answer in answers]
        refused = [opened(answer) for answer in answers if answer[0] == 403]
        assert not any(refused), (label, refused)

    preflight = {"origin": ORIGINS["foreign"], "access-control-request-method": "POST"}
    wanted = "access-control-request-headers"
    for label, path, headers in (
        ("preflight of a token", "/oauth2/token", {}),
        ("preflight of user info", "/oauth2/userInfo", {wanted: "authorization"}),
        ("preflight of a call", "/", {wanted: "content-type,x-amz-target"}),
        ("preflight of a form", "/login", {}),
        ("preflight of a page", "/oauth2/authorize", {}),
        ("preflight of nothing", "/", {wanted: "content-type"}),
    ):
        seen[label] = http("OPTIONS", ENDPOINT + path, headers={**preflight, **headers})[0]

    # An unsigned call is nothing else besides, whatever it carries, and is taken at its own place only.
    user = f"Action=CreateUser&UserName={name}-evil&Version=2010-05-08"
    target = {"x-amz-target": f"{calls}GetUser"}
    invoke = "/2015-03-31/functions/any/invocations"
    for label, path, body, headers in (
        ("call and query", f"/?{user}", "", target),
        ("call of a function", invoke, "{}", target),
        ("call to a page", "/login", "{}", target),
        ("call by another service", "/", "{}", {"x-amz-target": "DynamoDB_20120810.GetUser"}),
        ("call of Cognito's identities", "/", "{}", {"x-amz-target": "AWSCognitoIdentityService.GetId"}),
        ("call with a false signature", "/", "{}", {**target, "authorization": "AWS4-HMAC-SHA256 Credential=test/x"}),
        ("call and another", "/", "{}", {"x-amz-target": f"{calls}GetUser, {calls}AdminGetUser"}),
        ("put to a page", "/login", "{}", {"x-amz-target": "AmazonSSM.GetParameter"}),
        ("function's path behind a page", f"/login{invoke}", "{}", posted),
    ):
        seen[label] = http("POST", ENDPOINT + path, body, headers)[0]
    http("POST", f"{ENDPOINT}/", user, {**target, **posted})
    try:
        boto3.client("iam").get_user(UserName=f"{name}-evil")
        seen["user made by a call"] = True
    except ClientError as error:
        seen["user made by a call"] = error.response["Error"]["Code"] != "NoSuchEntity"
    return seen


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
