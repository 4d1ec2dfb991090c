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
        assert_shows(&home, &["o11", "o2", "Anna", "1817 USD", "2021-11-26 06:22:19 UTC"]);
        assert!(!home.text().contains(">o1<"), "only ten are shown");
        let found = browse(&site, "/?uid=+o1+");
        assert_eq!(found.status, 200, "{server:?}");
        assert_shows(
            &found,
            &[">o1<", "Mascaras", "Vivienne Sabo", "from the database", "06:22:19.25 UTC"],
        );
        assert_shows(&browse(&site, "/?uid=o1"), &["from the cache"]);
        assert_shows(&browse(&site, "/?uid="), &["Enter the id of an order."]);
        let russian = site.get_with("/", &[BROWSER, ("Accept-Language", "ru-RU,ru;q=0.9")]);
        assert_shows(&russian, &["lang=\"ru\"", "Найти Заказ", "Последние заказы"]);
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
        assert_shows(&home, &[">0001-01-01 00:00:00 UTC<", ">9999-12-31 23:59:59 UTC<"]);
        let last = browse(&site, "/?uid=last");
        assert_shows(
            &last,
            &[">9999-12-31 23:59:59.999999 UTC<", "<dd>9999-12-31 23:59:59 UTC</dd>"],
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
        assert_shows(&away, &["can&#39;t be shown at the moment"]);
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
            for markup in ["<script>", "<img", "http://", "https://"] {
                assert!(!page.text().contains(markup), "{markup} in {}", page.text());
            }
        }
    }
}

/// Row 17: what the page loads is there, and is asked for again only when it changed.
#[test]
fn assets_are_served_and_revalidated() {
    for server in SERVERS {
        let site = Site::start(server);
        for (path, content_type) in [
            ("/assets/orderd.css", "text/css; charset=utf-8"),
            ("/assets/newest.js", "text/javascript; charset=utf-8"),
            ("/assets/icon.svg", "image/svg+xml"),
        ] {
            assert!(path.ends_with("newest.js") || browse(&site, "/nothing").text().contains(path));
            let answer = site.get(path);
            assert_eq!((answer.status, answer.header("content-type")), (200, content_type));
            let etag = answer.header("etag");
            assert_eq!(site.get_with(path, &[("If-None-Match", etag)]).status, 304, "{path}");
        }
    }
}
