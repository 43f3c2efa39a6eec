//! IAM: one role a function, with one inline policy of ours.

use anyhow::Context;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType, Tag};
use contract::Function;
use serde_json::Value;

use super::failure::{failed, optional};
use super::wait::{NotYet, retry};
use super::{Aws, tag_changes};
use crate::permissions::{Refused, Statement};
use crate::stack::place::{Names, ROLE_POLICY};
use crate::stack::resource::lambda::Role;
use crate::stack::resource::managed_tags;

const GONE: &[&str] = &["NoSuchEntity"];
/// A role that was made a moment ago is not seen everywhere yet.
const NOT_VISIBLE: &[NotYet] = &[("NoSuchEntity", "")];

pub async fn read(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<Option<Role>> {
    let (client, name) = (&aws.iam, names.role(function));
    let role = optional(client.get_role().role_name(&name).send().await, "iam:GetRole", GONE)?;
    let Some(role) = role.and_then(|answer| answer.role) else { return Ok(None) };
    let policy = client.get_role_policy().role_name(&name).policy_name(ROLE_POLICY).send().await;
    let policy = optional(policy, "iam:GetRolePolicy", GONE)?;
    let policy = policy.map_or(Ok(Value::Null), |answer| document(&answer.policy_document))?;
    let trust = role.assume_role_policy_document().map_or(Ok(Value::Null), document)?;
    let tags = role.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone()));
    Ok(Some(Role { id: Some(role.role_id.clone()), tags: managed_tags(tags), trust, policy }))
}

/// IAM sends policy documents percent-encoded (RFC 3986).
fn document(text: &str) -> anyhow::Result<Value> {
    let text: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    serde_json::from_slice(&text).context("read a policy document that IAM answered")
}

fn tags(tags: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().context("build a tag");
    tags.into_iter().map(tag).collect()
}

/// Creates the role, and returns the id that IAM gave it.
pub async fn create(aws: &Aws, names: &Names, function: Function, desired: &Role) -> anyhow::Result<String> {
    let (client, name) = (&aws.iam, names.role(function));
    let made = client
        .create_role()
        .role_name(&name)
        .description(format!("What the Lambda function {} may do", names.function(function)))
        .assume_role_policy_document(desired.trust.to_string())
        .set_tags(Some(tags(desired.tags.clone())?))
        .send()
        .await
        .map_err(failed("iam:CreateRole"))?;
    put_policy(client, &name, &desired.policy).await?;
    Ok(made.role.context("iam:CreateRole answered no role")?.role_id)
}

