"""What API Gateway refuses and MiniStack lets pass: whom it may call, and which token it takes."""

from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.services import apigateway_v1, lambda_svc

SERVICE = "apigateway.amazonaws.com"


def install():
    apigateway_v1._invoke_lambda_proxy_v1 = permitted(apigateway_v1._invoke_lambda_proxy_v1)
    apigateway_v1._invoke_lambda_custom_v1 = permitted(apigateway_v1._invoke_lambda_custom_v1)
    apigateway_v1._invoke_authorizer_lambda = permitted_authorizer(apigateway_v1._invoke_authorizer_lambda)
    apigateway_v1._validate_cognito_authorizer = id_token(apigateway_v1._validate_cognito_authorizer)
    apigateway_v1._create_authorizer = good_authorizer(apigateway_v1._create_authorizer)
    apigateway_v1._update_authorizer = numbered(apigateway_v1._update_authorizer)
    apigateway_v1._delete_authorizer = unused(apigateway_v1._delete_authorizer)
    apigateway_v1._put_method = known_authorizer(apigateway_v1._put_method)


def permitted(original):
    """A function is called by whom its policy names: the API, as the service's principal.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
    """

    async def invoke(integration, api_id, stage_name, stage, resource, path, method, *rest, **named):
        account, region = named["owner_account_id"], named["owner_region"]
        source = f"arn:aws:execute-api:{region}:{account}:{api_id}/{stage_name}/{method}{resource['path']}"
        if not integration.get("credentials") and not may_call(integration.get("uri", ""), source, account, region):
            return apigateway_v1._gw_error("API_CONFIGURATION_ERROR", "Internal server error")
        return await original(integration, api_id, stage_name, stage, resource, path, method, *rest, **named)

    return invoke


def permitted_authorizer(original):
    """The same for an authorizer, by a source of its own."""

    async def invoke(authorizer, event, account, region):
        api = event["methodArn"].partition("/")[0]
        source = f"{api}/authorizers/{authorizer['id']}"
        if not authorizer.get("authorizerCredentials"):
            if not may_call(authorizer.get("authorizerUri", ""), source, account, region):
                # As where there is no such function: 500.
                return None
        return await original(authorizer, event, account, region)

    return invoke


def may_call(uri, source, account, region):
    """Whether the policy of the function that a URI names lets the API in: that of the alias, where it names one.

    Where there is no such function, MiniStack says so itself.
    """
    resource = apigateway_v1._extract_lambda_ref_from_integration_uri(uri)
    start, _, name = resource.partition(":function:")
    function, _, _ = lambda_svc._get_func_record_for_ref_in_scope(
        f"{start}:function:{name.partition(':')[0]}", account_id=account, region=region
    )
    if function is None:
        return True
    # A function, each of its versions and each alias have policies of their own, which MiniStack keeps in one.
    statements = [it for it in function["policy"]["Statement"] if it["Resource"] == resource]
    asking = EvalContext(
        principal_arn="",
        principal_type="AssumedRole",
        principal_account=account,
        action="lambda:InvokeFunction",
        resource_arn=resource,
        region=region,
        service_context={"aws:sourcearn": source, "aws:sourceaccount": account},
    )
    return evaluate_resource_policy({"Statement": statements}, asking, service=SERVICE).decision == "Allow"


def id_token(original):
    """Without scopes on the method it takes ID tokens, with them access tokens.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enable-cognito-user-pool.html
    """

    async def validate(authorizer, method, headers, query, stage):
        claims, error = await original(authorizer, method, headers, query, stage)
        wanted = "access" if method.get("authorizationScopes") else "id"
        if not error and claims.get("token_use") != wanted:
            return None, apigateway_v1._gw_error("UNAUTHORIZED", "Unauthorized")
        return claims, error

    return validate


def good_authorizer(original):
    """Names are unique, so that a create which is repeated is refused."""

    def create(api_id, data):
        names = [it["name"] for it in apigateway_v1._authorizers_v1.get(api_id, {}).values()]
        if data.get("name") in names:
            return bad(f"Authorizer name must be unique. Authorizer {data['name']} already exists in this RestApi.")
        return out_of_range(data.get("authorizerResultTtlInSeconds", 0)) or original(api_id, data)

    return create


def numbered(original):
    """What a patch sets is text, and how long an answer is kept is a number."""

    def update(api_id, authorizer_id, data):
        for patch in data.get("patchOperations", []):
            if patch["path"] == "/authorizerResultTtlInSeconds" and patch.get("value"):
                patch["value"] = int(patch["value"])
                if problem := out_of_range(patch["value"]):
                    return problem
        return original(api_id, authorizer_id, data)

    return update


def out_of_range(seconds):
    return None if 0 <= seconds <= 3600 else bad("Authorizer result TTL must be between 0 and 3600 seconds")


def bad(message):
    return apigateway_v1._v1_error("BadRequestException", message, 400)


def known_authorizer(original):
    def put(api_id, resource_id, verb, data):
        asks = data.get("authorizationType") in ("CUSTOM", "COGNITO_USER_POOLS")
        if asks and data.get("authorizerId") not in apigateway_v1._authorizers_v1.get(api_id, {}):
            return bad(
                "Invalid authorizer ID specified. "
                "Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer."
            )
        return original(api_id, resource_id, verb, data)

    return put


def unused(original):
    """An authorizer goes after the methods that ask it.

    https://github.com/hashicorp/terraform-provider-aws/issues/14812 quotes what AWS says.
    """

    def delete(api_id, authorizer_id):
        for resource in apigateway_v1._resources.get(api_id, {}).values():
            for verb, method in resource.get("resourceMethods", {}).items():
                if method.get("authorizerId") == authorizer_id and method["authorizationType"] != "NONE":
                    name = apigateway_v1._authorizers_v1[api_id][authorizer_id]["name"]
                    message = f"Cannot delete authorizer '{name}', is referenced in method: {verb}/{resource['path']}"
                    return apigateway_v1._v1_error("ConflictException", message, 409)
        return original(api_id, authorizer_id)

    return delete
