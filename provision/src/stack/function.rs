//! All that differs from function to function, apart from its code. A further function needs a variant of
//! [`Function`] and a profile here; settings, policies, alarms, smoke tests and costs follow from it.
//!
//! It is data only: what each part means on AWS is said where it is used.

use contract::{Function, access, path};

/// What calls a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The API, by the routes of `contract::ROUTES`. A client waits for the response.
    Requests,
    /// The API, which asks about each request whose it is, before a route is served.
    Authorization,
    /// New objects in the bucket. Nobody waits, and what fails for good goes to the dead-letter queue.
    Objects,
}

impl Trigger {
    /// How many seconds a call may take at most: API Gateway waits 29 seconds for a response, and Lambda
    /// lets a function run for 15 minutes.
    pub fn longest(self) -> i32 {
        match self {
            Trigger::Requests | Trigger::Authorization => 29,
            Trigger::Objects => 900,
        }
    }
}

/// A statement of the policy of a function's role.
#[derive(Debug)]
pub struct Right {
    pub sid: &'static str,
    pub actions: &'static [&'static str],
    pub on: &'static [Target],
    /// The only attributes of an item that it is about; none named are all.
    pub attributes: &'static [&'static str],
}

impl Right {
    const fn new(sid: &'static str, actions: &'static [&'static str], on: &'static [Target]) -> Right {
        Right { sid, actions, on, attributes: &[] }
    }
}

/// What a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The objects that hold the images.
    Images,
    Thumbnails,
    Bucket,
    Table,
    /// Both indexes of the table.
    Indexes,
    /// The table of keys and users.
    Access,
    /// The index of it, by owner.
    AccessIndex,
    DeadLetters,
}

/// What an alarm of a function watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Errors,
    Throttles,
    /// Only where somebody waits for the function.
    Slow,
}

/// How a new version is made to show that it does its work.
#[derive(Clone, Copy, Debug)]
pub enum SmokeTest {
    /// An image is uploaded through the API, and deleted again.
    Upload,
    /// The API answers this request with 200.
    Get { path: &'static str, query: &'static str },
    /// An event about no object succeeds. It is for functions that no route leads to.
    EmptyEvent,
    /// The API serves this request to whoever shows a key, and to nobody whose key is not one.
    Key { path: &'static str, query: &'static str },
}

/// How long a function is busy, in milliseconds of which AWS's own time is most: a generous guess, at the
/// memory that is the default.
#[derive(Clone, Copy, Debug)]
pub struct Busy {
    /// With each image that is uploaded.
    pub upload: f64,
    /// With each page of the list.
    pub page: f64,
}

#[derive(Debug)]
pub struct Profile {
    pub trigger: Trigger,
    /// MiB, where the settings say nothing else.
    pub memory: i32,
    /// Seconds, where the settings say nothing else.
    pub timeout: i32,
    /// Whether it makes thumbnails, and so needs their settings.
    pub makes_thumbnails: bool,
    /// Whether images come in by it, so that there may be an alarm on their bytes.
    pub takes_images: bool,
    /// Beside writing its log, which every function may.
    pub rights: &'static [Right],
    /// More rights, where users sign in.
    pub rights_with_users: &'static [Right],
    /// Whether there is such a function only where users sign in.
    pub only_with_users: bool,
    pub alarms: &'static [Trouble],
    pub smoke_test: SmokeTest,
    pub busy: Busy,
}

/// The functions of a stack, by whether users sign in.
pub fn functions(users: bool) -> impl Iterator<Item = Function> {
    Function::ALL.into_iter().filter(move |function| users || !profile(*function).only_with_users)
}

pub fn profile(function: Function) -> &'static Profile {
    match function {
        Function::Upload => &UPLOAD,
        Function::List => &LIST,
        Function::Process => &PROCESS,
        Function::Authorize => &AUTHORIZE,
    }
}

/// The functions that images come in by: in a request, and past the API.
pub fn takers() -> impl Iterator<Item = Function> {
    Function::ALL.into_iter().filter(|function| profile(*function).takes_images)
}

