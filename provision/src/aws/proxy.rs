//! The way out: straight to AWS, or through the proxy that `HTTPS_PROXY` names.
//!
//! As curl does it. Plain HTTP never goes through a proxy: AWS is not spoken to without TLS, so that is an
//! emulator, which is on this machine or beside it.

use anyhow::Context;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Where a proxy may be named, and of those that are the first counts.
const NAMES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];
/// Never through a proxy, whatever it is that is asked.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// The variable that names a proxy, and what it says.
fn named(variable: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    let named = NAMES.into_iter().find_map(|name| Some((name, variable(name)?)));
    named.filter(|(_, url)| !url.is_empty())
}

/// The variable that names a proxy, if one does.
pub fn name() -> Option<&'static str> {
    named(environment).map(|(name, _)| name)
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn proxy(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<ProxyConfig> {
    let Some((name, url)) = named(&variable) else { return Ok(ProxyConfig::disabled()) };
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    // The URL may hold a password, so it is not repeated.
    let config = ProxyConfig::https(url).with_context(|| {
        format!(
            "the variable {name} names no proxy that can be used here; set HTTPS_PROXY, which counts before \
             ALL_PROXY, to one that speaks HTTP, such as http://proxy.example.com:3128, or unset {name}"
        )
    })?;
    let others = EXCEPTIONS.into_iter().find_map(&variable).unwrap_or_default();
    Ok(config.no_proxy(format!("{LOOPBACK},{others}")))
}

/// The proxy to what is at `url`. Plain HTTP needs none, whatever the variables say.
fn proxy_to(url: &str, variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<ProxyConfig> {
    if url.starts_with("http://") { Ok(ProxyConfig::disabled()) } else { proxy(variable) }
}

/// One connection pool, for all clients of the SDK. Which endpoint they talk to is not known yet, so a proxy that
/// cannot be used counts as none here, and [`check`] must be asked before anything is sent.
pub fn client() -> SharedHttpClient {
    let proxy = proxy(environment).unwrap_or_else(|_| ProxyConfig::disabled());
    Builder::new().build_with_connector_fn(move |settings, components| {
        connect(proxy.clone(), settings.cloned(), components)
    })
}

/// Returns an error where this endpoint, or without one AWS itself, is to be reached through a proxy that cannot be
/// used.
pub fn check(endpoint: Option<&str>) -> anyhow::Result<()> {
    proxy_to(endpoint.unwrap_or("https://"), environment).map(|_| ())
}

/// For a request to `url` that is not the SDK's.
pub fn connector(url: &str) -> anyhow::Result<Connector> {
    Ok(connect(proxy_to(url, environment)?, None, None))
}

fn connect(
    proxy: ProxyConfig,
    settings: Option<HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> Connector {
    let mut builder = Connector::builder().proxy_config(proxy);
    builder.set_connector_settings(settings);
    builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    fn with(variables: &[(&str, &str)]) -> anyhow::Result<ProxyConfig> {
        proxy(set(variables))
    }

    #[test]
    fn a_proxy_is_what_curl_takes_for_one() {
        for none in [&[][..], &[("HTTPS_PROXY", "")], &[("HTTP_PROXY", "http://proxy:3128")]] {
            assert!(with(none).unwrap().is_disabled(), "{none:?}");
        }
        for url in ["http://proxy.example.com:3128", "https://proxy.example.com", "proxy:3128"] {
            assert!(!with(&[("https_proxy", url)]).unwrap().is_disabled(), "{url}");
        }
        assert!(!with(&[("ALL_PROXY", "http://jane:secret@proxy:3128")]).unwrap().is_disabled());
        let config = with(&[("HTTPS_PROXY", "proxy:3128"), ("NO_PROXY", ".example.com")]).unwrap();
        let text = format!("{config:?}");
        assert!(text.contains("localhost,127.0.0.0/8,::1,.example.com"), "{text}");
    }

    #[test]
    fn what_is_no_proxy_is_said_without_its_password() {
        for url in ["socks5://jane:secret@proxy:1080", "http://jane:secret@", "http:// secret"] {
            let error = format!("{:#}", with(&[("HTTPS_PROXY", url)]).unwrap_err());
            assert!(error.contains("HTTPS_PROXY names no proxy") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_keeps_nobody_from_an_emulator() {
        let socks = [("ALL_PROXY", "socks5://jane:secret@proxy:1080")];
        for near in ["http://localhost:4566", "http://127.0.0.1:4566/restapis/a1/v1/_user_request_/list"] {
            assert!(proxy_to(near, set(&socks)).unwrap().is_disabled(), "{near}");
        }
        for aws in ["https://", "https://a1.execute-api.eu-west-1.amazonaws.com/v1/list"] {
            let error = format!("{:#}", proxy_to(aws, set(&socks)).unwrap_err());
            assert!(
                error.contains("ALL_PROXY names no proxy") && error.contains("set HTTPS_PROXY"),
                "{error}"
            );
        }
        let both = [socks[0], ("HTTPS_PROXY", "http://proxy:3128")];
        assert!(!proxy_to("https://", set(&both)).unwrap().is_disabled(), "HTTPS_PROXY counts first");
    }
}
