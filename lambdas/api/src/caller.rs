//! Who sends a request, and what they may do.
//!
//! With sign-in, that is what the authorizer found out of a token or a key, and nothing that a request says of
//! itself. Without, everybody is one owner who may do everything. A request is asked for its caller, and a caller
//! for the scope of its route, in one place: `route::admit`.

use contract::{Auth, Scope, context};
use image::owner::Owner;

use crate::reject::{Problem, Reject};
use crate::request::RequestExt;

/// What the authorizer says where it was no key that let a request in.
const USER: &str = "user";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose images the request is about. Those of others are not there for it.
    pub owner: Owner,
    pub by: By,
    scopes: Vec<Scope>,
}

/// By what a request was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Nobody is told apart here.
    Everybody,
    /// A person who has signed in.
    User,
    /// A person's key for programs, by its id.
    Key(String),
}

impl By {
    /// As the authorizer says it; nothing where callers are not told apart.
    pub fn id(&self) -> Option<&str> {
        match self {
            By::Everybody => None,
            By::User => Some(USER),
            By::Key(id) => Some(id),
        }
    }
}

impl Caller {
    /// Fails where people sign in and this request comes with nobody: the stack is then not what it should be,
    /// and nothing is open because of that.
    pub fn of<B>(request: &http::Request<B>, auth: Auth) -> Result<Caller, Reject> {
        match auth {
            Auth::Users => signed_in(request).ok_or_else(|| {
                let detail = "nothing is known of who sends this request; sign in, or send a key";
                Reject::refused(Problem::Unauthorized, detail)
            }),
            Auth::ApiKey | Auth::None => {
                Ok(Caller { owner: Owner::public(), by: By::Everybody, scopes: Scope::ALL.into() })
            }
        }
    }

    /// Refuses what the caller may not do.
    pub fn check(&self, needed: Scope) -> Result<(), Reject> {
        if self.scopes.contains(&needed) { Ok(()) } else { Err(Reject::LacksScope { needed }) }
    }
}

/// The caller that the authorizer tells of, if it tells all of one.
fn signed_in<B>(request: &http::Request<B>) -> Option<Caller> {
    let owner = Owner::user(request.authorized(context::OWNER)?)?;
    let by = match request.authorized(context::BY)? {
        "" => return None,
        USER => By::User,
        key => By::Key(key.to_owned()),
    };
    // A scope that is not known here belongs to routes that are not here either.
    let scopes = request.authorized(context::SCOPES)?.split(' ').filter_map(Scope::named).collect();
    Some(Caller { owner, by, scopes })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::event;

    fn caller(authorizer: &Value, auth: Auth) -> Result<Caller, Reject> {
        let event = json!({
            "httpMethod": "GET",
            "resource": "/list",
            "requestContext": { "path": "/v1/list", "authorizer": authorizer },
        });
        Caller::of(&event::read(event.to_string().into_bytes()), auth)
    }

    #[test]
    fn a_caller_is_whom_the_authorizer_found() {
        // API Gateway adds how long that took.
        let user = json!({
            "owner": "4f8c7a52-1b0e-4d8a-9c55-0f1e2d3c4b5a",
            "by": "user",
            "scopes": "read write delete shares keys",
            "principalId": "4f8c7a52-1b0e-4d8a-9c55-0f1e2d3c4b5a",
            "integrationLatency": 7,
        });
        let user = caller(&user, Auth::Users).unwrap();
        assert_eq!((&user.owner, &user.by), (&image::testing::alice(), &By::User));
        for scope in Scope::ALL {
            user.check(scope).unwrap();
        }
        let key = json!({ "owner": "7", "by": "019aaf2c-0000-7000-8000-000000000009", "scopes": "read tag" });
        let key = caller(&key, Auth::Users).unwrap();
        assert_eq!(key.by, By::Key("019aaf2c-0000-7000-8000-000000000009".to_owned()));
        key.check(Scope::Read).unwrap();
        let error = key.check(Scope::Delete).unwrap_err();
        assert_eq!(error.to_string(), "this needs the scope delete, which the key was not made for");
    }

    #[test]
    fn where_people_sign_in_a_request_without_all_of_a_caller_is_refused() {
        let whole = json!({ "owner": "7", "by": "user", "scopes": "read" });
        caller(&whole, Auth::Users).unwrap();
        let mut refused = vec![json!(null), json!({}), json!("7"), json!(["7"])];
        for (name, values) in [
            ("owner", [json!(null), json!(""), json!("public"), json!("#deleting"), json!("a b")]),
            ("by", [json!(null), json!(""), json!(7), json!({}), json!(true)]),
            ("scopes", [json!(null), json!(7), json!({}), json!(true), json!(1.5)]),
        ] {
            for value in values {
                let mut broken = whole.clone();
                broken[name] = value;
                refused.push(broken);
            }
        }
        for authorizer in refused {
            let reject = caller(&authorizer, Auth::Users).unwrap_err();
            assert_eq!(reject.problem(), Problem::Unauthorized, "{authorizer}");
        }
    }

    #[test]
    fn where_nobody_signs_in_everybody_is_one_owner_whatever_a_request_holds() {
        for auth in [Auth::ApiKey, Auth::None] {
            for authorizer in [json!(null), json!({ "owner": "7", "by": "user", "scopes": "" })] {
                let caller = caller(&authorizer, auth).unwrap();
                assert_eq!((&caller.owner, &caller.by), (&Owner::public(), &By::Everybody));
                for scope in Scope::ALL {
                    caller.check(scope).unwrap();
                }
            }
        }
    }
}
