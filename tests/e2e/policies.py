"""Every policy that a stack has, as AWS has it, judged by parliament and cloudsplaining.

Prints JSON: what was judged, and what was found. Called as: policies.py STACK BUCKET, or as: policies.py
KIND, with one policy of that kind on standard input.
"""

import copy
import functools
import json
import logging
import sys
import warnings

import boto3

# parliament finds its data by pkg_resources, which says each time that it is to be replaced.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
logging.disable(logging.CRITICAL)

import parliament  # noqa: E402
from cloudsplaining.scan.assume_role_policy_document import AssumeRolePolicyDocument  # noqa: E402
from cloudsplaining.scan.policy_document import PolicyDocument  # noqa: E402
from cloudsplaining.scan.resource_policy_document import ResourcePolicyDocument  # noqa: E402


@functools.cache
def client(service):
    return boto3.client(service)


def everything(service, call, key):
    return [item for page in client(service).get_paginator(call).paginate() for item in page.get(key, [])]


def policies(stack, bucket):
    """(name, kind, document, ARN that it lies on) of each; a kind is `inline`, `trust` or `resource`."""
    iam, ours = client("iam"), f"{stack}-"
    for role in (role for role in everything("iam", "list_roles", "Roles") if role["RoleName"].startswith(ours)):
        name, arn = role["RoleName"], role["Arn"]
        yield f"trust of {name}", "trust", role["AssumeRolePolicyDocument"], arn
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            yield f"{policy} of {name}", "inline", document, arn
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
            version = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]
            yield f"{policy['PolicyName']} of {name}", "inline", version["Document"], arn
    text = client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
    yield f"bucket {bucket}", "resource", json.loads(text), f"arn:aws:s3:::{bucket}"
    for url in everything("sqs", "list_queues", "QueueUrls"):
        name = url.split("/")[-1]
        if name.startswith(ours):
            found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy", "QueueArn"])["Attributes"]
            yield f"queue {name}", "resource", json.loads(found["Policy"]), found["QueueArn"]
    for repository in everything("ecr", "describe_repositories", "repositories"):
        name = repository["repositoryName"]
        if name.startswith(ours):
            text = client("ecr").get_repository_policy(repositoryName=name)["policyText"]
            yield f"repository {name}", "resource", json.loads(text), repository["repositoryArn"]
    for function in everything("lambda", "list_functions", "Functions"):
        name = function["FunctionName"]
        if name.startswith(ours):
            text = client("lambda").get_policy(FunctionName=name, Qualifier="live")["Policy"]
            yield f"function {name}", "resource", json.loads(text), function["FunctionArn"]


def as_parliament_takes_it(document, arn):
    """parliament knows no policy that leaves out what it lies on, and addresses of IPv4 alone."""
    document = copy.deepcopy(document)
    for statement in document["Statement"]:
        statement.setdefault("Resource", arn)
        # On an emulator, and never on AWS, what does not leave the machine needs no TLS.
        if statement.get("Condition", {}).get("NotIpAddress") == {"aws:SourceIp": ["127.0.0.0/8", "::1/128"]}:
            del statement["Condition"]["NotIpAddress"]
    return document


def findings(kind, document, arn="arn:aws:iam::000000000000:role/judged"):
    text = json.dumps(as_parliament_takes_it(document, arn))
    judged = parliament.analyze_policy_string(text, include_community_auditors=True)
    for finding in judged.findings:
        # Who may have the role's credentials is all that a trust policy says.
        trusted = kind == "trust" and finding.location.get("actions") == ["sts:assumerole"]
        if not (trusted and finding.issue == "CREDENTIALS_EXPOSURE"):
            yield f"parliament: {finding.issue} {finding.detail} {finding.location}"
    if kind == "inline":
        # Conditions do not excuse a statement that is too wide.
        policy = PolicyDocument(document, flag_conditional_statements=True)
        found = {name: getattr(policy, name) for name in INLINE}
    elif kind == "trust":
        policy = AssumeRolePolicyDocument(document, current_account_id=client("sts").get_caller_identity()["Account"])
        found = {name: getattr(policy, name) for name in TRUST}
    else:
        found = {"internet_accessible_actions": ResourcePolicyDocument(document).internet_accessible_actions}
    yield from (f"cloudsplaining: {name} {what}" for name, what in found.items() if what)


INLINE = (
    "all_allowed_unrestricted_actions",
    "infrastructure_modification",
    "contains_statement_using_not_action",
    "allows_privilege_escalation",
    "permissions_management_without_constraints",
    "write_actions_without_constraints",
    "tagging_actions_without_constraints",
    "allows_data_exfiltration_actions",
    "credentials_exposure",
    "service_wildcard",
)
# Not `role_assumable_by_compute_services`: that Lambda can assume them is what these roles are for.
TRUST = (
    "internet_accessible_actions",
    "role_assumable_by_cross_account_principals",
    "role_assumable_by_any_principal",
    "role_assumable_by_any_principal_with_conditions",
)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(list(findings(sys.argv[1], json.load(sys.stdin)))))
    else:
        judged = list(policies(*sys.argv[1:]))
        found = {name: list(findings(kind, document, arn)) for name, kind, document, arn in judged}
        print(json.dumps({"judged": sorted(found), "found": {name: what for name, what in found.items() if what}}))
