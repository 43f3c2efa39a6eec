"""Who gets where on the embedded AWS: API Gateway at functions, a user at pools, a browser at anything without a key."""

import io
import json
import time
import urllib.parse
import zipfile

import boto3
from botocore.exceptions import ClientError

from browser import (
    ACCOUNT,
    CALLBACK,
    ENDPOINT,
    OWN,
    POOLS,
    REGION,
    USER,
    first_sign_in,
    http,
    make_all,
    make_pool,
    make_user,
    outcome,
    said,
)

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
    seen["kept for too long"] = outcome(
        gateway.create_authorizer, restApiId=api, **{**settings, "name": "slow", "authorizerResultTtlInSeconds": 3601}
    )
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    nobody = {"restApiId": api, "resourceId": root, "httpMethod": "GET", "authorizerId": "none"}
    seen["no such authorizer"] = outcome(gateway.put_method, **nobody, authorizationType="CUSTOM")

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

    # A page's own name that leads to 127.0.0.1 by now.
    rebound = {"host": f"evil.example:{urllib.parse.urlparse(ENDPOINT).port}"}
    seen["page under another name"] = http("GET", ENDPOINT + asked["page"][1], headers=rebound)[0]

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
