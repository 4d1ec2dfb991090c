//! From a request's path and method to its handler.

use crate::http::Refusal;
use crate::http::Response;
use crate::http::Service;
use crate::http::answer::Answer;
use crate::http::answer::Keep;
use crate::http::assets;
use crate::http::assets::Asset;
use crate::http::conditional::Condition;
use crate::http::context::Context;
use crate::http::health;
use crate::http::letters;
use crate::http::letters::Action;
use crate::http::limits::HEADER_BYTES_MAX;
use crate::http::limits::TARGET_BYTES_MAX;
use crate::http::list;
use crate::http::negotiate::Form;
use crate::http::openapi;
use crate::http::orders;
use crate::http::pages;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::query::Query;
use crate::http::random;
use crate::http::submit;
use ::http::HeaderValue;
use ::http::Method;
use ::http::StatusCode;
use ::http::Version;
use ::http::header;
use ::http::request;
use bytes::Bytes;

/// A known path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    Home,
    /// The id as it stands in the path, still encoded.
    Order(&'a str),
    OrderByParameter,
    Orders,
    Recent,
    Healthz,
    Readyz,
    Metrics,
    /// How many orders, as it stands in the path.
    Random(&'a str),
    OpenApi,
    /// The name of a file of the documentation; empty for its page.
    Docs(&'a str),
    /// Leads to the page.
    DocsHome,
    Letters,
    /// The id as it stands in the path.
    Letter(&'a str),
    LetterAction(&'a str, Action),
    /// The cache, in the form that the sender reads, or as JSON whatever that is.
    Cache,
    CacheAsJson,
    Asset(&'static Asset),
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Option<Self> {
        match path {
            "/" => return Some(Self::Home),
            "/orders" => return Some(Self::Orders),
            "/api/orders/recent" => return Some(Self::Recent),
            "/api/getOrder" => return Some(Self::OrderByParameter),
            "/healthz" => return Some(Self::Healthz),
            "/readyz" => return Some(Self::Readyz),
            "/cache" => return Some(Self::Cache),
            "/api/cache" => return Some(Self::CacheAsJson),
            "/metrics" => return Some(Self::Metrics),
            "/openapi.json" => return Some(Self::OpenApi),
            "/dead-letters" => return Some(Self::Letters),
            _ => {}
        }
        if let Some(count) = path.strip_prefix("/random/") {
            return (!count.contains('/')).then_some(Self::Random(count));
        }
        if let Some(name) = path.strip_prefix("/docs") {
            // What the page loads lies beside it, so without the slash it would be looked for here.
            return name
                .strip_prefix('/')
                .map(Self::Docs)
                .or(name.is_empty().then_some(Self::DocsHome));
        }
        let one = |uid: &'a str| (!uid.contains('/')).then_some(Self::Order(uid));
        ["/orders/", "/order/", "/api/order/"]
            .into_iter()
            .find_map(|prefix| path.strip_prefix(prefix).and_then(one))
            .or_else(|| path.strip_prefix("/dead-letters/").and_then(Self::of_letter))
            .or_else(|| assets::find(path).map(Self::Asset))
    }

    fn of_letter(path: &'a str) -> Option<Self> {
        match path.split_once('/') {
            None => Some(Self::Letter(path)),
            Some((id, "replay")) => Some(Self::LetterAction(id, Action::Replay)),
            Some((id, "drop")) => Some(Self::LetterAction(id, Action::Drop)),
            Some(_) => None,
        }
    }

    /// The route as documentation writes it, whatever the path.
    fn template(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Order(_) => "/orders/:uid",
            Self::OrderByParameter => "/api/getOrder",
            Self::Orders => "/orders",
            Self::Recent => "/api/orders/recent",
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::Random(_) => "/random/:n",
            Self::OpenApi => "/openapi.json",
            Self::Docs(_) | Self::DocsHome => "/docs",
            Self::Letters => "/dead-letters",
            Self::Letter(_) => "/dead-letters/:id",
            Self::LetterAction(_, Action::Replay) => "/dead-letters/:id/replay",
            Self::LetterAction(_, Action::Drop) => "/dead-letters/:id/drop",
            Self::Cache => "/cache",
            Self::CacheAsJson => "/api/cache",
            Self::Asset(_) => "/assets/:name",
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Self::Orders | Self::OrderByParameter | Self::Random(_) => "GET, HEAD, POST, OPTIONS",
            Self::Letter(_) => "GET, HEAD, DELETE, OPTIONS",
            Self::LetterAction(..) => "POST, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }
}

/// The template of a path's route, and one for all paths that have none.
pub(super) fn template(path: &str) -> &'static str {
    Route::of(path).map_or("none", Route::template)
}

/// Answers a whole request.
pub(super) fn answer(
    service: &Service,
    head: &request::Parts,
    body: &Bytes,
    context: &Context,
) -> Result<Answer, Problem> {
    check_head(head)?;
    let path = head.uri.path();
    let route = Route::of(path).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no_such_page", "There is nothing at this address.")
    })?;
    match (route, &head.method) {
        (_, &Method::OPTIONS) => Ok(Answer::Now(options(route, head, context))),
        (Route::Random(count), &Method::GET | &Method::POST) => {
            random::random(service, head, count)
        }
        (Route::Orders, &Method::POST) => submit::submit(service, head, body),
        (Route::OrderByParameter, &Method::GET | &Method::HEAD | &Method::POST) => {
            let uid = orders::uid_of_parameter(head, body)?;
            orders::read(service, &uid, Condition::of(head))
        }
        (Route::LetterAction(id, action), &Method::POST) => letters::act(service, head, id, action),
        (Route::Letter(id), &Method::DELETE) => letters::act(service, head, id, Action::Drop),
        (_, &Method::GET | &Method::HEAD) => read(service, route, head, context),
        _ => Err(method_not_allowed(route)),
    }
}

fn read(
    service: &Service,
    route: Route<'_>,
    head: &request::Parts,
    context: &Context,
) -> Result<Answer, Problem> {
    let condition = Condition::of(head);
    match route {
        Route::Home => pages::home(service, &Query::of(&head.uri)?, condition, context),
        Route::Order(uid) => {
            let uid = query::decode(uid).ok_or_else(orders::malformed_uid)?;
            orders::read(service, &uid, condition)
        }
        Route::Orders => list::page(service, &Query::of(&head.uri)?, condition),
        Route::Recent => list::recent(service, condition),
        Route::Healthz => Ok(Answer::Now(health::alive())),
        Route::Readyz => Ok(Answer::Now(health::ready(&service.readiness, service.clock.now()))),
        Route::Metrics => Ok(Answer::Now(health::metrics(&service.metrics))),
        Route::Cache => {
            pages::cache(service, &Query::of(&head.uri)?, context.form, context).map(Answer::Now)
        }
        Route::CacheAsJson => {
            pages::cache(service, &Query::of(&head.uri)?, Form::Json, context).map(Answer::Now)
        }
        Route::Asset(asset) => Ok(Answer::Now(asset.respond(&head.uri, &condition))),
        Route::OpenApi => Ok(Answer::Now(openapi::json(&condition))),
        Route::Docs(name) => openapi::file(name, &condition).map(Answer::Now),
        Route::DocsHome => Ok(Answer::Now(openapi::home())),
        Route::Letters if context.form == Form::Page => Ok(Answer::Now(pages::letters(context))),
        Route::Letters => letters::page(service, head),
        Route::Letter(id) => letters::one(service, head, id),
        // A HEAD makes no orders.
        Route::OrderByParameter | Route::LetterAction(..) | Route::Random(_) => {
            Err(method_not_allowed(route))
        }
    }
}

/// What any request must be, whatever it asks for.
fn check_head(head: &request::Parts) -> Result<(), Problem> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::OPTIONS,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    // Not among the constants of the crate.
    let is_query = head.method.as_str() == "QUERY";
    if !known.contains(&head.method) && !is_query {
        let detail = "This method isn't known here.";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "unknown_method", detail));
    }
    let target_bytes = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target_bytes > TARGET_BYTES_MAX {
        return Err(Problem::from(Refusal::TargetTooLong));
    }
    let header_bytes: usize =
        head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header_bytes > HEADER_BYTES_MAX {
        return Err(Problem::from(Refusal::HeadTooLarge));
    }
    let hosts = head.headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && head.version >= Version::HTTP_11) {
        return Err(Problem::bad_request("bad_host", "A request names its host exactly once."));
    }
    Ok(())
}

