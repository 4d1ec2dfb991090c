//! Every page in every state that it has.

use crate::browser::READERS;
use crate::browser::assert_sees;
use crate::browser::check;
use crate::browser::chromium::Browser;
use crate::browser::chromium::Reader;
use crate::browser::chromium::Tab;
use crate::browser::orders;
use crate::browser::origin;
use crate::browser::parsed;
use crate::http::site::Mode;
use crate::http::site::SERVERS;
use crate::http::site::Site;
use orderd::order::Order;
use orderd::series::SAMPLES_MAX;

/// Row 17 and row 18: the home page, the order, and every state in which there is none, with their
/// real status codes; at a desk and on a phone, in both languages, light and dark.
#[test]
fn each_page_is_shown_in_each_state() {
    let browser = Browser::start();
    for server in SERVERS {
        for reader in READERS {
            let site = Site::start(server);
            let tab = browser.tab(reader);
            let look = Look { tab: &tab, site: &site, reader };
            look.nothing_yet();
            look.orders();
            look.cache();
            look.no_order();
            look.the_database_is_away();
            tab.forgive_failures();
            tab.close(&origin(&site));
        }
    }
}

/// One reader on one site.
struct Look<'a> {
    tab: &'a Tab<'a>,
    site: &'a Site,
    reader: Reader,
}

impl Look<'_> {
    /// Opens a page that has this status, sees one of these texts by language, and checks it.
    #[track_caller]
    fn at(&self, name: &str, target: &str, status: u64, [english, russian]: [&str; 2]) {
        let opened = self.tab.open(&format!("{}{target}", origin(self.site)));
        assert_eq!(opened, status, "{name} {:?}", self.reader);
        let text = if self.reader.language == "ru" { russian } else { english };
        assert_sees(self.tab, &[text]);
        check(self.tab, self.site, self.reader, name);
    }

    fn nothing_yet(&self) {
        self.at("home-empty", "/", 200, ["No orders yet", "Заказов пока нет"]);
        self.at("cache-empty", "/cache", 200, ["The cache is empty", "Кэш пуст"]);
    }

    fn orders(&self) {
        let sample = parsed(&include_str!("../../../assets/model.json").into());
        let mut saved = orders(9);
        saved.push(sample);
        self.site.save(&saved);
        self.at("home", "/", 200, ["Find an order", "Найти Заказ"]);
        assert_sees(self.tab, &["b563feb7b2b84b6test", "Kiryat Mozkin", "Test Testov"]);
        let target = "/?uid=b563feb7b2b84b6test";
        self.at("order-from-database", target, 200, ["from the database", "из базы данных"]);
        self.at("order", target, 200, ["from the cache", "из кэша"]);
        let amount = if self.reader.language == "ru" { "1\u{a0}817\u{a0}$" } else { "$1,817" };
        assert_sees(self.tab, &[amount, "Mascaras", "Vivienne Sabo", "06:22:19", "+9720000000"]);
        let of_many = saved.iter().max_by_key(|order| order.document().items.len()).unwrap();
        let target = format!("/?uid={}", of_many.uid());
        self.at("order-of-many-items", &target, 200, ["Items", "Состав заказа"]);
    }

    /// After a time in which the share of hits went up and down.
    fn cache(&self) {
        let saved = orders(90);
        self.site.save(&saved);
        for round in 0..SAMPLES_MAX {
            let reads = 1 + round / 60 % 2;
            for uid in saved.iter().cycle().skip(round / 4).take(reads).map(Order::uid) {
                self.site.get(&format!("/orders/{uid}"));
            }
            self.site.series.sample();
        }
        self.at("cache", "/cache", 200, ["Entries by recency", "Записи по давности"]);
        let line = "document.querySelector('path.values').getTotalLength()";
        assert!(self.tab.evaluate(line).as_f64() > Some(500.0), "the chart has a line");
        let rows = "document.querySelectorAll('.entries tbody tr').length";
        assert_eq!(self.tab.evaluate(rows), 50);
        let next = "document.querySelector('a[rel=next]').click()";
        assert_eq!(self.tab.loading(|| drop(self.tab.evaluate(next))), 200);
        let place = "document.querySelector('.entries tbody td').innerText";
        assert_eq!(self.tab.evaluate(place), "51");
        check(self.tab, self.site, self.reader, "cache-second-page");
    }

    fn no_order(&self) {
        self.at("order-hint", "/?uid=", 200, ["No id was entered", "Номер не введён"]);
        assert_eq!(self.tab.evaluate("document.activeElement.id"), "uid");
        let malformed = ["This is no order id", "Это не номер заказа"];
        self.at("order-malformed", "/?uid=a%2Fb", 400, malformed);
        self.at("order-not-found", "/?uid=unknown", 404, ["Order not found", "Заказ не найден"]);
        self.at("not-found", "/nowhere", 404, ["Page not found", "Страница не найдена"]);
        let twice = "/?uid=a&uid=b";
        let unclear = ["This request can't be understood", "Запрос непонятен"];
        self.at("bad-request", twice, 400, unclear);
    }

    fn the_database_is_away(&self) {
        self.site.set(Mode::IsAway);
        let away = ["The database is away", "База данных недоступна"];
        self.at("order-database-away", "/?uid=not-cached", 503, away);
        let cached = "/?uid=b563feb7b2b84b6test";
        self.at("order-cached-database-away", cached, 200, ["from the cache", "из кэша"]);
        self.site.set(Mode::Answers);
    }
}
