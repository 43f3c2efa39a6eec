//! The difference between what should exist and what does. Pure: no I/O, no clock, no AWS client.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::stack::Stack;
use crate::stack::id::Id;
use crate::stack::place::{Names, STACK_TAG};
use crate::stack::resource::Resource;

/// The steps that turn live into desired, in an order that respects what needs what.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a plan that nobody reads or applies does nothing"]
pub struct Plan {
    pub steps: Vec<Step>,
    /// What is as it should be.
    pub unchanged: Vec<Id>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub id: Id,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Create(Resource),
    Update {
        live: Resource,
        desired: Resource,
        changes: Vec<Change>,
    },
    /// AWS cannot change it in place: deleted, then created.
    Replace {
        live: Resource,
        desired: Resource,
        changes: Vec<Change>,
    },
    Delete(Resource),
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Path from the resource down, such as `indexes.OwnerIndex.sort-key`.
    pub field: String,
    /// `null` where the field is missing on AWS.
    pub from: Value,
    /// `null` where the field should not be.
    pub to: Value,
}

/// Why a plan cannot be made without harm.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// A resource has our name but not our tag.
    Foreign { id: Id, name: String, stack: Option<String> },
    /// Getting there would delete what cannot be brought back.
    LosesData { id: Id, name: String, field: String },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Foreign { id, name, stack: Some(stack) } => {
                write!(f, "{} {name} belongs to another stack, {stack:?}, by its tag {STACK_TAG}", id.kind())
            }
            Refusal::Foreign { id, name, stack: None } => write!(
                f,
                "{} {name} exists but has no tag {STACK_TAG}, so it is not touched; \
                 rename or remove it, or hand it over to this stack with `provision adopt`",
                id.kind()
            ),
            Refusal::LosesData { id, name, field } => {
                write!(
                    f,
                    "{} {name} would have to be replaced to change {field}, which would lose its data",
                    id.kind()
                )
            }
        }
    }
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether anything is deleted or replaced.
    pub fn destroys(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Delete(_) | Action::Replace { .. }))
    }

    /// The steps that must be done before the step at `index` may start.
    ///
    /// What is made waits for what it needs. What goes waits until nothing that needs it is left,
    /// and for everything that is made, so that nothing is taken from under a caller.
    pub fn needs(&self, index: usize) -> BTreeSet<usize> {
        let Step { id, action } = &self.steps[index];
        let deletes = |step: &Step| matches!(step.action, Action::Delete(_));
        let waits_for = |other: &Step| match action {
            Action::Delete(_) => !deletes(other) || other.id.needs().contains(id),
            _ => !deletes(other) && id.needs().contains(&other.id),
        };
        let others = self.steps.iter().enumerate().filter(|(other, _)| *other != index);
        others.filter(|(_, other)| waits_for(other)).map(|(other, _)| other).collect()
    }

    /// How many steps follow each one on the longest chain of those that wait for one another.
    pub fn lengths_behind(&self) -> Vec<usize> {
        let mut lengths = vec![0; self.steps.len()];
        // A chain is no longer than there are steps; each round settles at least one link of it.
        for _ in 0..self.steps.len() {
            for index in 0..self.steps.len() {
                for need in self.needs(index) {
                    lengths[need] = lengths[need].max(lengths[index] + 1);
                }
            }
        }
        lengths
    }

    /// The chain of steps that takes longest, by what each one took: no run can be quicker.
    pub fn critical_path(&self, took: impl Fn(usize) -> Duration) -> Vec<usize> {
        let mut paths: Vec<(Duration, Vec<usize>)> = vec![(Duration::ZERO, Vec::new()); self.steps.len()];
        let behind = self.lengths_behind();
        let mut order: Vec<usize> = (0..self.steps.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(behind[index]));
        for index in order {
            let before = self.needs(index).into_iter().map(|need| paths[need].clone()).max();
            let (time, mut path) = before.unwrap_or_default();
            path.push(index);
            paths[index] = (time + took(index), path);
        }
        paths.into_iter().max().unwrap_or_default().1
    }
}

impl Action {
    /// For an error: "create the S3 bucket …".
    pub fn verb(&self) -> &'static str {
        match self {
            Action::Create(_) => "create",
            Action::Update { .. } => "update",
            Action::Replace { .. } => "replace",
            Action::Delete(_) => "delete",
        }
    }

    pub fn changes(&self) -> &[Change] {
        match self {
            Action::Update { changes, .. } | Action::Replace { changes, .. } => changes,
            Action::Create(_) | Action::Delete(_) => &[],
        }
    }
}

