//! Pages for people, as a browser without scripts gets them.

use crate::http::site::Answer;
use crate::http::site::Mode;
use crate::http::site::SERVERS;
use crate::http::site::Site;
use crate::http::site::order;
use orderd::order::Moment;
use orderd::order::Order;
use orderd::order::OrderUid;

const BROWSER: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn browse(site: &Site, target: &str) -> Answer {
    let answer = site.get_with(target, &[BROWSER]);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{target}");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'self'"), "{target}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    answer
}

#[track_caller]
fn assert_shows(answer: &Answer, texts: &[&str]) {
    for text in texts {
        assert!(answer.text().contains(text), "{text:?} isn't on the page: {}", answer.text());
    }
}

/// Row 17: a field for an id, a button, the whole order, the last orders as cards, every state.
#[test]
fn row_17_the_home_page_shows_orders() {
    for server in SERVERS {
        let site = Site::start(server);
        let empty = browse(&site, "/");
        assert_eq!(empty.status, 200, "{server:?}");
        assert_shows(&empty, &["name=\"uid\"", "Find order", "No orders yet"]);
        let orders: Vec<_> = (0..12).map(|number| order(&format!("o{number}"), "Anna")).collect();
        site.save(&orders);
        let home = browse(&site, "/");
        assert_shows(
            &home,
            &["o11", "o2", "Anna", "$1,817", "26\u{a0}Nov 2021, 06:22:19\u{a0}UTC"],
        );
        assert!(!home.text().contains(">o1<"), "only ten are shown");
        let found = browse(&site, "/?uid=+o1+");
        assert_eq!(found.status, 200, "{server:?}");
        assert_shows(
            &found,
            &[">o1<", "Mascaras", "Vivienne Sabo", "from the database", "06:22:19.25\u{a0}UTC"],
        );
        assert_shows(&browse(&site, "/?uid=o1"), &["from the cache"]);
        assert_shows(&browse(&site, "/?uid="), &["No id was entered"]);
        let russian = site.get_with("/", &[BROWSER, ("Accept-Language", "ru-RU,ru;q=0.9")]);
        assert_shows(
            &russian,
            &["<html lang=\"ru\">", "Найти Заказ", "Последние заказы", "1\u{a0}817\u{a0}$"],
        );
    }
}

/// "Times: years 1 to 9999": a page shows the first and the last of them, a card without fractions.
#[test]
fn the_ends_of_the_years_are_shown() {
    for server in SERVERS {
        let site = Site::start(server);
        let at = |uid: &str, moment: Moment| {
            let mut document = order(uid, "Anna").document().clone();
            document.date_created = moment;
            document.payment.payment_dt = moment.as_second();
            Order::restore(OrderUid::parse(uid).unwrap(), document)
        };
        site.save(&[at("first", Moment::MIN), at("last", Moment::MAX)]);
        let home = browse(&site, "/");
        let ends =
            [">1\u{a0}Jan 0001, 00:00:00\u{a0}UTC<", ">31\u{a0}Dec 9999, 23:59:59\u{a0}UTC<"];
        assert_shows(&home, &ends);
        let last = browse(&site, "/?uid=last");
        assert_shows(
            &last,
            &[", 23:59:59.999999\u{a0}UTC<", ">31\u{a0}Dec 9999, 23:59:59\u{a0}UTC</time></dd>"],
        );
    }
}

/// Row 18: not found, 404, 400 and error pages with their real status codes.
#[test]
fn row_18_errors_are_pages_for_browsers() {
    for server in SERVERS {
        let site = Site::start(server);
        for (target, status, text) in [
            ("/?uid=unknown", 404, "Order not found"),
            ("/?uid=a/b", 400, "This is no order id"),
            ("/?uid=a&uid=b", 400, "This request can&#39;t be understood"),
            ("/orders/unknown", 404, "Order not found"),
            ("/orders/a%20b", 400, "This is no order id"),
            ("/nothing", 404, "Page not found"),
        ] {
            let answer = browse(&site, target);
            assert_eq!(answer.status, status, "{server:?} {target}");
            assert_shows(&answer, &[text]);
        }
        site.set(Mode::IsAway);
        let away = browse(&site, "/?uid=b");
        assert_eq!((away.status, away.header("retry-after")), (503, "1"), "{server:?}");
        assert_shows(&away, &["The database is away", "can&#39;t be shown at the moment"]);
    }
}

