//! A request as routes take it. It is the ecosystem's own type, with what API Gateway alone knows of it as an
//! extension: whatever carries requests can hand them to a route.

/// Its URI is the path that the client asked for; parameters of the query are read by [`RequestExt`].
pub type Request = http::Request<Body>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// As it was sent, if that was text; what is no UTF-8 was replaced on its way.
    Text(Vec<u8>),
    /// In base64, as API Gateway hands over binary media types.
    Base64(Vec<u8>),
}

impl Default for Body {
    fn default() -> Body {
        Body::Text(Vec::new())
    }
}

/// The route that a request is on, and its parameters.
#[derive(Clone, Debug, Default)]
pub struct Matched {
    /// The path of the route, such as `/images/{imageId}`; empty if it is on none.
    pub resource: String,
    /// What stands in the path for each parameter of the route.
    pub path: Pairs,
    /// Every parameter of the query, each as often as it was given.
    pub query: Pairs,
}

/// What an authorizer told API Gateway of a request's sender, as texts by name.
#[derive(Clone, Debug, Default)]
pub struct Authorized(pub Pairs);

pub type Pairs = Vec<(String, String)>;

/// What routes ask of a request, beside what `http` tells.
pub trait RequestExt {
    /// The path of the route, such as `/images/{imageId}`.
    fn resource(&self) -> &str;

    /// What stands before the routes in the paths that this client uses: the stage, `/v1`, or what a
    /// domain of its own has in place of it, which may be nothing. It ends in no slash.
    fn base(&self) -> &str;

    /// The text of a header; case does not matter in its name.
    fn header(&self, name: &str) -> Option<&str>;

    /// What the authorizer says of the sender under a name.
    fn authorized(&self, name: &str) -> Option<&str>;

    /// What stands in the path for a parameter of the route.
    fn path_parameter(&self, name: &str) -> Option<&str>;

    /// A parameter of the query, the first of its name.
    fn query(&self, name: &str) -> Option<&str>;

    /// Every parameter of the query, each as often as it was given.
    fn queries(&self) -> impl Iterator<Item = (&str, &str)>;
}

impl<B> RequestExt for http::Request<B> {
    fn resource(&self) -> &str {
        self.extensions().get::<Matched>().map_or("", |matched| &matched.resource)
    }

    fn base(&self) -> &str {
        base(self.uri().path(), self.resource())
    }

    fn header(&self, name: &str) -> Option<&str> {
        // Not `to_str`, which takes ASCII only: a file name may be sent as it is.
        self.headers().get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    fn authorized(&self, name: &str) -> Option<&str> {
        self.extensions().get::<Authorized>().and_then(|authorized| find(&authorized.0, name))
    }

    fn path_parameter(&self, name: &str) -> Option<&str> {
        self.extensions().get::<Matched>().and_then(|matched| find(&matched.path, name))
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.extensions().get::<Matched>().and_then(|matched| find(&matched.query, name))
    }

    fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.extensions().get::<Matched>().map_or(&[][..], |matched| &matched.query);
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn find<'a>(pairs: &'a Pairs, wanted: &str) -> Option<&'a str> {
    pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

/// The path as the client sent it, without as many parts at its end as the route has. It is empty where
/// anything else could lead a client to another host.
fn base<'a>(path: &'a str, resource: &str) -> &'a str {
    let parts = resource.matches('/').count();
    let before = |path: &'a str, _| path.rsplit_once('/').map_or("", |(before, _)| before);
    let base = (0..parts).fold(path.trim_end_matches('/'), before);
    let is_safe =
        base.starts_with('/') && !base.starts_with("//") && base.bytes().all(|b| b.is_ascii_graphic());
    if is_safe { base } else { "" }
}
