//! Signing in, on the embedded AWS as on AWS: what `sign_in.py`, which is a browser and an administrator, sees of it.
//! Where it would take what AWS refuses, a stack would be green here and not work there.

use std::process::Command;

use serde_json::{Value, json};

use crate::cloud::{Emulator, python, root, skipped, text};

/// What a function of `sign_in.py` has seen.
fn seen(emulator: &Emulator, arguments: &[&str]) -> Value {
    let mut command = python();
    command.arg(root().join("tests/e2e/sign_in.py")).args(arguments).envs(emulator.credentials());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is expected, and nothing besides: one difference is shown at a time.
#[track_caller]
fn check(seen: &Value, expected: &Value) {
    let names = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(seen), names(expected));
    for (name, value) in seen.as_object().unwrap() {
        assert_eq!(value, &expected[name], "{name}");
    }
}

#[test]
fn whoever_signed_in_is_known_after_a_kill() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::start(folder.path(), 0);
    let before = seen(&emulator, &["signed_in", "kept"]);
    let expected = json!({
        "foreign redirect": 400,
        "asks for a new password": true,
        "weak password": [200, true],
        "wrong verifier": 400,
        "code used twice": 400,
        "uses": ["access", "id"],
        "issuer": true,
        "client": true,
        "email": "ann@example.com",
        "same person": true,
        "forged": "InvalidSignature",
    });
    check(&before["seen"], &expected);

    let server = std::fs::read(folder.path().join("server.json")).unwrap();
    let server: Value = serde_json::from_slice(&server).unwrap();
    let killed = Command::new("kill").args(["-9", &server["pid"].to_string()]).status().unwrap();
    assert!(killed.success());
    let emulator = Emulator::start(folder.path(), u16::try_from(server["port"].as_u64().unwrap()).unwrap());
    let known = before["after"].as_array().unwrap().iter().map(|value| value.as_str().unwrap());
    let arguments: Vec<&str> = std::iter::once("after").chain(known).collect();
    let expected = json!({
        "status": "CONFIRMED",
        "own password": "done",
        "temporary password": "NotAuthorizedException",
        "page": 302,
        "refresh token": 200,
        "refresh token before it": 400,
        "branding": "done",
    });
    check(&seen(&emulator, &arguments), &expected);
    emulator.stop();
}

#[test]
fn what_cognito_refuses_is_refused_here() {
    if skipped() {
        return;
    }
    let (refused, taken) =
        (Value::from(vec!["InvalidParameterException"; 3]), json!(["done", "done", "done"]));
    let invalid = |message: &str| json!(format!("InvalidParameterException: {message}"));
    let session = "NotAuthorizedException: Invalid session for the user.";
    let expected = json!({
        "sign-up": "NotAuthorizedException: SignUp is not permitted for this user pool",
        "weak password": "InvalidPasswordException",
        "no session": session,
        "another's session": session,
        "no second factor": session,
        "own password": "done",
        "session used twice": session,
        "guessed code": ["CodeMismatchException", "CodeMismatchException"],
        "callback: http elsewhere": refused,
        "callback: http on a name that begins so": refused,
        "callback: fragment": refused,
        "callback: https": taken,
        "callback: localhost": taken,
        "callback: this machine by its number": refused,
        "callback: app": taken,
        "reserved word in a domain": invalid("Domain cannot contain reserved word: aws"),
        "pages without a domain": 400,
        "pages without branding": [403, true],
        "branding of no pool": "ResourceNotFoundException",
        "branding of nothing": "InvalidParameterException",
        "branding": { "UseCognitoProvidedValues": true, "Assets": [], "Settings": null },
        "second branding": "ManagedLoginBrandingExistsException",
        "branding is found": true,
        "pages with branding": 200,
        "branding is gone": ["ResourceNotFoundException", "ResourceNotFoundException", 403],
        "protected pool": invalid(
            "The user pool cannot be deleted because deletion protection is activated. \
             Deletion protection must be inactivated first."
        ),
        "after an update of nothing": {
            "Name": "renamed",
            "DeletionProtection": "INACTIVE",
            "AutoVerifiedAttributes": [],
            "UserPoolTags": {},
            "UserPoolTier": "ESSENTIALS",
        },
        "its password policy": 8,
        "its client": ["gallery", [], false],
        "pool with a domain": invalid(
            "User pool cannot be deleted. It has a domain configured that should be deleted first."
        ),
        "no such domain": "InvalidParameterException",
        "pool": "done",
        "name in capitals": "done",
        "invited twice": "UsernameExistsException",
        "update without the attributes to verify": "InvalidParameterException",
        "update with them": "done",
        "managed login in Lite": "FeatureUnavailableInTierException",
        "classic pages in Lite": "done",
        "passkeys in Lite": "FeatureUnavailableInTierException",
    });
    check(&seen(Emulator::shared(), &["refusals", "refusals"]), &expected);
}