/// Section 3: pages escape everything, and load nothing from other hosts.
#[test]
fn orders_are_text_and_never_markup() {
    for server in SERVERS {
        let site = Site::start(server);
        let uid = "<script>alert(1)<\\script>'\"&";
        site.save(&[order(uid, "<img src=x onerror=alert(2)>")]);
        let encoded: String = uid.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for target in ["/".to_owned(), format!("/?uid={encoded}")] {
            let page = browse(&site, &target);
            assert_eq!(page.status, 200, "{server:?} {target}");
            assert_shows(&page, &["&#60;script&#62;alert(1)", "&#60;img src=x"]);
            for markup in ["<script>", "<img src=x", "http://", "https://"] {
                assert!(!page.text().contains(markup), "{markup} in {}", page.text());
            }
        }
    }
}

/// Row 17: what the pages load is there; a browser keeps it for ever under the name that the pages
/// have for it, and asks again under any other.
#[test]
fn assets_are_kept_by_their_names() {
    for server in SERVERS {
        let site = Site::start(server);
        let home = browse(&site, "/");
        for (path, content_type) in [
            ("/assets/orderd.css", "text/css; charset=utf-8"),
            ("/assets/live.js", "text/javascript; charset=utf-8"),
            ("/assets/search.js", "text/javascript; charset=utf-8"),
            ("/assets/icon.svg", "image/svg+xml"),
        ] {
            let (_, rest) = home.text().split_once(&format!("\"{path}?")).unwrap();
            let named = format!("{path}?{}", rest.split_once('"').unwrap().0);
            let answer = site.get(&named);
            assert_eq!((answer.status, answer.header("content-type")), (200, content_type));
            assert!(answer.header("cache-control").ends_with("immutable"), "{named}");
            assert!(answer.body.len() < 20_000, "{path} is small");
            for other in [path.to_owned(), format!("{path}?v=0")] {
                let answer = site.get(&other);
                assert_eq!(answer.header("cache-control"), "public, no-cache", "{other}");
                let etag = answer.header("etag");
                assert_eq!(site.get_with(&other, &[("If-None-Match", etag)]).status, 304);
            }
        }
    }
}

/// Row 17: in English and Russian with a switch, which a cookie remembers when it is asked to.
#[test]
fn languages_are_switched_and_remembered() {
    for server in SERVERS {
        let site = Site::start(server);
        let home = browse(&site, "/?uid=a%2Fb&lang=en");
        assert_eq!(home.header("vary"), "Accept-Language, Cookie");
        assert_shows(&home, &["href=\"/?uid=a%2Fb&#38;lang=ru&#38;remember=1\""]);
        let russian = browse(&site, "/?lang=ru");
        assert_shows(&russian, &["<html lang=\"ru\">", "Найти Заказ"]);
        assert_eq!((russian.header("content-language"), russian.header("set-cookie")), ("ru", ""));
        let chosen = browse(&site, "/?lang=ru&remember=1");
        let cookie = chosen.header("set-cookie").split(';').next().unwrap();
        for target in ["/", "/?uid=a%2Fb", "/nothing"] {
            let page = site.get_with(target, &[BROWSER, ("Cookie", cookie)]);
            assert_shows(&page, &["<html lang=\"ru\">"]);
        }
    }
}

/// Row 17: the newest orders are asked for again and again, and are sent only when they changed.
#[test]
fn an_unchanged_list_is_not_sent_again() {
    for server in SERVERS {
        let site = Site::start(server);
        site.save(&[order("o1", "Anna")]);
        let home = browse(&site, "/");
        let known = [BROWSER, ("If-None-Match", home.header("etag"))];
        assert_eq!(site.get_with("/", &known).status, 304, "{server:?}");
        site.save(&[order("o2", "Boris")]);
        let again = site.get_with("/", &known);
        assert_eq!(again.status, 200, "{server:?}");
        assert_shows(&again, &["Boris"]);
    }
}