/// The id of the role as it is now.
pub async fn id(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<String> {
    let get = aws.iam.get_role().role_name(names.role(function));
    let answer =
        retry(NOT_VISIBLE, async || get.clone().send().await).await.map_err(failed("iam:GetRole"))?;
    Ok(answer.role.context("iam:GetRole answered no role")?.role_id)
}

async fn put_policy(client: &Client, role: &str, policy: &Value) -> anyhow::Result<()> {
    let put =
        client.put_role_policy().role_name(role).policy_name(ROLE_POLICY).policy_document(policy.to_string());
    let answer = retry(NOT_VISIBLE, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("iam:PutRolePolicy"))
}

pub async fn update(
    aws: &Aws,
    names: &Names,
    function: Function,
    live: &Role,
    desired: &Role,
) -> anyhow::Result<()> {
    let (client, name) = (&aws.iam, names.role(function));
    let (set, unset): (_, Vec<String>) = tag_changes(&live.tags, &desired.tags);
    if !set.is_empty() {
        let call = client.tag_role().role_name(&name).set_tags(Some(tags(set)?));
        call.send().await.map_err(failed("iam:TagRole"))?;
    }
    if !unset.is_empty() {
        let call = client.untag_role().role_name(&name).set_tag_keys(Some(unset));
        call.send().await.map_err(failed("iam:UntagRole"))?;
    }
    if live.trust != desired.trust {
        let call =
            client.update_assume_role_policy().role_name(&name).policy_document(desired.trust.to_string());
        call.send().await.map_err(failed("iam:UpdateAssumeRolePolicy"))?;
    }
    if live.policy != desired.policy {
        put_policy(client, &name, &desired.policy).await?;
    }
    Ok(())
}

/// A role goes only when nothing is on it, so whatever others attached goes first.
pub async fn delete(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<()> {
    let (client, name) = (&aws.iam, names.role(function));
    let inline = client
        .list_role_policies()
        .role_name(&name)
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>();
    for policy in optional(inline.await, "iam:ListRolePolicies", GONE)?.unwrap_or_default() {
        let answer = client.delete_role_policy().role_name(&name).policy_name(policy).send().await;
        optional(answer, "iam:DeleteRolePolicy", GONE)?;
    }
    let attached = client
        .list_attached_role_policies()
        .role_name(&name)
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>();
    for policy in optional(attached.await, "iam:ListAttachedRolePolicies", GONE)?.unwrap_or_default() {
        let answer =
            client.detach_role_policy().role_name(&name).set_policy_arn(policy.policy_arn).send().await;
        optional(answer, "iam:DetachRolePolicy", GONE)?;
    }
    let delete = client.delete_role().role_name(&name);
    let answer = retry(&[("DeleteConflict", "")], async || delete.clone().send().await).await;
    optional(answer, "iam:DeleteRole", GONE).map(|_| ())
}

/// Returns those of the actions that the caller may not do.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
pub async fn denied(aws: &Aws, statements: &[Statement]) -> anyhow::Result<Vec<Refused>> {
    let principal = principal(aws).await;
    // An emulator does not know in what context it is asked.
    let can_tell = |statement: &&Statement| statement.condition.is_none() || aws.place.endpoint.is_none();
    let asked = statements.iter().filter(can_tell).map(async |statement| {
        let simulate = aws.iam.simulate_principal_policy().policy_source_arn(&principal);
        let simulate =
            simulate.set_action_names(Some(statement.actions.iter().map(ToString::to_string).collect()));
        // Any name that the pattern stands for does, and a policy for all of them allows it.
        let resource = statement.resources.first().map(|resource| resource.replace('*', "doctor"));
        let resource = resource.filter(|resource| resource != "doctor").unwrap_or_else(|| "*".to_owned());
        let answer = simulate.resource_arns(resource).set_context_entries(context(statement)).send().await;
        let answer = answer.map_err(failed("iam:SimulatePrincipalPolicy"))?;
        let results = answer.evaluation_results.unwrap_or_default().into_iter();
        // Where a policy asks for what a simulation does not know, such as the time, its result is a guess.
        let results = results.filter(|result| {
            result.eval_decision != PolicyEvaluationDecisionType::Allowed
                && result.missing_context_values().is_empty()
        });
        let refused = |action| Refused { statement: statement.id, action };
        anyhow::Ok(results.map(|result| refused(result.eval_action_name)).collect::<Vec<_>>())
    });
    let refused = futures_util::future::try_join_all(asked).await?;
    Ok(refused.into_iter().flatten().collect())
}

fn context(statement: &Statement) -> Option<Vec<ContextEntry>> {
    let (key, value) = statement.condition.as_ref()?;
    let entry = ContextEntry::builder().context_key_name(*key).context_key_values(value);
    Some(vec![entry.context_key_type(ContextKeyTypeEnum::String).build()])
}

/// IAM knows a session by its role, whose ARN has a path that the session's own lacks, such as that of
/// every role of IAM Identity Center. Who may not ask for it has a role without one, or is not told.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
async fn principal(aws: &Aws) -> String {
    let Some((role, arn)) = role_of(&aws.caller) else { return aws.caller.clone() };
    let answer = aws.iam.get_role().role_name(role).send().await.map_err(failed("iam:GetRole"));
    answer.ok().and_then(|answer| answer.role).map_or(arn, |role| role.arn)
}

/// The role of a session, by its name and by the ARN that it has where it lies in no path:
/// `arn:aws:sts::1:assumed-role/NAME/SESSION` is `arn:aws:iam::1:role/NAME`.
fn role_of(caller: &str) -> Option<(&str, String)> {
    let parts: Vec<&str> = caller.splitn(6, ':').collect();
    let [arn, partition, "sts", region, account, resource] = parts[..] else { return None };
    let role = resource.strip_prefix("assumed-role/")?.split('/').next()?;
    Some((role, format!("{arn}:{partition}:iam:{region}:{account}:role/{role}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_its_roles_and_a_user_is_nobodys() {
        let session = "arn:aws-cn:sts::1:assumed-role/AWSReservedSSO_Admin_0a1b/jane@example.com";
        let arn = "arn:aws-cn:iam::1:role/AWSReservedSSO_Admin_0a1b".to_owned();
        assert_eq!(role_of(session), Some(("AWSReservedSSO_Admin_0a1b", arn)));
        for other in ["arn:aws:iam::1:user/team/jane", "arn:aws:sts::1:federated-user/jane", "jane"] {
            assert_eq!(role_of(other), None);
        }
    }

    #[test]
    fn a_percent_encoded_document_is_decoded() {
        let text = "%7B%22Version%22%3A%222012-10-17%22%2C%22Sid%22%3A%22%E5%86%99%22%7D";
        assert_eq!(document(text).unwrap(), serde_json::json!({"Version": "2012-10-17", "Sid": "写"}));
        assert_eq!(document("{\"a\": \"100%\"}").unwrap(), serde_json::json!({"a": "100%"}));
        assert!(document("%").is_err());
    }
}
