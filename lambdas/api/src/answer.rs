//! What the client hears: a body in JSON, nothing, the way to elsewhere, or a problem.

use anyhow::Context;
use catalog::log::Line;
use contract::variable;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION,
    RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use crate::reject::Reject;

/// An HTTP answer that no transport has touched yet.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
    /// The kind of problem, if it is one: the last part of its type.
    pub problem: Option<&'static str>,
}

impl Answer {
    /// Names the image that was made.
    #[must_use]
    pub fn located_at(mut self, image_id: Uuid) -> Answer {
        let path = format!("/images/{image_id}");
        self.headers.insert(LOCATION, HeaderValue::try_from(path).expect("a UUID is ASCII"));
        self
    }

    /// The same for a client that has `base` before the routes in its paths.
    #[must_use]
    pub fn below(mut self, base: &str) -> Answer {
        let location = self.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        if let Some(Ok(location)) = location.map(|path| HeaderValue::try_from(format!("{base}{path}"))) {
            self.headers.insert(LOCATION, location);
        }
        self
    }
}

/// Makes answers that a browser on the allowed origin may read.
#[derive(Clone, Debug)]
pub struct Answers {
    allow_origin: HeaderValue,
}

impl Answers {
    pub fn new(allow_origin: &str) -> anyhow::Result<Answers> {
        let value = HeaderValue::from_str(allow_origin)
            .with_context(|| format!("{} is no header value: {allow_origin}", variable::ALLOW_ORIGIN))?;
        Ok(Answers { allow_origin: value })
    }

    pub fn json(&self, status: StatusCode, body: &impl Serialize) -> Answer {
        self.answer(status, "application/json", body)
    }

    /// The answer that all is done and there is nothing more to say.
    pub fn no_content(&self) -> Answer {
        let headers = self.headers();
        Answer { status: StatusCode::NO_CONTENT, headers, body: String::new(), problem: None }
    }

    /// The answer that what was asked for lies elsewhere for a while.
    pub fn redirect(&self, url: &str) -> Result<Answer, Reject> {
        let mut headers = self.headers();
        let url = HeaderValue::try_from(url).context("a URL is no header value").map_err(Reject::Internal)?;
        headers.insert(LOCATION, url);
        Ok(Answer { status: StatusCode::TEMPORARY_REDIRECT, headers, body: String::new(), problem: None })
    }

    /// The answer to a request, whatever became of it. Causes go to the request's line in the log,
    /// and nowhere else.
    pub fn settle(&self, outcome: Result<Answer, Reject>, line: &Line) -> Answer {
        outcome.unwrap_or_else(|reject| {
            if let Reject::Busy(cause) | Reject::Internal(cause) = &reject {
                line.cause(cause);
            }
            self.problem(&reject)
        })
    }

