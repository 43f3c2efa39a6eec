"""What AWS does and MiniStack does not: what answers leave out, and what is refused."""

import contextvars
import json

from ministack.core import responses
from ministack.core.iam_evaluator import enforce
from ministack.services import apigateway_v1, cloudwatch, iam, lambda_svc

# The access key of the request that is being answered.
caller = contextvars.ContextVar("caller", default="")


def install():
    lambda_svc._get_function = get_function(lambda_svc._get_function)
    lambda_svc._put_function_concurrency = reserve(lambda_svc._put_function_concurrency)
    for call in ("_add_permission", "_remove_permission"):
        setattr(lambda_svc, call, overtaking(getattr(lambda_svc, call)))
    apigateway_v1._update_rest_api = numbered(apigateway_v1._update_rest_api)
    cloudwatch._validate_alarm_tag_arn = missing(cloudwatch._validate_alarm_tag_arn)
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = simulate(iam._IAM_HANDLERS["SimulatePrincipalPolicy"])


def get_function(original):
    """Tags are for those who may list them. https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html"""

    def get(name, qualifier=None):
        status, headers, body = original(name, qualifier)
        arn, region = lambda_svc._func_arn(name), responses.get_region()
        if status != 200 or not enforce(caller.get(), "lambda:ListTags", "lambda", region, resource_arn=arn):
            return status, headers, body
        answer = json.loads(body)
        del answer["Tags"]
        message = f"User is not authorized to perform: lambda:ListTags on resource: {arn}"
        answer["TagsError"] = {"ErrorCode": "AccessDeniedException", "Message": message}
        return status, headers, json.dumps(answer).encode()

    return get


def reserve(original):
    """Some of the account's share stays for functions that have none of their own.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    """

    def put(name, data):
        limit = json.loads(lambda_svc._get_account_settings()[2])["AccountLimit"]
        kept = 100 if limit["ConcurrentExecutions"] >= 100 else 10
        own = lambda_svc._functions.get(name, {}).get("concurrency") or 0
        if limit["UnreservedConcurrentExecutions"] + own - data["ReservedConcurrentExecutions"] < kept:
            message = (
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{kept}]."
            )
            return responses.error_response_json("InvalidParameterValueException", message, 400)
        return original(name, data)

    return put


def overtaking(original):
    """An alias and its policy have one revision.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """

    def change(name, what, query=None, path_qualifier=None):
        answer = original(name, what, query, path_qualifier)
        alias = path_qualifier or lambda_svc._qp_first(query or {}, "Qualifier")
        aliases = lambda_svc._functions.get(name, {}).get("aliases", {})
        if answer[0] < 400 and alias in aliases:
            aliases[alias]["RevisionId"] = responses.new_uuid()
        return answer

    return change


def numbered(original):
    """What a patch sets is text, and the API's smallest answer to compress is a number."""

    def update(api_id, data):
        for patch in data.get("patchOperations", []):
            if patch["path"] == "/minimumCompressionSize" and patch.get("value"):
                patch["value"] = int(patch["value"])
        return original(api_id, data)

    return update


def missing(original):
    """By the name that the calls about tags have for it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListTagsForResource.html
    """

    def validate(arn, is_json=False, is_cbor=False):
        if original(arn, is_json, is_cbor) is None:
            return None
        message = f"Alarm resource {arn} not found"
        return cloudwatch._error("ResourceNotFoundException", message, 404, use_json=is_json, use_cbor=is_cbor)

    return validate


def simulate(original):
    """A role is known by its whole ARN, with its path, and to MiniStack by its name."""

    def simulated(parameters):
        start, found, path = iam._p(parameters, "PolicySourceArn").partition(":role/")
        if not found:
            return original(parameters)
        name = path.rpartition("/")[2]
        if iam._roles.get(name, {}).get("Arn") != f"{start}:role/{path}":
            return iam._error(404, "NoSuchEntity", f"The role {path} cannot be found.", ns="iam")
        return original({**parameters, "PolicySourceArn": [f"{start}:role/{name}"]})

    return simulated
