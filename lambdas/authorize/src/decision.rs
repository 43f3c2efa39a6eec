//! What becomes of a question: the policy that is its answer, and the status that its line in the log has.

use anyhow::anyhow;
use catalog::failure::Failure;
use catalog::log::Line;
use jiff::Timestamp;

use crate::authorizer::Authorizer;
use crate::event::Event;
use crate::policy::Policy;

#[derive(Debug)]
pub struct Decision {
    /// That of the request, as far as it is decided here.
    pub status: u16,
    /// The kind of problem, if it is not let in.
    pub problem: Option<&'static str>,
    /// Only a failure of ours has none: for that, API Gateway answers the request with 5xx.
    pub policy: Option<Policy>,
}

/// Decides on a request, whatever it shows of itself, and notes in the log's line why.
pub async fn decide(authorizer: &Authorizer, event: &Event, line: &Line, now: Timestamp) -> Decision {
    let Some(stage) = event.stage() else {
        return failed(&Failure::Broken(anyhow!("the event is none of API Gateway's")), line);
    };
    match authorizer.judge(event, line, now).await {
        Ok(Ok(grant)) => {
            line.by(Some(grant.by.clone()));
            Decision { status: 200, problem: None, policy: Some(Policy::allow(&stage, &grant)) }
        }
        Ok(Err(refusal)) => {
            line.remark(refusal.to_string());
            let policy = Some(Policy::deny(&stage));
            Decision { status: 401, problem: Some("unauthorized"), policy }
        }
        Err(failure) => failed(&failure, line),
    }
}

fn failed(failure: &Failure, line: &Line) -> Decision {
    line.cause(failure.cause());
    let (status, problem) = match failure {
        Failure::Busy(_) => (503, "unavailable"),
        Failure::Broken(_) => (500, "internal-server-error"),
    };
    Decision { status, problem: Some(problem), policy: None }
}

#[cfg(test)]
mod tests {
    use catalog::testing::world::World;
    use serde_json::{Value, json};

    use super::*;
    use crate::authorizer::tests::{bearer, event, over};
    use crate::testing::token;

    async fn decided(authorizer: &Authorizer, event: &Event) -> (Decision, Value) {
        let line = Line::new("request", "function", false);
        let now = Timestamp::now();
        let decision = decide(authorizer, event, &line, now).await;
        let line = line.json(decision.status, decision.problem, now);
        (decision, line)
    }

    #[tokio::test]
    async fn whoever_is_let_in_and_whoever_is_not_gets_a_policy() {
        let authorizer = over(&World::default(), 200);
        let (decision, line) = decided(&authorizer, &event(&[&bearer(&token())])).await;
        assert!(decision.policy.unwrap().allows());
        assert_eq!((&line["status"], &line["by"]), (&json!(200), &json!("user")));
        for authorization in [vec![], vec!["Bearer cpx_"], vec!["Bearer e30.e30.e30"]] {
            let (decision, line) = decided(&authorizer, &event(&authorization)).await;
            assert!(!decision.policy.unwrap().allows());
            assert_eq!((&line["status"], &line["level"]), (&json!(401), &json!("INFO")));
            assert_eq!(
                (&line["Reason"], line["remarks"].as_array().unwrap().len()),
                (&json!("unauthorized"), 1)
            );
        }
    }

    #[tokio::test]
    async fn a_failure_of_ours_is_no_policy_since_api_gateway_would_keep_it() {
        let (decision, line) = decided(&over(&World::default(), 500), &event(&[&bearer(&token())])).await;
        assert!(decision.policy.is_none());
        assert_eq!((&line["status"], &line["Reason"]), (&json!(503), &json!("unavailable")));
        let (decision, line) = decided(&over(&World::default(), 200), &Event::default()).await;
        assert!(decision.policy.is_none());
        assert_eq!((&line["status"], &line["level"]), (&json!(500), &json!("ERROR")));
    }
}
