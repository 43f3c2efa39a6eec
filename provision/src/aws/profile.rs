//! What the SDK does not say of a profile whose credentials it cannot get.

use std::path::PathBuf;

/// A word on the chosen profile, where it wants what the SDK does not do: ask for a second factor.
pub fn advice() -> Option<String> {
    let profile = std::env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned());
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default().join(".aws");
    let file = |variable: &str, name: &str| {
        let path = std::env::var_os(variable).map_or_else(|| home.join(name), PathBuf::from);
        std::fs::read_to_string(path).unwrap_or_default()
    };
    let texts = [file("AWS_CONFIG_FILE", "config"), file("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
    texts.iter().any(|text| wants_second_factor(text, &profile)).then(|| {
        format!(
            "the profile {profile} wants a second factor (mfa_serial), which nothing here asks for; let the AWS CLI \
             do so: eval \"$(aws configure export-credentials --profile {profile} --format env)\" and run this \
             again"
        )
    })
}

/// Whether a file of profiles has `mfa_serial` in the section of this one.
/// <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html>
fn wants_second_factor(text: &str, profile: &str) -> bool {
    let mut ours = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let section = section.trim();
            ours = section.strip_prefix("profile ").unwrap_or(section).trim() == profile;
        } else if ours && line.split('=').next().is_some_and(|key| key.trim() == "mfa_serial") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_factor_is_wanted_by_the_profile_that_says_so() {
        let text = "[default]\nregion = eu-west-1\n[profile ops]\nrole_arn = x\n  mfa_serial=arn:aws:iam::1:mfa/jane\n\
                    # mfa_serial = no\n[profile dev]\n#mfa_serial = no\n[ci]\nmfa_serial = GAHT12345678\n";
        for (profile, expected) in
            [("ops", true), ("ci", true), ("default", false), ("dev", false), ("x", false)]
        {
            assert_eq!(wants_second_factor(text, profile), expected, "{profile}");
        }
    }
}
