//! What guards the planner: properties over a model of AWS, and the refusals one by one.

use std::collections::BTreeMap;

use contract::Function;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::*;
use crate::settings::{self, Package};
use crate::stack;
use crate::stack::id::Purpose;
use crate::stack::place::Place;
use crate::stack::resource::Tags;
use crate::stack::resource::lambda::Code;

fn names() -> Names {
    Names::new("default", "eu-west-1", "abcd1234")
}

fn stack(package: Package, memory: i32) -> Stack {
    let mut settings = settings::parse("[defaults]\nauth = \"users\"\n", "default").unwrap();
    for sizing in settings.functions.values_mut() {
        sizing.memory = memory;
    }
    let place = Place {
        partition: "aws".into(),
        account: "123456789012".into(),
        region: "eu-west-1".into(),
        endpoint: None,
    };
    let digest = if package == Package::Image { "sha256:00" } else { "AA==" };
    let code = Code { package, digest: digest.to_owned(), architecture: "arm64".to_owned() };
    let code: BTreeMap<Function, Code> = Function::ALL.map(|function| (function, code.clone())).into();
    stack::desired(&settings, &place, &names(), &code)
}

/// A model of AWS that refuses what AWS refuses.
struct World(Stack);

impl World {
    fn perform(&mut self, step: &Step, desired: &Stack) {
        let Step { id, action } = step;
        match action {
            Action::Create(resource) => self.create(*id, resource, desired),
            Action::Update { desired: resource, .. } => {
                let is = self.0.get(id).expect("an update of what does not exist");
                assert!(can_become(is, resource), "an update that AWS cannot make");
                self.0.insert(*id, resource.clone());
            }
            Action::Replace { desired: resource, .. } => {
                self.delete(*id);
                self.create(*id, resource, desired);
            }
            Action::Delete(_) => {
                for other in self.0.keys() {
                    assert!(
                        !other.needs().contains(id),
                        "{id:?} is deleted before {other:?}, which needs it"
                    );
                }
                self.delete(*id);
            }
        }
    }

    fn create(&mut self, id: Id, resource: &Resource, desired: &Stack) {
        for need in id.needs().iter().filter(|need| desired.contains_key(need)) {
            assert!(self.0.contains_key(need), "{id:?} is created before {need:?}");
        }
        assert!(self.0.insert(id, resource.clone()).is_none(), "a create of what exists");
    }

    fn delete(&mut self, id: Id) {
        self.0.remove(&id).expect("a delete of nothing");
        if let Id::Function(function) = id {
            self.0.remove(&Id::Alias(function));
            self.0.remove(&Id::Permission(function));
        }
    }

    /// Performs at most `count` steps, each chosen from those that may start.
    fn run(&mut self, plan: &Plan, desired: &Stack, count: usize, choices: &[Index]) {
        let mut done = BTreeSet::new();
        for choice in choices.iter().cycle().take(count.min(plan.steps.len())) {
            let waiting = (0..plan.steps.len()).filter(|index| !done.contains(index));
            let ready: Vec<usize> = waiting.filter(|index| plan.needs(*index).is_subset(&done)).collect();
            assert!(!ready.is_empty(), "no step may start");
            let index = ready[choice.index(ready.len())];
            self.perform(&plan.steps[index], desired);
            done.insert(index);
        }
    }
}

/// Any part of a stack, such as a run that was cut or a hand on the console leaves behind.
fn any_world() -> impl Strategy<Value = Stack> {
    let packages = prop_oneof![Just(Package::Image), Just(Package::Zip)];
    (packages, prop_oneof![Just(256), Just(512)]).prop_flat_map(|(package, memory)| {
        let all: Vec<(Id, Resource)> = stack(package, memory).into_iter().collect();
        let count = all.len();
        subsequence(all, 0..=count).prop_map(|part| {
            let mut part: Stack = part.into_iter().collect();
            // What is a part of something else goes with it.
            let whole = part.clone();
            part.retain(|id, _| match id {
                Id::Alias(f) => whole.contains_key(&Id::Function(*f)),
                Id::Permission(f) => {
                    whole.contains_key(&Id::Alias(*f)) && whole.contains_key(&Id::Function(*f))
                }
                Id::Image(f) => whole.contains_key(&Id::Repository(*f)),
                Id::Stage => whole.contains_key(&Id::Api),
                _ => true,
            });
            part
        })
    })
}

