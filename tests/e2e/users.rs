//! A stack whose users sign in: from nothing by way of their images to nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{Stack, python, root, skipped, text};
use crate::input::check;
use crate::pictures::{Answer, patiently, pictures, send};
use crate::security::{self, try_rights};

const OWN: &str = "correct horse battery staple 7-A";

/// A stack with settings of its own.
struct People {
    stack: Stack,
    folder: tempfile::TempDir,
}

impl People {
    fn new(env: &'static str, settings: &str) -> People {
        let people = People { stack: Stack::new(env), folder: tempfile::tempdir().unwrap() };
        people.set(settings);
        people
    }

    fn set(&self, settings: &str) {
        let text = format!("[defaults]\npackage = \"zip\"\n{settings}");
        std::fs::write(self.folder.path().join("cloudpix.toml"), text).unwrap();
    }

    fn arguments<'a>(&self, arguments: &[&'a str]) -> Vec<&'a str> {
        let config = self.folder.path().join("cloudpix.toml").to_str().unwrap().to_owned();
        [arguments, &["--config", String::leak(config)]].concat()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.stack.json(&self.arguments(arguments))
    }

    fn refused(&self, arguments: &[&str]) -> String {
        self.stack.refused(&self.arguments(arguments))
    }

    /// Signs in as a browser does, for the first time where `own` is a password to change to.
    fn access_token(&self, outputs: &Value, email: &str, password: &str, own: Option<&str>) -> String {
        let of = |name: &str| outputs["signIn"][name].as_str().unwrap_or_else(|| panic!("{outputs:#}"));
        let mut command = python();
        command.arg(root().join("tests/e2e/users.py")).envs(self.stack.emulator.credentials());
        command.args([of("clientId"), of("callback"), email, password]).args(own);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{email} signs in: {}", text(&output));
        let tokens: Value = serde_json::from_slice(&output.stdout).unwrap();
        tokens["access_token"].as_str().unwrap().to_owned()
    }
}

fn ask(url: &str, method: &str, path: &str, bearer: Option<&str>, body: &[u8]) -> Answer {
    let bearer = bearer.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "image/jpeg")];
    headers.extend(bearer.as_ref().map(|value| ("authorization", value.as_str())));
    patiently(|| send(method, &format!("{url}{path}"), &headers, body))
}

