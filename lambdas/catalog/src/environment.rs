//! What the function was told by its environment, read and checked once at start. A variable that
//! is missing or makes no sense stops the function with that variable's name. Empty counts as unset.

use anyhow::{Context, bail};
use aws_credential_types::Credentials;
use contract::limits::{DEFAULT_MAX_PIXELS, DEFAULT_MAX_UPLOAD_BYTES, LARGEST_PUT};
use contract::{Auth, variable};

/// Lambda sets these, and the runtime panics without them; we would rather say so.
const RUNTIME_VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_RUNTIME_API",
];

/// What functions that serve or make images are told.
#[derive(Clone, Debug)]
pub struct Environment {
    pub bucket: String,
    pub table: String,
    /// The table of keys and users, where people sign in.
    pub access_table: Option<String>,
    pub allow_origin: String,
    pub auth: Auth,
    pub max_pixels: u64,
    pub max_upload_bytes: u64,
    pub aws: AwsEnvironment,
}

/// What every function is told: how to reach AWS.
#[derive(Clone, Debug)]
pub struct AwsEnvironment {
    pub region: String,
    pub credentials: Credentials,
    /// Another place than AWS itself, such as an emulator.
    pub endpoint: Option<String>,
    /// Path of a PEM file whose certificates replace the roots that are built in.
    pub ca_bundle: Option<String>,
}

/// What a variable of this process holds. Empty counts as unset.
pub fn value_of(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl AwsEnvironment {
    pub fn read() -> anyhow::Result<AwsEnvironment> {
        AwsEnvironment::parse(value_of)
    }

    fn parse(lookup: impl Fn(&str) -> Option<String>) -> anyhow::Result<AwsEnvironment> {
        let optional = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let required = |name: &str| optional(name).with_context(|| format!("{name} is not set"));
        let environment = AwsEnvironment {
            region: required("AWS_REGION")?,
            credentials: Credentials::new(
                required("AWS_ACCESS_KEY_ID")?,
                required("AWS_SECRET_ACCESS_KEY")?,
                optional("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
            endpoint: optional("AWS_ENDPOINT_URL"),
            ca_bundle: optional("AWS_CA_BUNDLE"),
        };
        RUNTIME_VARIABLES.iter().try_for_each(|name| required(name).map(drop))?;
        Ok(environment)
    }
}

impl Environment {
    pub fn read() -> anyhow::Result<Environment> {
        Environment::parse(value_of)
    }

    fn parse(lookup: impl Fn(&str) -> Option<String>) -> anyhow::Result<Environment> {
        let optional = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let required = |name: &str| optional(name).with_context(|| format!("{name} is not set"));
        let number = |name: &str, default: u64| match optional(name) {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => bail!("{name} is not a whole number above 0: {text}"),
            },
        };
        let max_upload_bytes = number(variable::MAX_UPLOAD_BYTES, DEFAULT_MAX_UPLOAD_BYTES)?;
        if max_upload_bytes > LARGEST_PUT {
            bail!("{} is more than S3 takes in one PUT: {LARGEST_PUT}", variable::MAX_UPLOAD_BYTES);
        }
        // A stack whose settings are older than sign-in sets none, and has one owner.
        let auth = optional(variable::AUTH).unwrap_or_else(|| Auth::ApiKey.name().to_owned());
        let auth = Auth::named(&auth)
            .with_context(|| format!("{} is not users, api-key or none: {auth}", variable::AUTH))?;
        let access_table = match auth {
            Auth::Users => Some(required(variable::ACCESS_TABLE)?),
            Auth::ApiKey | Auth::None => None,
        };
        Ok(Environment {
            bucket: required(variable::BUCKET)?,
            table: required(variable::TABLE)?,
            access_table,
            allow_origin: optional(variable::ALLOW_ORIGIN).unwrap_or_else(|| "*".to_owned()),
            auth,
            max_pixels: number(variable::MAX_PIXELS, DEFAULT_MAX_PIXELS)?,
            max_upload_bytes,
            aws: AwsEnvironment::parse(&lookup)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 10] = [
        ("CLOUDPIX_BUCKET", "pictures"),
        ("CLOUDPIX_TABLE", "records"),
        ("AWS_REGION", "ap-northeast-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_LAMBDA_FUNCTION_NAME", "upload"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
    ];

    fn with(changes: &[(&str, &str)]) -> anyhow::Result<Environment> {
        let find = |pairs: &[(&str, &str)], name: &str| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Environment::parse(|name| find(changes, name).or_else(|| find(&COMPLETE, name)))
    }

    #[test]
    fn what_is_not_set_has_its_documented_default() {
        let environment = with(&[]).unwrap();
        assert_eq!(environment.max_pixels, 100_000_000);
        assert_eq!(environment.max_upload_bytes, 104_857_600);
        assert_eq!(environment.allow_origin, "*");
        assert_eq!(environment.auth, Auth::ApiKey);
        assert_eq!(environment.access_table, None);
        assert_eq!(environment.aws.endpoint, None);
        assert_eq!(environment.aws.credentials.session_token(), Some("token"));
    }

    #[test]
    fn a_missing_variable_is_named() {
        for (name, _) in COMPLETE.iter().filter(|(name, _)| *name != "AWS_SESSION_TOKEN") {
            let error = with(&[(name, "")]).unwrap_err();
            assert_eq!(error.to_string(), format!("{name} is not set"));
        }
    }

    /// Nothing is guessed of who may call: one that is mistyped must not open what should be closed.
    #[test]
    fn who_may_call_is_one_of_three() {
        for auth in Auth::ALL {
            let variables = [("CLOUDPIX_AUTH", auth.name()), ("CLOUDPIX_ACCESS_TABLE", "access")];
            let environment = with(&variables).unwrap();
            assert_eq!(environment.auth, auth);
            assert_eq!(environment.access_table.is_some(), auth == Auth::Users);
        }
        let error = with(&[("CLOUDPIX_AUTH", "users")]).unwrap_err();
        assert_eq!(error.to_string(), "CLOUDPIX_ACCESS_TABLE is not set");
        for text in ["user", "Users", "users ", "public"] {
            let error = with(&[("CLOUDPIX_AUTH", text)]).unwrap_err();
            assert_eq!(error.to_string(), format!("CLOUDPIX_AUTH is not users, api-key or none: {text}"));
        }
    }

    #[test]
    fn a_function_that_has_to_do_with_no_image_needs_no_place_of_images() {
        let only_aws = |name: &str| COMPLETE.iter().find(|(key, _)| *key == name && key.starts_with("AWS_"));
        let find = |name: &str| only_aws(name).map(|(_, value)| (*value).to_owned());
        assert_eq!(AwsEnvironment::parse(find).unwrap().region, "ap-northeast-1");
        assert_eq!(Environment::parse(find).unwrap_err().to_string(), "CLOUDPIX_BUCKET is not set");
    }

    #[test]
    fn a_limit_that_is_no_sensible_number_is_refused() {
        for value in ["0", "-1", "many", "1.5"] {
            let error = with(&[("CLOUDPIX_MAX_PIXELS", value)]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("CLOUDPIX_MAX_PIXELS is not a whole number above 0: {value}")
            );
        }
        assert!(with(&[("CLOUDPIX_MAX_UPLOAD_BYTES", "5368709120")]).is_ok());
        assert!(with(&[("CLOUDPIX_MAX_UPLOAD_BYTES", "5368709121")]).is_err());
    }
}