/// 200 and not 204, because `tiny_http` gives a 204 the length that it mustn't have.
fn options(route: Route<'_>, head: &request::Parts, context: &Context) -> Response {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(route.allowed()));
    headers.insert(header::CACHE_CONTROL, Keep::No.value());
    context.grant.answer_preflight(&head.headers, headers);
    response
}

fn method_not_allowed(route: Route<'_>) -> Problem {
    let detail = format!("This address takes {}.", route.allowed());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        .with(header::ALLOW, HeaderValue::from_static(route.allowed()))
}

/// Every route that programs use: its path as its description writes it, and its methods.
#[cfg(test)]
pub(super) fn described() -> Vec<(&'static str, &'static str)> {
    const EVERY: [Route<'static>; 18] = [
        Route::Home,
        Route::Order(""),
        Route::OrderByParameter,
        Route::Orders,
        Route::Recent,
        Route::Healthz,
        Route::Readyz,
        Route::Metrics,
        Route::Random(""),
        Route::OpenApi,
        Route::Docs(""),
        Route::DocsHome,
        Route::Cache,
        Route::CacheAsJson,
        Route::Letters,
        Route::Letter(""),
        Route::LetterAction("", Action::Replay),
        Route::LetterAction("", Action::Drop),
    ];
    let paths = |route: Route<'_>| -> &'static [&'static str] {
        match route {
            Route::Order(_) => &["/orders/{uid}", "/order/{uid}", "/api/order/{uid}"],
            Route::OrderByParameter => &["/api/getOrder"],
            Route::Orders => &["/orders"],
            Route::Recent => &["/api/orders/recent"],
            Route::Healthz => &["/healthz"],
            Route::Readyz => &["/readyz"],
            Route::Metrics => &["/metrics"],
            Route::Random(_) => &["/random/{n}"],
            Route::OpenApi => &["/openapi.json"],
            Route::Letters => &["/dead-letters"],
            Route::Letter(_) => &["/dead-letters/{id}"],
            Route::LetterAction(_, Action::Replay) => &["/dead-letters/{id}/replay"],
            Route::LetterAction(_, Action::Drop) => &["/dead-letters/{id}/drop"],
            Route::CacheAsJson => &["/api/cache"],
            // For people.
            Route::Home | Route::Cache | Route::Docs(_) | Route::DocsHome | Route::Asset(_) => &[],
        }
    };
    let described = EVERY
        .into_iter()
        .flat_map(|route| paths(route).iter().map(move |path| (*path, route.allowed())));
    described.collect()
}

