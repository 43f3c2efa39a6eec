use super::*;

#[track_caller]
fn check_error(text: &str, expected: &[&str]) {
    let error = format!("{:#}", parse(text, "default").unwrap_err());
    for part in expected {
        assert!(error.contains(part), "{part:?} is not in:\n{error}");
    }
}

#[test]
fn an_empty_file_means_the_defaults() {
    let settings = parse("", "default").unwrap();
    assert_eq!(settings.package, Package::Image);
    assert_eq!((settings.auth, settings.auth_is_written), (Auth::Users, false));
    assert!(settings.functions.contains_key(&Function::Authorize) && settings.has_pool());
    assert_eq!(settings.functions[&Function::Upload].memory, 512);
    assert_eq!(settings.thumbnails.format.name(), limits::DEFAULT_THUMBNAIL_FORMAT);
}

#[test]
fn the_file_in_the_repository_holds_the_defaults() {
    let text = include_str!("../../../cloudpix.toml");
    let (file, built_in) = (parse(text, "default").unwrap(), parse("", "default").unwrap());
    assert_eq!(format!("{file:?}"), format!("{built_in:?}"));
}

#[test]
fn who_may_call_is_written_down_or_the_default() {
    let other = parse("[defaults]\nauth = \"api-key\"\n[env.open]\nauth = \"none\"\n", "open").unwrap();
    assert_eq!((other.auth, other.auth_is_written), (Auth::None, true));
    assert!(!other.functions.contains_key(&Function::Authorize) && !other.has_users());
    let text = "[defaults.sign-in]\nissuer = \"https://a.example/x\"\nclient-id = \"7\"\n";
    let foreign = parse(text, "default").unwrap();
    assert_eq!(foreign.sign_in.provider(), Some(("https://a.example/x", "7")));
    assert!(foreign.has_users() && !foreign.has_pool());
    check_error("[defaults.sign-in]\nissuer = \"https://a.example\"\n", &["sign-in.client-id", "needs both"]);
    check_error("[defaults.sign-in]\nissuer = \"http://a\"\nclient-id = \"7\"\n", &["sign-in.issuer"]);
    check_error(
        "[defaults.sign-in]\ncallback-urls = [\"http://a\"]\n",
        &["callback-urls", "http://localhost"],
    );
    check_error("[defaults.sign-in]\ntier = \"plus\"\n", &["line 2", "plus", "essentials"]);
}

#[test]
fn an_environment_overrides_key_by_key() {
    let text = "[defaults.upload]\nmemory = 1024\ntimeout = 9\n[env.staging.upload]\nmemory = 256\n";
    let sizing = parse(text, "staging").unwrap().functions[&Function::Upload];
    assert_eq!((sizing.memory, sizing.timeout), (256, 9));
    assert_eq!(parse(text, "default").unwrap().functions[&Function::Upload].memory, 1024);
}

#[test]
fn process_may_take_as_long_as_lambda_lets_it() {
    let text =
        "[env.staging]\nprocess.timeout = 900\nthumbnails.quality = 60\nthumbnails.format = \"jpeg\"\n";
    let settings = parse(text, "staging").unwrap();
    assert_eq!(settings.functions[&Function::Process].timeout, 900);
    assert_eq!(settings.thumbnails.format.name(), "jpeg");
    assert_eq!((settings.thumbnails.sizes, settings.thumbnails.quality), (vec![160, 480, 1280], 60));
}