/// What `live` reads: it looks for the images that should be, and for no others.
fn visible(mut live: Stack, desired: &Stack) -> Stack {
    live.retain(|id, _| desired.contains_key(id) || !matches!(id, Id::Image(_)));
    live
}

fn any_goal() -> impl Strategy<Value = Stack> {
    prop_oneof![Just(Stack::new()), Just(stack(Package::Image, 512)), Just(stack(Package::Zip, 256))]
}

proptest! {
    #[test]
    fn applying_any_plan_reaches_the_desired_stack(
        live in any_world(), desired in any_goal(), choices in prop::collection::vec(any::<Index>(), 1..20)
    ) {
        let mut world = World(visible(live, &desired));
        let plan = plan(&desired, &world.0, &names()).unwrap();
        world.run(&plan, &desired, usize::MAX, &choices);
        prop_assert_eq!(world.0, desired);
    }

    #[test]
    fn a_run_that_is_cut_after_any_step_converges_when_run_again(
        live in any_world(), desired in any_goal(), cut in 0usize..25,
        choices in prop::collection::vec(any::<Index>(), 1..20)
    ) {
        let mut world = World(visible(live, &desired));
        let first = plan(&desired, &world.0, &names()).unwrap();
        world.run(&first, &desired, cut, &choices);
        let second = plan(&desired, &world.0, &names()).unwrap();
        world.run(&second, &desired, usize::MAX, &choices);
        prop_assert!(plan(&desired, &world.0, &names()).unwrap().is_empty());
    }

    #[test]
    fn the_critical_path_is_when_an_unbounded_run_ends(
        live in any_world(), desired in any_goal(), took in prop::collection::vec(0u64..1000, 40)
    ) {
        let plan = plan(&desired, &visible(live, &desired), &names()).unwrap();
        let took = |index: usize| Duration::from_millis(took[index]);
        let mut ends = BTreeMap::new();
        while ends.len() < plan.steps.len() {
            for index in 0..plan.steps.len() {
                let needs: Option<Vec<Duration>> =
                    plan.needs(index).iter().map(|need| ends.get(need).copied()).collect();
                if let Some(needs) = needs {
                    ends.insert(index, needs.into_iter().max().unwrap_or_default() + took(index));
                }
            }
        }
        let path = plan.critical_path(took);
        prop_assert_eq!(path.iter().copied().map(took).sum::<Duration>(), ends.into_values().max().unwrap_or_default());
        prop_assert!(path.windows(2).all(|two| plan.needs(two[1]).contains(&two[0])));
    }
}

#[test]
fn a_matching_world_plans_nothing() {
    let desired = stack(Package::Image, 512);
    let plan = plan(&desired, &desired, &names()).unwrap();
    assert_eq!((plan.steps.len(), plan.unchanged.len()), (0, desired.len()));
}

#[test]
fn a_change_names_its_field_from_and_to() {
    let (desired, mut live) = (stack(Package::Image, 512), stack(Package::Image, 512));
    let Some(Resource::Function(_, function)) = live.get_mut(&Id::Function(Function::List)) else { panic!() };
    function.configuration.memory = 128;
    function.configuration.environment.insert("EXTRA".to_owned(), "1".to_owned());
    let plan = plan(&desired, &live, &names()).unwrap();
    let [Step { id: Id::Function(Function::List), action: Action::Update { changes, .. } }] = &plan.steps[..]
    else {
        panic!("{plan:?}")
    };
    let change = |field: &str, from: Value, to: Value| Change { field: field.to_owned(), from, to };
    let expected =
        [change("environment.EXTRA", "1".into(), Value::Null), change("memory", 128.into(), 512.into())];
    assert_eq!(changes[..], expected);
}

#[test]
fn an_index_that_is_still_being_made_is_a_change() {
    let (desired, mut live) = (stack(Package::Image, 512), stack(Package::Image, 512));
    let Some(Resource::Table(_, table)) = live.get_mut(&Id::Table(Purpose::Metadata)) else { panic!() };
    table.indexes.get_mut("OwnerIndex").unwrap().status = "CREATING".to_owned();
    let plan = plan(&desired, &live, &names()).unwrap();
    let [Step { id: Id::Table(Purpose::Metadata), action: Action::Update { changes, .. } }] = &plan.steps[..]
    else {
        panic!("{plan:?}")
    };
    let field = "indexes.OwnerIndex.status".to_owned();
    assert_eq!(changes[..], [Change { field, from: "CREATING".into(), to: "ACTIVE".into() }]);
}

