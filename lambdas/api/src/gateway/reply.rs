//! An answer, as API Gateway's proxy integration takes it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::answer::Answer;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    pub status_code: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub is_base64_encoded: bool,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Reply {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = answer.headers.iter();
        Reply {
            status_code: answer.status.as_u16(),
            headers: headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            body: answer.body,
            is_base64_encoded: false,
        }
    }
}