#[test]
fn no_function_has_a_share_of_its_own_unless_it_is_given_one() {
    let reserved = |text| parse(text, "staging").unwrap().reserved();
    assert_eq!(reserved(""), 0);
    let given = "[defaults]\nprocess.concurrency = 5\n";
    assert_eq!(reserved(given), 5);
    assert_eq!(reserved(&format!("{given}[env.staging]\nprocess.concurrency = 0\n")), 0);
    check_error("[defaults]\nprocess.concurrency = -1\n", &["process.concurrency = -1", "0 to 100000"]);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_known_ones() {
    check_error("[defaults]\npackge = \"zip\"\n", &["line 2", "packge", "package"]);
    check_error("[env.a.upload]\nmemry = 1\n", &["line 2", "memry", "memory"]);
    check_error("[defaults.uplaod]\nmemory = 1\n", &["line 1", "uplaod", "`quota`", "upload, list, process"]);
    check_error("[default]\npackage = \"zip\"\n", &["line 1", "`default`", "defaults"]);
    check_error("[defaults]\npackage = \"zip\"\n[env.a]\nquota.perod = 1\n", &["line 4", "perod", "period"]);
}

#[test]
fn a_wrong_type_is_refused_with_its_line() {
    check_error("[defaults]\nmax-pixels = \"many\"\n", &["line 2", "max-pixels", "many"]);
    check_error("[defaults]\npackage = \"tar\"\n", &["line 2", "tar", "image"]);
    check_error("[defaults]\nlist = 3\n", &["line 2", "integer `3`"]);
    check_error("[defaults]\nenv = 3\n", &["line 2", "unknown field `env`"]);
    check_error("[defaults]\nquota.requests = 3\n[env.default]\nquota = \"none\"\n", &["line 4", "none"]);
}

#[test]
fn a_value_that_aws_would_refuse_is_refused_here_by_key() {
    check_error("[defaults.list]\nmemory = 64\n", &["list.memory = 64", "128 to 10240"]);
    check_error("[defaults]\nlog-retention-days = 31\n", &["log-retention-days = 31"]);
    check_error("[defaults]\nallow-origin = \"example.com\"\n", &["allow-origin", "https://example.com"]);
    check_error("[defaults]\nallow-origin = \"https://a'b\"\n", &["allow-origin"]);
    check_error("[defaults]\nkeep-versions = 1\n", &["keep-versions = 1", "2 to 50"]);
    check_error("[defaults.throttle]\nrate = nan\n", &["throttle.rate"]);
    check_error("[defaults.quota]\nrequests = -1\n", &["quota.requests = -1"]);
    check_error("[defaults.alarms]\ntopic = \"ops\"\n", &["alarms.topic = \"ops\"", "arn:aws:sns:"]);
    check_error("[defaults.alarms]\nlatency-ms = 0\n", &["alarms.latency-ms = 0"]);
    check_error("[defaults.list]\ntimeout = 30\n", &["list.timeout = 30", "1 to 29"]);
    check_error("[defaults.process]\ntimeout = 901\n", &["process.timeout = 901", "1 to 900"]);
    check_error("[defaults.thumbnails]\nsizes = []\n", &["thumbnails.sizes = []", "one to eight"]);
    check_error("[defaults.thumbnails]\nsizes = [480, 160]\n", &["thumbnails.sizes", "ascending"]);
    check_error("[defaults.thumbnails]\nsizes = [160, 160]\n", &["thumbnails.sizes", "each once"]);
    check_error("[defaults.thumbnails]\nsizes = [15]\n", &["thumbnails.sizes = 15", "16 to 4096"]);
    check_error("[defaults.thumbnails]\nsizes = [5000]\n", &["thumbnails.sizes = 5000"]);
    check_error("[defaults.thumbnails]\nformat = \"gif\"\n", &["line 2", "gif", "webp", "jpeg"]);
    check_error("[defaults.thumbnails]\nquality = 0\n", &["thumbnails.quality = 0", "1 to 100"]);
    for wrong in ["", "s3:/", "s3://", "s3://A_b/c", "file:///tmp"] {
        let text = format!("[defaults.state]\nbackend = {wrong:?}\n");
        check_error(&text, &["state.backend", "s3://BUCKET/PREFIX"]);
    }
}

#[test]
fn a_teams_state_lies_in_a_bucket() {
    let text = "[env.prod.state]\nbackend = \"s3://team-state/cloudpix/\"\n";
    let (bucket, prefix) = ("team-state".to_owned(), "cloudpix".to_owned());
    assert_eq!(parse(text, "prod").unwrap().state_bucket, Some(StateBucket { bucket, prefix }));
    assert_eq!(parse(text, "default").unwrap().state_bucket, None);
}

#[test]
fn an_environment_needs_a_name_that_a_bucket_can_carry() {
    for bad in ["", "Prod", "a_b", "-a", "a-", "1a", "seventeen-letters", "日本"] {
        assert!(check_environment_name(bad).is_err(), "{bad:?}");
    }
    for good in ["default", "a", "pr-12"] {
        check_environment_name(good).unwrap();
    }
}