const RECORDS: Right = Right::new(
    "Records",
    &["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
    &[Target::Table],
);

const UPLOAD: Profile = Profile {
    trigger: Trigger::Requests,
    memory: 512,
    timeout: 20,
    makes_thumbnails: false,
    takes_images: true,
    rights: &[
        Right::new("Objects", &["s3:PutObject", "s3:GetObject", "s3:DeleteObject"], &[Target::Images]),
        Right::new("Thumbnails", &["s3:DeleteObject"], &[Target::Thumbnails]),
        RECORDS,
    ],
    rights_with_users: &[
        Right::new("Keys", &["dynamodb:PutItem", "dynamodb:DeleteItem"], &[Target::Access]),
        Right::new("KeysOfOwner", &["dynamodb:Query"], &[Target::AccessIndex]),
    ],
    only_with_users: false,
    alarms: &[Trouble::Errors, Trouble::Throttles, Trouble::Slow],
    smoke_test: SmokeTest::Upload,
    busy: Busy { upload: 150.0, page: 0.0 },
};

const LIST: Profile = Profile {
    trigger: Trigger::Requests,
    memory: 256,
    timeout: 20,
    makes_thumbnails: false,
    takes_images: false,
    rights: &[
        Right::new("Pages", &["dynamodb:Query"], &[Target::Indexes]),
        Right::new("Records", &["dynamodb:GetItem"], &[Target::Table]),
        Right::new("Downloads", &["s3:GetObject"], &[Target::Images, Target::Thumbnails]),
    ],
    rights_with_users: &[Right::new("KeysOfOwner", &["dynamodb:Query"], &[Target::AccessIndex])],
    only_with_users: false,
    alarms: &[Trouble::Errors, Trouble::Throttles, Trouble::Slow],
    smoke_test: SmokeTest::Get { path: path::LIST, query: "limit=1" },
    busy: Busy { upload: 0.0, page: 30.0 },
};

const PROCESS: Profile = Profile {
    trigger: Trigger::Objects,
    memory: 1024,
    timeout: 60,
    makes_thumbnails: true,
    takes_images: true,
    rights: &[
        Right::new(
            "Objects",
            &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"],
            &[Target::Images],
        ),
        Right::new("Thumbnails", &["s3:PutObject", "s3:DeleteObject"], &[Target::Thumbnails]),
        // Without it S3 answers 403 for an object that is gone, as if it might be there. A condition on the
        // prefix would never hold: GetObject brings none.
        // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
        Right::new("Missing", &["s3:ListBucket"], &[Target::Bucket]),
        RECORDS,
        Right::new("DeadLetters", &["sqs:SendMessage"], &[Target::DeadLetters]),
    ],
    rights_with_users: &[],
    only_with_users: false,
    alarms: &[Trouble::Errors, Trouble::Throttles],
    smoke_test: SmokeTest::EmptyEvent,
    busy: Busy { upload: 500.0, page: 0.0 },
};

/// What it does is done in a moment. Its memory is what gives it the CPU to start soon, since the first request
/// after a while waits for it and for the function behind it.
const AUTHORIZE: Profile = Profile {
    trigger: Trigger::Authorization,
    memory: 256,
    timeout: 10,
    makes_thumbnails: false,
    takes_images: false,
    rights: &[
        Right::new("Keys", &["dynamodb:GetItem"], &[Target::Access]),
        // When a key was used last is all that it may write, and that on nothing else than a key.
        Right {
            sid: "LastUsed",
            actions: &["dynamodb:UpdateItem"],
            on: &[Target::Access],
            attributes: &[access::KEY, access::LAST_USED],
        },
    ],
    rights_with_users: &[],
    only_with_users: true,
    alarms: &[Trouble::Errors, Trouble::Throttles, Trouble::Slow],
    smoke_test: SmokeTest::Key { path: path::LIST, query: "limit=1" },
    busy: Busy { upload: 3.0, page: 3.0 },
};