#[test]
fn each_user_has_images_of_their_own_by_a_sign_in_and_by_a_key() {
    if skipped() {
        return;
    }
    let people = People::new("people", "auth = \"users\"\n");
    people.json(&["apply", "--yes"]);
    let outputs = people.json(&["outputs"]);
    let url = outputs["apiUrl"].as_str().unwrap();
    assert_eq!(outputs["auth"], "users");

    // Nobody gets in without.
    for (method, path) in
        [("GET", "/list"), ("POST", "/upload"), ("DELETE", "/images/x"), ("GET", "/images/x")]
    {
        check("nothing", &ask(url, method, path, None, b""), 401, None);
        check("junk", &ask(url, method, path, Some("junk"), b""), 401, None);
    }
    let refusal = ask(url, "GET", "/list", None, b"");
    assert_eq!(refusal.header("www-authenticate"), "Bearer");
    assert_eq!(refusal.header("access-control-allow-origin"), "*");
    let asking = [("origin", "https://gallery.example"), ("access-control-request-method", "GET")];
    let preflight = send("OPTIONS", &format!("{url}/list"), &asking, b"");
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").contains("authorization"));

    // Ann is invited, signs in and uploads.
    let ann = people.json(&["users", "add", "ann@example.com"]);
    let said = people.refused(&["users", "add", "Ann@example.com"]);
    assert!(said.contains("provision users reset"), "{said}");
    let password = ann["password"].as_str().unwrap();
    let ann_token = people.access_token(&outputs, "ann@example.com", password, Some(OWN));
    let picture = std::fs::read(&pictures()[0]).unwrap();
    let uploaded = ask(url, "POST", "/upload?fileName=a.jpg", Some(&ann_token), &picture);
    assert_eq!(uploaded.status, 201, "{}", uploaded.json());
    let image = format!("/images/{}", uploaded.json()["imageId"].as_str().unwrap());
    assert_eq!(ask(url, "GET", "/list", Some(&ann_token), b"").json()["images"].as_array().unwrap().len(), 1);

    // A key of hers sees the same, and may do what it was made for.
    let key = people.json(&["keys", "create", "ann@example.com", "--scopes", "read", "--name", "curl"]);
    let secret = key["key"].as_str().unwrap();
    assert_eq!(ask(url, "GET", "/list", Some(secret), b"").json()["images"].as_array().unwrap().len(), 1);
    check("a key that may only read", &ask(url, "DELETE", &image, Some(secret), b""), 403, None);
    let keys = people.json(&["keys", "list", "ann@example.com"]);
    assert_eq!((&keys["count"], &keys["keys"][0]["keyId"]), (&json!(1), &key["keyId"]));
    assert!(!keys.to_string().contains(secret), "a key is shown once");

    // To Bob it is as if hers were not there.
    let bob = people.json(&["users", "add", "bob@example.com"]);
    let bob_token =
        people.access_token(&outputs, "bob@example.com", bob["password"].as_str().unwrap(), Some(OWN));
    assert_eq!(ask(url, "GET", "/list", Some(&bob_token), b"").json()["images"], json!([]));
    for method in ["GET", "DELETE"] {
        check("Ann's image", &ask(url, method, &image, Some(&bob_token), b""), 404, None);
    }

    // A key that is revoked is good for a minute at most.
    let key_id = key["keyId"].as_str().unwrap();
    people.json(&["keys", "revoke", "ann@example.com", key_id]);
    let revoked = Instant::now();
    while ask(url, "GET", "/list", Some(secret), b"").status != 401 {
        assert!(revoked.elapsed() < Duration::from_secs(70), "a revoked key is still let in");
        std::thread::sleep(Duration::from_secs(1));
    }

    // Removed, Bob cannot sign in.
    let said = people.refused(&["users", "remove", "bob@example.com"]);
    assert!(said.contains("--keep-images"), "{said}");
    people.json(&["users", "remove", "bob@example.com", "--keep-images", "--yes"]);
    let users = people.json(&["users", "list"]);
    assert_eq!(users["users"].as_array().unwrap().len(), 1, "{users}");
    let reset = people.json(&["users", "reset", "ann@example.com"]);
    people.access_token(&outputs, "ann@example.com", reset["password"].as_str().unwrap(), Some(OWN));

    assert_eq!(ask(url, "DELETE", &image, Some(&ann_token), b"").status, 204);
    assert_eq!(people.json(&["plan"])["changes"], json!([]));
    let status = people.json(&["status"]);
    assert_eq!(status["well"], true, "{status:#}");
    // Users are not removed by the way.
    let said = people.refused(&["destroy"]);
    assert!(said.contains("nobody is there to confirm"), "{said}");
    people.json(&["destroy", "--yes"]);
    assert_eq!(people.stack.emulator.witness(&["resources", "cloudpix-people"]), json!([]));
}

#[test]
fn the_authorizer_may_look_at_keys_and_note_their_use_and_nothing_else() {
    if skipped() {
        return;
    }
    let people = People::new("asked", "auth = \"users\"\n");
    people.json(&["apply", "--yes"]);
    let outputs = people.json(&["outputs"]);
    let (emulator, bucket) = (people.stack.emulator, outputs["bucket"].as_str().unwrap());
    try_rights(emulator, &["cloudpix-asked", bucket, "authorize", "list"]);
    let judged = security::python(emulator, "policies.py", &["cloudpix-asked", bucket], "");
    // Of four functions each: role, trust, repository, alias. And the bucket and the queue.
    assert_eq!(judged["judged"].as_array().unwrap().len(), 18, "{judged:#}");
    assert_eq!(judged["found"], json!({}), "{judged:#}");
}