    fn problem(&self, reject: &Reject) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            field: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            scope: Option<&'a str>,
        }
        let (field, scope) = match reject {
            Reject::Refused { field, .. } => (field.as_deref(), None),
            Reject::LacksScope { needed } => (None, Some(needed.name())),
            Reject::NotAllowed { .. } | Reject::Busy(_) | Reject::Internal(_) => (None, None),
        };
        let problem = reject.problem();
        let (status, kind, title) = problem.parts();
        let r#type = format!("urn:cloudpix:problem:{kind}");
        let detail = reject.to_string();
        let body = Body { r#type, title, status: status.as_u16(), detail, field, scope };
        let mut answer = self.answer(status, "application/problem+json", &body);
        match reject {
            Reject::Busy(_) => {
                answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Reject::NotAllowed { allow } => {
                answer.headers.extend(HeaderValue::try_from(allow).ok().map(|allow| (ALLOW, allow)));
            }
            Reject::Refused { .. } | Reject::LacksScope { .. } | Reject::Internal(_) => (),
        }
        Answer { problem: Some(kind), ..answer }
    }

    fn answer(&self, status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_string(body).expect("structs of strings and numbers always serialize");
        let mut headers = self.headers();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Answer { status, headers, body, problem: None }
    }

    /// What every answer carries.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.allow_origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Location, Retry-After"));
        if self.allow_origin != "*" {
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use contract::Scope;

    use super::*;
    use crate::reject::Problem;

    #[track_caller]
    fn check(reject: &Reject, status: u16, body: &str) -> Answer {
        let answer = Answers::new("*").unwrap().problem(reject);
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.body, body);
        answer
    }

    #[test]
    fn the_client_is_told_of_its_own_mistake_and_the_field() {
        check(
            &Reject::invalid("fileName", "the file name is empty"),
            400,
            r#"{"type":"urn:cloudpix:problem:bad-request","title":"Bad Request","status":400,"detail":"the file name is empty","field":"fileName"}"#,
        );
        check(
            &Reject::refused(Problem::UnsupportedMediaType, "no image"),
            415,
            r#"{"type":"urn:cloudpix:problem:unsupported-media-type","title":"Unsupported Media Type","status":415,"detail":"no image"}"#,
        );
        let answer = check(
            &Reject::NotAllowed { allow: "POST".to_owned() },
            405,
            r#"{"type":"urn:cloudpix:problem:method-not-allowed","title":"Method Not Allowed","status":405,"detail":"use POST"}"#,
        );
        assert_eq!(answer.headers["allow"], "POST");
        check(
            &Reject::LacksScope { needed: Scope::Delete },
            403,
            r#"{"type":"urn:cloudpix:problem:forbidden","title":"Forbidden","status":403,"detail":"this needs the scope delete, which the key was not made for","scope":"delete"}"#,
        );
    }

    #[test]
    fn a_failure_of_ours_keeps_its_cause_from_the_client() {
        let cause = || anyhow!("AccessDenied: arn:aws:iam::123456789012:role/secret");
        check(
            &Reject::Internal(cause()),
            500,
            r#"{"type":"urn:cloudpix:problem:internal-server-error","title":"Internal Server Error","status":500,"detail":"internal error"}"#,
        );
        let answer = check(
            &Reject::Busy(cause()),
            503,
            r#"{"type":"urn:cloudpix:problem:unavailable","title":"Service Unavailable","status":503,"detail":"the request could not be served now; try it again"}"#,
        );
        assert_eq!(answer.headers["retry-after"], "1");
    }

    #[test]
    fn causes_are_for_the_log() {
        let line = Line::new("request", "cloudpix-upload", false);
        let outcome = Err(Reject::Busy(anyhow!("throttled").context("put record 7")));
        let answer = Answers::new("*").unwrap().settle(outcome, &line);
        assert_eq!((answer.status.as_u16(), answer.problem), (503, Some("unavailable")));
        let line = line.json(503, answer.problem, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(line["causes"][0], "put record 7: throttled");
        let refused = Err(Reject::refused(Problem::TooManyPixels, "too many"));
        let line = Line::new("request", "cloudpix-upload", false);
        let answer = Answers::new("*").unwrap().settle(refused, &line);
        assert_eq!((answer.status.as_u16(), answer.problem), (422, Some("too-many-pixels")));
        assert_eq!(line.json(422, answer.problem, jiff::Timestamp::UNIX_EPOCH).get("causes"), None);
    }

    #[test]
    fn an_origin_that_no_header_can_hold_is_refused_at_start() {
        let error = Answers::new("a\nb").unwrap_err();
        assert_eq!(error.to_string(), "CLOUDPIX_ALLOW_ORIGIN is no header value: a\nb");
    }

    #[test]
    fn a_browser_may_read_every_answer() {
        let headers = |origin: &'static str| Answers::new(origin).unwrap().json(StatusCode::OK, &1).headers;
        let open = headers("*");
        assert_eq!(open["access-control-allow-origin"], "*");
        assert_eq!(open["access-control-expose-headers"], "Location, Retry-After");
        assert_eq!(open["cache-control"], "no-store");
        assert_eq!(open["x-content-type-options"], "nosniff");
        assert_eq!(open.get("vary"), None);
        assert_eq!(headers("https://pix.example")["vary"], "Origin");
        let nothing = Answers::new("*").unwrap().no_content();
        assert_eq!((nothing.status.as_u16(), nothing.body.as_str()), (204, ""));
        assert_eq!(nothing.headers["access-control-allow-origin"], "*");
        assert_eq!(nothing.headers.get("content-type"), None);
    }
}