#[test]
fn another_package_replaces_the_function_and_makes_its_permission_again() {
    let plan = plan(&stack(Package::Zip, 512), &stack(Package::Image, 512), &names()).unwrap();
    let action = |id: Id| plan.steps.iter().find(|step| step.id == id).map(|step| step.action.verb());
    assert_eq!(action(Id::Function(Function::Upload)), Some("replace"));
    assert_eq!(action(Id::Permission(Function::Upload)), Some("create"));
    assert!(plan.destroys());
}

#[test]
fn a_resource_without_our_tag_is_refused_by_name() {
    let desired = stack(Package::Image, 512);
    let mut live = desired.clone();
    let Some(Resource::Table(_, table)) = live.get_mut(&Id::Table(Purpose::Metadata)) else { panic!() };
    table.tags = Tags::new();
    let Some(Resource::Role(_, role)) = live.get_mut(&Id::Role(Function::List)) else { panic!() };
    role.tags.insert(STACK_TAG.to_owned(), "cloudpix-other".to_owned());
    for goal in [desired, Stack::new()] {
        let refusals = plan(&goal, &live, &names()).unwrap_err();
        let text: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 2, "{text:?}");
        assert!(text[0].starts_with("DynamoDB table cloudpix-metadata exists but has no tag"), "{}", text[0]);
        assert!(text[1].contains("belongs to another stack, \"cloudpix-other\""), "{}", text[1]);
    }
}

#[test]
fn a_table_is_never_replaced() {
    let desired = stack(Package::Image, 512);
    let mut live = desired.clone();
    let Some(Resource::Table(_, table)) = live.get_mut(&Id::Table(Purpose::Metadata)) else { panic!() };
    table.partition_key = "Id".to_owned();
    let refusals = plan(&desired, &live, &names()).unwrap_err();
    let [Refusal::LosesData { id: Id::Table(Purpose::Metadata), field, .. }] = &refusals[..] else {
        panic!("{refusals:?}")
    };
    assert_eq!(field, "partition-key");
}

#[test]
fn a_bucket_that_could_not_be_tagged_yet_is_ours_by_its_drawn_suffix() {
    let desired = stack(Package::Image, 512);
    let mut live = desired.clone();
    live.insert(Id::Bucket, Resource::Bucket(stack::resource::storage::Bucket::default()));
    let plan = plan(&desired, &live, &names()).unwrap();
    assert!(matches!(&plan.steps[..], [Step { id: Id::Bucket, action: Action::Update { .. } }]));
}

#[test]
fn adopting_tags_what_is_nobodys_and_refuses_what_is_anothers() {
    let desired = stack(Package::Zip, 512);
    let untagged = |live: &mut Stack, id: Id, tags: Tags| {
        let resource = live.get_mut(&id).expect("it is part of every stack");
        match resource {
            Resource::Table(_, table) => table.tags = tags,
            Resource::LogGroup(_, group) => group.tags = tags,
            other => panic!("{other:?}"),
        }
    };
    let mut live = desired.clone();
    untagged(&mut live, Id::Table(Purpose::Metadata), Tags::new());
    assert!(plan(&desired, &live, &names()).is_err());
    let adopting = adopt(&live, &names()).unwrap();
    let [Step { id: Id::Table(Purpose::Metadata), action: Action::Update { desired: tagged, .. } }] =
        adopting.steps.as_slice()
    else {
        panic!("{adopting:?}")
    };
    assert_eq!(tagged, &desired[&Id::Table(Purpose::Metadata)]);
    let theirs = Tags::from([(STACK_TAG.to_owned(), "theirs".to_owned())]);
    untagged(&mut live, Id::LogGroup(Function::List), theirs);
    assert_eq!(adopt(&live, &names()).unwrap_err().len(), 1);
}

#[test]
fn a_function_that_was_stopped_by_hand_stays_stopped() {
    let desired = stack(Package::Zip, 512);
    for (by_hand, steps) in [(0, 0), (5, 1)] {
        let (mut wanted, mut live) = (desired.clone(), desired.clone());
        let Some(Resource::Function(_, is)) = live.get_mut(&Id::Function(Function::Process)) else {
            panic!("it is part of every stack")
        };
        is.concurrency = Some(by_hand);
        stack::keep_stopped(&mut wanted, &live);
        assert_eq!(plan(&wanted, &live, &names()).unwrap().steps.len(), steps, "{by_hand}");
    }
}