#[cfg(test)]
mod tests {
    use super::Action;
    use super::Route;

    /// Rows 15 and 16: every path of the seeds has its handler, and nothing near them has.
    #[test]
    fn paths_find_their_routes() {
        for path in ["/orders/a", "/order/a", "/api/order/a"] {
            assert_eq!(Route::of(path), Some(Route::Order("a")), "{path}");
        }
        assert_eq!(Route::of("/orders/a%2Fb"), Some(Route::Order("a%2Fb")));
        assert_eq!(Route::of("/orders/"), Some(Route::Order("")));
        assert_eq!(Route::of("/orders"), Some(Route::Orders));
        assert_eq!(Route::of("/api/orders/recent"), Some(Route::Recent));
        assert_eq!(Route::of("/api/getOrder"), Some(Route::OrderByParameter));
        assert_eq!(Route::of("/dead-letters/7"), Some(Route::Letter("7")));
        let replay = Route::LetterAction("7", Action::Replay);
        assert_eq!(Route::of("/dead-letters/7/replay"), Some(replay));
        for path in ["/dead-letters/7/", "/dead-letters/7/replay/", "/dead-letters/7/other"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
        for path in ["", "*", "//", "/orders/a/b", "/random/1/2", "/docsx", "/Orders", "/assets/"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
