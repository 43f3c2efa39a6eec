//! The answer to API Gateway: whether a request may reach the stage, and what functions are told of whose it is.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>.
//!
//! The policy says nothing of routes. Which scope one needs is for the function that serves it, since a 403 is to name
//! the scope that lacks.

use contract::context;
use image::owner::Owner;
use keys::scopes::Scopes;
use serde::Serialize;
use serde_json::{Value, json};

/// Whose request it is, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub owner: Owner,
    /// `user`, or the id of a key.
    pub by: String,
    pub scopes: Scopes,
}

/// By what a request was made that bears a token.
pub const USER: &str = "user";

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    principal_id: String,
    #[serde(rename = "policyDocument")]
    document: Value,
    context: Value,
}

impl Policy {
    /// Lets a request through to all of the stage, with whose it is.
    pub fn allow(stage: &str, grant: &Grant) -> Policy {
        let Grant { owner, by, scopes } = grant;
        Policy {
            principal_id: owner.to_string(),
            document: document("Allow", stage),
            context: json!({
                context::OWNER: owner.as_str(),
                context::BY: by,
                context::SCOPES: scopes.to_string(),
            }),
        }
    }

    /// Lets a request through to nothing.
    pub fn deny(stage: &str) -> Policy {
        Policy { principal_id: "nobody".to_owned(), document: document("Deny", stage), context: json!({}) }
    }

    pub fn allows(&self) -> bool {
        self.document["Statement"][0]["Effect"] == "Allow"
    }
}

fn document(effect: &str, stage: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": effect, "Action": "execute-api:Invoke", "Resource": stage }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcde12345/v1/*";

    #[test]
    fn an_answer_is_as_api_gateway_wants_it() {
        let grant = Grant {
            owner: Owner::user("alice").unwrap(),
            by: "019aaf2c-0000-7000-8000-000000000009".to_owned(),
            scopes: Scopes::read("delete read"),
        };
        let policy = Policy::allow(STAGE, &grant);
        assert!(policy.allows());
        assert_eq!(
            serde_json::to_value(policy).unwrap(),
            json!({
                "principalId": "alice",
                "policyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": STAGE }],
                },
                "context": {
                    "owner": "alice",
                    "by": "019aaf2c-0000-7000-8000-000000000009",
                    "scopes": "read delete",
                },
            })
        );
        let policy = Policy::deny(STAGE);
        assert!(!policy.allows());
        let denied = serde_json::to_value(policy).unwrap();
        assert_eq!(denied["policyDocument"]["Statement"][0]["Effect"], "Deny");
        assert_eq!((&denied["principalId"], &denied["context"]), (&json!("nobody"), &json!({})));
    }
}
