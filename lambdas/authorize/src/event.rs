//! What API Gateway asks an authorizer of type REQUEST. Only what is needed is read, and what is of another type than
//! it should be counts as absent:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html>.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
    method_arn: Value,
    headers: Value,
    multi_value_headers: Value,
}

impl Event {
    /// What a policy is about that holds for the whole stage: API Gateway keeps it for a while and takes it for every
    /// route. `None` if the event is none of API Gateway's.
    pub fn stage(&self) -> Option<String> {
        let mut parts = self.method_arn.as_str()?.splitn(3, '/');
        let api = parts.next().filter(|api| api.starts_with("arn:") && api.contains(":execute-api:"))?;
        let stage = parts.next().filter(|stage| !stage.is_empty())?;
        Some(format!("{api}/{stage}/*"))
    }

    /// The values of all `Authorization` headers. Case does not matter in a header's name, and HTTP/2 sends it in
    /// lower case.
    pub fn authorization(&self) -> Vec<&str> {
        let all = values(&self.multi_value_headers);
        if all.is_empty() { values(&self.headers) } else { all }
    }
}

fn values(headers: &Value) -> Vec<&str> {
    let headers = headers.as_object().into_iter().flatten();
    let named = headers.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let values =
        named.flat_map(|(_, value)| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice));
    values.filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(event: Value) -> Event {
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_policy_is_about_the_whole_stage() {
        let stage = |arn: &str| event(json!({ "methodArn": arn })).stage();
        let api = "arn:aws:execute-api:eu-west-1:123456789012:abcde12345";
        for method in ["GET/list", "DELETE/images/7", "GET/", "GET/a*/../..", ""] {
            assert_eq!(stage(&format!("{api}/v1/{method}")), Some(format!("{api}/v1/*")), "{method}");
        }
        let china = "arn:aws-cn:execute-api:cn-north-1:123456789012:abcde12345";
        assert_eq!(stage(&format!("{china}/v1/GET/list")), Some(format!("{china}/v1/*")));
        for arn in ["", "v1", api, &format!("{api}//GET/list"), "arn:aws:lambda:eu-west-1:1:function/v1/GET"]
        {
            assert_eq!(stage(arn), None, "{arn}");
        }
        assert_eq!(event(json!({ "methodArn": 7 })).stage(), None);
        assert_eq!(event(json!({})).stage(), None);
    }

    #[test]
    fn every_authorization_header_is_found() {
        for (told, values) in [
            (json!({}), vec![]),
            (json!({ "headers": null, "multiValueHeaders": "a" }), vec![]),
            (json!({ "headers": { "Authorization": "a", "Other": "x" } }), vec!["a"]),
            (json!({ "headers": { "authorization": "a" } }), vec!["a"]),
            (json!({ "headers": { "Authorization": 7 } }), vec![]),
            // The one is the last of them, the other are all.
            (
                json!({ "headers": { "Authorization": "b" }, "multiValueHeaders": { "Authorization": ["a", "b"] } }),
                vec!["a", "b"],
            ),
            (
                json!({ "multiValueHeaders": { "Authorization": ["a"], "authorization": ["b"] } }),
                vec!["a", "b"],
            ),
        ] {
            assert_eq!(event(told.clone()).authorization(), values, "{told}");
        }
    }
}
