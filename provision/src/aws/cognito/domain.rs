//! The domain of the pool of users, where its pages are.

use anyhow::bail;
use aws_sdk_cognitoidentityprovider::Client;

use super::{NOT_YET, describe};
use crate::aws::failure::{failed, is, optional};
use crate::aws::wait::retry;
use crate::stack::resource::sign_in::UserPool;

/// Which pages a domain has; older domains say nothing of it and have the older ones.
pub(super) async fn pages(client: &Client, domain: &str) -> anyhow::Result<Option<i32>> {
    let answer = client.describe_user_pool_domain().domain(domain).send().await;
    let answer = answer.map_err(failed("cognito-idp:DescribeUserPoolDomain"))?;
    let found = answer.domain_description.filter(|domain| domain.user_pool_id.is_some());
    Ok(found.map(|domain| domain.managed_login_version.unwrap_or(1)))
}

/// A pool has one domain of Cognito's own at most.
pub(super) async fn set_domain(
    client: &Client,
    id: &str,
    live: &UserPool,
    desired: &UserPool,
) -> anyhow::Result<()> {
    if let Some(other) = live.domain.as_deref().filter(|domain| Some(*domain) != desired.domain.as_deref()) {
        delete_domain(client, id, other).await?;
    }
    let Some(domain) = &desired.domain else { return Ok(()) };
    if live.domain.as_ref() == Some(domain) {
        let update = client.update_user_pool_domain().domain(domain).user_pool_id(id);
        let update = update.set_managed_login_version(desired.pages);
        let answer = retry(NOT_YET, async || update.clone().send().await).await;
        return answer.map(|_| ()).map_err(failed("cognito-idp:UpdateUserPoolDomain"));
    }
    let create = client.create_user_pool_domain().domain(domain).user_pool_id(id);
    let create = create.set_managed_login_version(desired.pages);
    let answer = retry(NOT_YET, async || create.clone().send().await).await;
    let Err(error) = answer else { return Ok(()) };
    // Where the response to an earlier try got lost, it is there.
    let refused = is(&error, &["InvalidParameterException", "LimitExceededException"]);
    let error = failed("cognito-idp:CreateUserPoolDomain")(error);
    let made = refused && describe(client, id).await?.is_some_and(|pool| pool.domain() == Some(domain));
    if made { Ok(()) } else { Err(error) }
}

pub(super) async fn delete_domain(client: &Client, id: &str, domain: &str) -> anyhow::Result<()> {
    let delete = client.delete_user_pool_domain().domain(domain).user_pool_id(id);
    let answer = retry(&NOT_YET[..1], async || delete.clone().send().await).await;
    // "No such domain": the response to an earlier try got lost.
    let gone = &["ResourceNotFoundException", "InvalidParameterException"];
    let gone = optional(answer, "cognito-idp:DeleteUserPoolDomain", gone)?.is_none();
    if gone && describe(client, id).await?.is_some_and(|pool| pool.domain() == Some(domain)) {
        bail!(
            "cognito-idp:DeleteUserPoolDomain: the domain {domain} of the user pool {id} cannot be deleted"
        );
    }
    Ok(())
}