/// The plan, or an error that lists every reason to refuse it.
pub fn checked(plan: Result<Plan, Vec<Refusal>>) -> anyhow::Result<Plan> {
    plan.map_err(|refusals| {
        let lines: Vec<String> = refusals.iter().map(|refusal| format!("  {refusal}")).collect();
        anyhow::anyhow!("nothing was changed, because:\n{}", lines.join("\n"))
    })
}

pub fn plan(desired: &Stack, live: &Stack, names: &Names) -> Result<Plan, Vec<Refusal>> {
    let mut refusals: Vec<Refusal> = live.iter().filter_map(|(id, is)| foreign(*id, is, names)).collect();
    let mut plan = Plan::default();
    let replaced: BTreeSet<Id> = desired
        .iter()
        .filter(|(id, wanted)| live.get(id).is_some_and(|is| !can_become(is, wanted)))
        .map(|(id, _)| *id)
        .collect();
    for (id, wanted) in desired {
        // An alias and a permission are parts of their function and go with it.
        let gone = matches!(id, Id::Alias(f) | Id::Permission(f) if replaced.contains(&Id::Function(*f)));
        match live.get(id).filter(|_| !gone) {
            Some(is) if is == wanted => plan.unchanged.push(*id),
            Some(is) => {
                let changes = changes(is, wanted);
                let (live, desired) = (is.clone(), wanted.clone());
                let action = if !replaced.contains(id) {
                    Action::Update { live, desired, changes }
                } else if matches!(id, Id::Table(_) | Id::Bucket | Id::UserPool) {
                    let field = changes.first().map_or_else(String::new, |change| change.field.clone());
                    refusals.push(Refusal::LosesData { id: *id, name: names.of(*id), field });
                    continue;
                } else {
                    Action::Replace { live, desired, changes }
                };
                plan.steps.push(Step { id: *id, action });
            }
            None => plan.steps.push(Step { id: *id, action: Action::Create(wanted.clone()) }),
        }
    }
    let doomed = live.iter().rev().filter(|(id, _)| !desired.contains_key(id));
    plan.steps.extend(doomed.map(|(id, is)| Step { id: *id, action: Action::Delete(is.clone()) }));
    if refusals.is_empty() { Ok(plan) } else { Err(refusals) }
}

/// What gives our tags to the resources that have our names and nobody's tag, and changes nothing else.
pub fn adopt(live: &Stack, names: &Names) -> Result<Plan, Vec<Refusal>> {
    let (mut plan, mut refusals) = (Plan::default(), Vec::new());
    for (&id, is) in live {
        match foreign(id, is, names) {
            None => plan.unchanged.push(id),
            Some(Refusal::Foreign { stack: None, .. }) => {
                let desired = is.clone().tagged(&names.tags());
                let changes = changes(is, &desired);
                plan.steps.push(Step { id, action: Action::Update { live: is.clone(), desired, changes } });
            }
            Some(refusal) => refusals.push(refusal),
        }
    }
    if refusals.is_empty() { Ok(plan) } else { Err(refusals) }
}

fn foreign(id: Id, is: &Resource, names: &Names) -> Option<Refusal> {
    // The drawn suffix makes the bucket ours before it can be tagged.
    let tags = is.tags().filter(|tags| id != Id::Bucket || !tags.is_empty())?;
    let stack = tags.get(STACK_TAG);
    (stack != Some(&names.stack)).then(|| Refusal::Foreign { id, name: names.of(id), stack: stack.cloned() })
}

/// Whether AWS can change one into the other without deleting it.
fn can_become(is: &Resource, wanted: &Resource) -> bool {
    match (is, wanted) {
        (Resource::Function(_, is), Resource::Function(_, wanted)) => {
            is.configuration.code.package == wanted.configuration.code.package
        }
        (Resource::Table(_, is), Resource::Table(_, wanted)) => is.partition_key == wanted.partition_key,
        (Resource::UserPool(is), Resource::UserPool(wanted)) => is.names == wanted.names,
        _ => true,
    }
}

/// Every leaf that differs, by its path. Lists of one length are compared item by item.
fn changes(is: &Resource, wanted: &Resource) -> Vec<Change> {
    let to_value = |resource| serde_json::to_value(resource).unwrap_or(Value::Null);
    let mut changes = Vec::new();
    compare("", &to_value(is), &to_value(wanted), &mut changes);
    changes
}

fn compare(path: &str, is: &Value, wanted: &Value, changes: &mut Vec<Change>) {
    match (is, wanted) {
        _ if is == wanted => (),
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let value =
                    |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                compare(&path, &value(a), &value(b), changes);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{index}]"), a, b, changes);
            }
        }
        _ => changes.push(Change { field: path.to_owned(), from: is.clone(), to: wanted.clone() }),
    }
}

#[cfg(test)]
mod tests;
