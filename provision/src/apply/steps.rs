//! What a step does on AWS: an arm for each kind of resource and each of create, update and delete. No `match` has
//! an arm for everything else, so that the compiler finds what is missing for a further kind.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use contract::Function;

use super::{Event, Runner};
use crate::aws::failure::exists_already;
use crate::aws::{apigateway, cloudwatch, cognito, dynamodb, ecr, iam, lambda, logs, s3, sqs};
use crate::live::{self, Known, Suffix};
use crate::package::Artifact;
use crate::plan::{Action, Step};
use crate::stack::function::{Trigger, profile};
use crate::stack::place::{CLIENT_ID, POOL_ID, ROLE_ID};
use crate::stack::resource::Resource as R;
use crate::stack::resource::lambda::{Alias, Configuration, Lambda, Permission};
use crate::stack::resource::watch::Alarms;

/// The fields of a resource that is of this kind, or an error.
macro_rules! fields {
    ($resource:expr, $kind:path $(, $function:pat)?) => {
        match $resource {
            $kind($($function,)? fields) => fields,
            other => bail!("the plan pairs the {} with another kind of resource", other.id().kind()),
        }
    };
}

impl Runner<'_> {
    /// Performs a step, unless the lock is another run's by now, as after a sleep.
    pub(super) async fn start(&self, step: &Step, on: &impl Fn(Event<'_>)) -> anyhow::Result<()> {
        self.store.check_lock().await?;
        on(Event::Started(step));
        self.perform(&step.action, |text| on(Event::Progress(step, text))).await
    }

    async fn perform(&self, action: &Action, progress: impl Fn(String)) -> anyhow::Result<()> {
        match action {
            Action::Create(desired) => match self.create(desired, &progress).await {
                Err(error) if exists_already(&error) => self.take_over(desired, error, &progress).await,
                done => done,
            },
            Action::Update { live, desired, .. } => self.update(live, desired, progress).await,
            Action::Replace { live, desired, .. } => {
                self.delete(live, &progress).await?;
                self.create(desired, &progress).await
            }
            Action::Delete(live) => self.delete(live, progress).await,
        }
    }

    /// Where the response to a create got lost, AWS says of the next try that there is one already. What the first
    /// try made is ours when it has our tag, and is brought to what it should be.
    async fn take_over(
        &self,
        desired: &R,
        error: anyhow::Error,
        progress: impl Fn(String),
    ) -> anyhow::Result<()> {
        let api = self.record.borrow().api_id.clone();
        let known = Known { api: api.as_deref(), suffix: Suffix::Known, code: &BTreeMap::new(), users: true };
        match live::read_one(self.aws, self.names, &known, desired.id()).await? {
            Some(live) if live.tags() == desired.tags() => self.update(&live, desired, progress).await,
            _ => Err(error),
        }
    }

    fn api(&self) -> anyhow::Result<String> {
        self.record.borrow().api_id.clone().context("the REST API has no id yet")
    }

    /// The REST API's id, where it is the API that calls the function.
    fn caller_api(&self, function: Function) -> anyhow::Result<String> {
        match profile(function).trigger {
            Trigger::Objects => Ok(String::new()),
            Trigger::Requests | Trigger::Authorization => self.api(),
        }
    }

    async fn set_api(&self, id: Option<String>) -> anyhow::Result<()> {
        self.record.borrow_mut().api_id = id;
        let record = self.record.borrow().clone();
        self.store.save(&record).await
    }

    /// The configuration with what AWS invented, where that was still to be made.
    async fn with_ids(&self, function: Function, desired: &Configuration) -> anyhow::Result<Configuration> {
        let mut configuration = desired.clone();
        if desired.lacks(POOL_ID) {
            let pool = cognito::pool_id(self.aws, self.names).await?;
            configuration.fill_in(POOL_ID, Some(&pool.context("the user pool is gone; run again")?));
        }
        if desired.lacks(CLIENT_ID) {
            let client = cognito::client_id(self.aws, self.names).await?;
            configuration.fill_in(CLIENT_ID, Some(&client.context("the app client is gone; run again")?));
        }
        if desired.role_id == ROLE_ID {
            configuration.role_id = self.role_id(function).await?;
        }
        Ok(configuration)
    }

    async fn role_id(&self, function: Function) -> anyhow::Result<String> {
        let made = self.roles.borrow().get(&function).cloned();
        match made {
            Some(id) => Ok(id),
            // The response to its making got lost.
            None => iam::id(self.aws, self.names, function).await,
        }
    }

    fn artifact(&self, function: Function) -> anyhow::Result<&Artifact> {
        self.artifacts
            .get(&function)
            .with_context(|| format!("the function {} is not packed", function.name()))
    }

    async fn create(&self, desired: &R, progress: impl Fn(String)) -> anyhow::Result<()> {
        let Runner { aws, names, .. } = *self;
        match desired {
            R::Bucket(desired) => s3::create(aws, &names.bucket, desired).await,
            R::Table(of, desired) => dynamodb::create(aws, &names.table(*of), desired, progress).await,
            R::Queue(desired) => sqs::create(aws, &names.queue(), desired, progress).await,
            R::LogGroup(f, desired) => logs::create(aws, &names.log_group(*f), desired).await,
            R::AccessLog(desired) => logs::create(aws, &names.access_log(), desired).await,
            R::Role(f, desired) => {
                let id = iam::create(aws, names, *f, desired).await?;
                self.roles.borrow_mut().insert(*f, id);
                Ok(())
            }
            R::Repository(f, desired) => ecr::create(aws, names, *f, desired).await,
            R::Image(f, _) => match self.artifact(*f)? {
                Artifact::Image(image) => {
                    let progress = |sent, total| progress(pushed(sent, total));
                    ecr::push_image(aws, names, *f, image, progress).await
                }
                Artifact::Zip(_) => bail!("the function {} is packed as a zip file", f.name()),
            },
            R::Function(f, desired) => {
                let configuration = self.with_ids(*f, &desired.configuration).await?;
                let desired = Lambda { configuration, ..desired.clone() };
                lambda::create(aws, names, *f, &desired, self.artifact(*f)?).await
            }
            R::Alias(f, desired) => {
                let configuration = self.with_ids(*f, &desired.configuration).await?;
                lambda::create_alias(aws, names, *f, &Alias { configuration, ..desired.clone() }).await
            }
            R::Permission(f, desired) => {
                let api = self.caller_api(*f)?;
                lambda::set_permission(aws, names, *f, &api, &Permission::default(), desired).await
            }
            R::Notification(desired) => s3::notification::put(aws, &names.bucket, desired).await,
            R::Api(desired) => {
                let api = apigateway::create(aws, names, desired).await?;
                // On disk before anything else can go wrong.
                self.set_api(Some(api.clone())).await?;
                apigateway::update(aws, &api, &apigateway::bare(desired), desired).await
            }
            R::UserPool(desired) => cognito::create(aws, names, desired).await,
            R::AppClient(desired) => cognito::create_client(aws, names, &self.api()?, desired).await,
            R::ApiKey(desired) => apigateway::create_key(aws, names, desired).await,
            R::Stage(desired) => apigateway::create_stage(aws, &self.api()?, desired).await,
            R::UsagePlan(desired) => apigateway::create_plan(aws, names, &self.api()?, desired).await,
            R::Alarms(desired) => cloudwatch::set_alarms(aws, &Alarms::default(), desired).await,
            R::Dashboard(desired) => cloudwatch::put_dashboard(aws, names, desired).await,
        }
    }

    /// The planner pairs resources of one id, so `live` is of the same kind as `desired`.
    async fn update(&self, live: &R, desired: &R, progress: impl Fn(String)) -> anyhow::Result<()> {
        let Runner { aws, names, .. } = *self;
        match desired {
            R::Bucket(desired) => s3::update(aws, &names.bucket, fields!(live, R::Bucket), desired).await,
            R::Table(of, desired) => {
                let live = fields!(live, R::Table, _);
                dynamodb::update(aws, &names.table(*of), live, desired, progress).await
            }
            R::Queue(desired) => sqs::update(aws, &names.queue(), fields!(live, R::Queue), desired).await,
            R::LogGroup(f, desired) => {
                logs::update(aws, &names.log_group(*f), fields!(live, R::LogGroup, _), desired).await
            }
            R::AccessLog(desired) => {
                logs::update(aws, &names.access_log(), fields!(live, R::AccessLog), desired).await
            }
            R::Role(f, desired) => iam::update(aws, names, *f, fields!(live, R::Role, _), desired).await,
            R::Repository(f, desired) => {
                ecr::update(aws, names, *f, fields!(live, R::Repository, _), desired).await
            }
            // It is known by its digest alone, so another one is another image.
            R::Image(..) => Ok(()),
            R::Function(f, desired) => {
                let configuration = self.with_ids(*f, &desired.configuration).await?;
                let desired = Lambda { configuration, ..desired.clone() };
                let live = fields!(live, R::Function, _);
                lambda::update(aws, names, *f, live, &desired, self.artifact(*f)?).await
            }
            R::Alias(f, desired) => {
                let configuration = self.with_ids(*f, &desired.configuration).await?;
                lambda::update_alias(aws, names, *f, &Alias { configuration, ..desired.clone() }).await
            }
            R::Permission(f, desired) => {
                let live = fields!(live, R::Permission, _);
                lambda::set_permission(aws, names, *f, &self.caller_api(*f)?, live, desired).await
            }
            R::Notification(desired) => s3::notification::put(aws, &names.bucket, desired).await,
            R::Api(desired) => apigateway::update(aws, &self.api()?, fields!(live, R::Api), desired).await,
            R::UserPool(desired) => cognito::update(aws, fields!(live, R::UserPool), desired).await,
            R::AppClient(desired) => {
                let live = fields!(live, R::AppClient);
                cognito::update_client(aws, names, &self.api()?, live, desired).await
            }
            R::ApiKey(desired) => apigateway::update_key(aws, names, fields!(live, R::ApiKey), desired).await,
            R::Stage(desired) => {
                apigateway::update_stage(aws, &self.api()?, fields!(live, R::Stage), desired).await
            }
            R::UsagePlan(desired) => {
                let live = fields!(live, R::UsagePlan);
                apigateway::update_plan(aws, names, &self.api()?, live, desired).await
            }
            R::Alarms(desired) => cloudwatch::set_alarms(aws, fields!(live, R::Alarms), desired).await,
            R::Dashboard(desired) => cloudwatch::put_dashboard(aws, names, desired).await,
        }
    }

    async fn delete(&self, live: &R, progress: impl Fn(String)) -> anyhow::Result<()> {
        let Runner { aws, names, .. } = *self;
        match live {
            R::Bucket(_) => {
                let progress = |gone| progress(format!("object versions deleted: {gone}"));
                s3::delete(aws, &names.bucket, progress).await
            }
            R::Table(of, live) => dynamodb::delete(aws, &names.table(*of), live).await,
            R::Queue(_) => sqs::delete(aws, &names.queue()).await,
            R::Notification(_) => s3::notification::delete(aws, &names.bucket).await,
            R::LogGroup(f, _) => logs::delete(aws, &names.log_group(*f)).await,
            R::AccessLog(_) => logs::delete(aws, &names.access_log()).await,
            R::Role(f, _) => iam::delete(aws, names, *f).await,
            R::Repository(f, _) => ecr::delete(aws, names, *f).await,
            // An image goes with its repository, or when `release` finds that no version uses it.
            R::Image(..) => Ok(()),
            R::Function(f, _) => lambda::delete(aws, names, *f).await,
            R::Alias(f, _) => lambda::delete_alias(aws, names, *f).await,
            R::Permission(f, live) => {
                lambda::set_permission(aws, names, *f, "", live, &Permission::default()).await
            }
            R::Api(_) => {
                apigateway::delete(aws, &self.api()?).await?;
                self.set_api(None).await
            }
            R::UserPool(live) => cognito::delete(aws, live).await,
            R::AppClient(live) => cognito::delete_client(aws, names, live).await,
            R::ApiKey(_) => apigateway::delete_key(aws, names).await,
            R::Stage(_) => apigateway::delete_stage(aws, &self.api()?).await,
            R::UsagePlan(_) => apigateway::delete_plan(aws, names).await,
            R::Alarms(live) => cloudwatch::delete_alarms(aws, live).await,
            R::Dashboard(_) => cloudwatch::delete_dashboard(aws, names).await,
        }
    }
}

fn pushed(sent: usize, total: usize) -> String {
    let tenths = |bytes: usize| format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
    format!("{} of {} MB pushed", tenths(sent), tenths(total))
}