#[test]
fn a_refresh_token_that_rotates_is_good_once() {
    if skipped() {
        return;
    }
    let expected = json!({
        "with plain refresh": "InvalidParameterException",
        "kept": { "Feature": "ENABLED", "RetryGracePeriodSeconds": 0 },
        "not rotating": false,
        "used twice": 400,
        "ends when the first does": true,
        "used twice by a call": "NotAuthorizedException",
        "all different": true,
        "refreshed plainly": "InvalidParameterException",
        "the third": 200,
        "within grace": [200, 200],
        "after grace": 400,
    });
    check(&seen(Emulator::shared(), &["rotated", "rotated"]), &expected);
}

#[test]
fn api_gateway_calls_a_function_that_lets_it_and_takes_the_token_it_should() {
    if skipped() {
        return;
    }
    let context = json!({ "owner": "ann", "asked": "1", "principalId": "ann" });
    let expected = json!({
        "same name": "BadRequestException",
        "kept for too long": "BadRequestException",
        "no such authorizer": "BadRequestException",
        "nobody allowed": 500,
        "function, not its alias": 500,
        "another API": 500,
        "another route": 500,
        "another account": 500,
        "another service": 500,
        "its route": 200,
        "any stage": 200,
        "authorizer nobody allowed": 500,
        "authorizer by the routes": 500,
        "authorizer": 200,
        "no token": 401,
        "wrong token": 403,
        // The second is from the cache.
        "context": [context, context],
        "patched": 300,
        "in use": "ConflictException: Cannot delete authorizer 'people', is referenced in method: GET//guarded",
        "unused": "done",
        // By an ID token, and by an access token.
        "identity": [200, 401],
        "scoped": [401, 200],
    });
    check(&seen(Emulator::shared(), &["called", "called"]), &expected);
}

#[test]
fn a_right_on_one_pool_is_a_right_on_no_other_and_tags_find_it() {
    if skipped() {
        return;
    }
    let (denied, done) = ("AccessDeniedException", "done");
    let rights = |own: &str| {
        json!({
            "AdminCreateUser": denied,
            "AdminGetUser": own,
            "DescribeUserPool": own,
            "DeleteUserPool": denied,
            "CreateManagedLoginBranding": denied,
            "ListTagsForResource": own,
            "TagResource": own,
        })
    };
    let expected = json!({
        "own": rights(done),
        "other": rights(denied),
        "ListUserPools": ["owned", "owned-other"],
        "DescribeUserPoolDomain": {},
        "by tag": { "owned": [true], "no such": [] },
        "pool": {
            "DeletionProtection": "ACTIVE",
            "UserPoolTags": { "cloudpix:stack": "owned", "cloudpix:env": "test", "more": "yes" },
            "UserPoolTier": "ESSENTIALS",
            "UsernameAttributes": ["email"],
        },
    });
    check(&seen(Emulator::shared(), &["rights", "owned"]), &expected);
}

/// The four are: no page, one of the emulator's own, one of another origin, one of another port of this machine.
#[test]
fn signing_in_needs_no_key_and_other_pages_get_at_nothing_without_a_token() {
    if skipped() {
        return;
    }
    let (here, anywhere, nowhere) =
        (json!([200, 200, 403, 403]), Value::from(vec![200; 4]), Value::from(vec![403; 4]));
    let expected = json!({
        "page": here,
        "form": here,
        "token": anywhere,
        "user info": anywhere,
        "sign out": [302, 302, 403, 403],
        "keys": anywhere,
        "configuration": anywhere,
        "InitiateAuth": here,
        // 400 is Cognito's: such a token is not for that call, and nobody signs up.
        "GetUser": [400, 400, 400, 400],
        "GetTokensFromRefreshToken": anywhere,
        "RevokeToken": anywhere,
        "SignUp": [400, 400, 403, 403],
        "AdminGetUser": nowhere,
        "AdminCreateUser": nowhere,
        "ListUserPools": nowhere,
        "DescribeUserPool": nowhere,
        "keys of no pool": nowhere,
        "object so named": nowhere,
        "preflight of a token": 200,
        "preflight of user info": 200,
        "preflight of a call": 200,
        "preflight of a form": 403,
        "preflight of a page": 403,
        "preflight of nothing": 403,
        "page under another name": 403,
        "call and query": 403,
        "call of a function": 403,
        "call to a page": 403,
        "call by another service": 403,
        "call of Cognito's identities": 403,
        "call with a false signature": 400,
        "call and another": 403,
        "put to a page": 403,
        "function's path behind a page": 403,
        "user made by a call": false,
    });
    check(&seen(Emulator::shared(), &["doors", "doors"]), &expected);
}