/// A stack of before people could sign in is not switched by a default.
#[test]
fn a_stack_that_takes_keys_is_switched_only_where_that_is_written_down() {
    if skipped() {
        return;
    }
    let people = People::new("switched", "auth = \"api-key\"\n");
    people.json(&["apply", "--yes"]);
    let of_before = people.json(&["outputs", "--api-key"]);
    people.set("");
    let mut command = people.stack.provision(&people.arguments(&["plan"]));
    let output = command.output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("+ user pool") && said.contains("auth = \"api-key\" to keep it"), "{said}");
    let said = people.refused(&["apply", "--yes"]);
    assert!(said.contains("- API key") && said.contains("does not say whether"), "{said}");
    // What only works on it takes it for what it is.
    assert_eq!(people.json(&["outputs", "--api-key"]), of_before);
    people.json(&["status"]);
    people.json(&["deploy"]);
    people.set("auth = \"api-key\"\n");
    assert_eq!(people.json(&["plan"])["changes"], json!([]));

    // Written down, it is switched, and switched back.
    people.set("auth = \"users\"\n");
    people.json(&["apply", "--yes"]);
    people.set("");
    assert_eq!(people.json(&["plan"])["changes"], json!([]), "a stack for users needs nothing written");
    people.set("auth = \"api-key\"\n");
    people.json(&["apply", "--yes"]);
    assert_eq!(people.json(&["plan"])["changes"], json!([]));
    assert_eq!(people.stack.emulator.witness(&["sign_in", "cloudpix-switched"]), Value::Null);
    people.json(&["destroy", "--yes"]);
    assert_eq!(people.stack.emulator.witness(&["resources", "cloudpix-switched"]), json!([]));
}

/// What others set stays, what is ours comes back, and a lost state file is no matter.
#[test]
fn a_pool_of_users_that_drifts_is_mended_and_keeps_what_others_set() {
    if skipped() {
        return;
    }
    let people = People::new("drifters", "auth = \"users\"\n");
    people.json(&["apply", "--yes"]);
    let emulator = people.stack.emulator;
    let before = emulator.witness(&["sign_in", "cloudpix-drifters"]);
    assert_eq!(before["pool"]["DeletionProtection"], "ACTIVE");
    assert_eq!(before["pool"]["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"], true);
    assert_eq!(before["pool"]["UserPoolTier"], "ESSENTIALS");
    assert_eq!(before["pool"]["UserPoolTags"]["cloudpix:stack"], "cloudpix-drifters");
    assert_eq!((&before["domain"]["ManagedLoginVersion"], &before["styles"]), (&json!(2), &json!(1)));
    let client = &before["clients"][0];
    assert_eq!(client["ClientSecret"], Value::Null, "a page keeps no secret");
    assert_eq!(client["RefreshTokenRotation"]["Feature"], "ENABLED");
    assert_eq!(client["AllowedOAuthFlows"], json!(["code"]));

    emulator.witness(&["unsettle", "cloudpix-drifters"]);
    let output = people.stack.provision(&people.arguments(&["plan", "--json"])).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let plan = text(&output);
    for field in [
        "deletion-protection",
        "invitation-only",
        "callbacks",
        "rotation",
        "authorizer.kept-for",
        "style",
        "domain",
    ] {
        assert!(plan.contains(&format!("\"{field}")), "{field} is not in {plan}");
    }
    std::fs::remove_file(people.stack.state_file()).unwrap();
    people.json(&["apply", "--yes"]);
    assert_eq!(people.json(&["plan"])["changes"], json!([]));
    let after = emulator.witness(&["sign_in", "cloudpix-drifters"]);
    assert_eq!(after["pool"]["Id"], before["pool"]["Id"]);
    assert_eq!(after["pool"]["EmailVerificationSubject"], "theirs");
    assert_eq!(after["pool"]["UserPoolTags"]["theirs"], "kept");
    assert_eq!(after["pool"]["Policies"]["PasswordPolicy"]["MinimumLength"], 16);
    assert_eq!(after["clients"][0]["ReadAttributes"], json!(["email"]));

    // The cheaper plan has the older pages, and back again.
    for (tier, version, styles) in [("lite", 1, 0), ("essentials", 2, 1)] {
        people.set(&format!("auth = \"users\"\nsign-in.tier = {tier:?}\n"));
        people.json(&["apply", "--yes"]);
        assert_eq!(people.json(&["plan"])["changes"], json!([]));
        let seen = emulator.witness(&["sign_in", "cloudpix-drifters"]);
        assert_eq!(seen["pool"]["UserPoolTier"], tier.to_uppercase());
        assert_eq!(
            (&seen["domain"]["ManagedLoginVersion"], &seen["styles"]),
            (&json!(version), &json!(styles))
        );
    }
    people.json(&["destroy", "--yes"]);
    assert_eq!(emulator.witness(&["resources", "cloudpix-drifters"]), json!([]));
}
