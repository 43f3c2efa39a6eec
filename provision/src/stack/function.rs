//! All that differs from function to function, apart from its code. A further function needs a variant of
//! [`Function`] and a profile here; settings, policies, alarms, smoke tests and costs follow from it.
//!
//! It is data only: what each part means on AWS is said where it is used.

use contract::{Function, path};

/// What calls a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The API, by the routes of `contract::ROUTES`. A client waits for the response.
    Requests,
    /// New objects in the bucket. Nobody waits, and what fails for good goes to the dead-letter queue.
    Objects,
}

impl Trigger {
    /// How many seconds a call may take at most: API Gateway waits 29 seconds for a response, and Lambda
    /// lets a function run for 15 minutes.
    pub fn longest(self) -> i32 {
        match self {
            Trigger::Requests => 29,
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
    pub alarms: &'static [Trouble],
    pub smoke_test: SmokeTest,
    pub busy: Busy,
}

pub fn profile(function: Function) -> &'static Profile {
    match function {
        Function::Upload => &UPLOAD,
        Function::List => &LIST,
        Function::Process => &PROCESS,
    }
}

/// The functions that images come in by: in a request, and past the API.
pub fn takers() -> impl Iterator<Item = Function> {
    Function::ALL.into_iter().filter(|function| profile(*function).takes_images)
}

const RECORDS: Right = Right {
    sid: "Records",
    actions: &["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
    on: &[Target::Table],
};

const UPLOAD: Profile = Profile {
    trigger: Trigger::Requests,
    memory: 512,
    timeout: 20,
    makes_thumbnails: false,
    takes_images: true,
    rights: &[
        Right {
            sid: "Objects",
            actions: &["s3:PutObject", "s3:GetObject", "s3:DeleteObject"],
            on: &[Target::Images],
        },
        Right { sid: "Thumbnails", actions: &["s3:DeleteObject"], on: &[Target::Thumbnails] },
        RECORDS,
    ],
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
        Right { sid: "Pages", actions: &["dynamodb:Query"], on: &[Target::Indexes] },
        Right { sid: "Records", actions: &["dynamodb:GetItem"], on: &[Target::Table] },
        Right { sid: "Downloads", actions: &["s3:GetObject"], on: &[Target::Images, Target::Thumbnails] },
    ],
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
        Right {
            sid: "Objects",
            actions: &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"],
            on: &[Target::Images],
        },
        Right { sid: "Thumbnails", actions: &["s3:PutObject", "s3:DeleteObject"], on: &[Target::Thumbnails] },
        // Without it S3 answers 403 for an object that is gone, as if it might be there. A condition on the
        // prefix would never hold: GetObject brings none.
        // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
        Right { sid: "Missing", actions: &["s3:ListBucket"], on: &[Target::Bucket] },
        RECORDS,
        Right { sid: "DeadLetters", actions: &["sqs:SendMessage"], on: &[Target::DeadLetters] },
    ],
    alarms: &[Trouble::Errors, Trouble::Throttles],
    smoke_test: SmokeTest::EmptyEvent,
    busy: Busy { upload: 500.0, page: 0.0 },
};
