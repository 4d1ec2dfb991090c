//! The page of the dead letters.

use crate::browser::AT_A_DESK;
use crate::browser::READERS;
use crate::browser::assert_sees;
use crate::browser::check;
use crate::browser::chromium::Browser;
use crate::browser::chromium::Tab;
use crate::browser::origin;
use crate::http::site::PATIENCE;
use crate::http::site::SERVERS;
use crate::http::site::Server;
use crate::http::site::Site;
use orderd::http::Token;
use orderd::http::Writes;
use orderd::order::decode::Part;
use orderd::store::DeadLetter;
use orderd::store::Origin;

/// An order by the rules of the site, full of markup.
const MENDED: &str = r#"{"order_uid":"mended","date_created":"2021-11-26T06:22:19Z",
    "items":[{"name":"<img src=x onerror=alert(1)>"}]}"#;

const REASON: &str = "<script>document.title='taken'</script> at items[0].price";

fn letter(offset: i64, code: &str, payload: &'static [u8]) -> DeadLetter {
    DeadLetter {
        origin: Origin { partition: 0, offset, element: 0 },
        code: code.to_owned(),
        reason: REASON.to_owned(),
        part: Part::Message,
        payload: payload.into(),
    }
}

fn site(server: Server, writes: Writes) -> Site {
    let site = Site::with(server, writes, PATIENCE);
    site.save_letters(&[
        letter(0, "required", MENDED.as_bytes()),
        letter(1, "type", b"{\"items\":[{\"price\":\"x\"}]}"),
        letter(2, "syntax", b"\xff<html>"),
    ]);
    site
}

fn click(tab: &Tab<'_>, number: usize, act: &str) {
    let button = format!("document.querySelectorAll('#letters [data-act={act}]')[{number}]");
    tab.evaluate(&format!("{button}.click()"));
}

/// Row 23 and the issue: dead letters with reason, message and origin, and replay; what they hold
/// is shown as text.
#[test]
fn row_23_letters_are_read_and_replayed() {
    let browser = Browser::start();
    for server in SERVERS {
        for reader in READERS {
            let site = site(server, Writes::Demo);
            let tab = browser.tab(reader);
            let is_russian = reader.language == "ru";
            let says = |english, russian| if is_russian { russian } else { english };
            assert_eq!(tab.open(&format!("{}/dead-letters", origin(&site))), 200);
            tab.wait_until("document.querySelectorAll('#letters > li').length === 3");
            assert_sees(&tab, &["syntax", "type", "required", REASON, "orders/0/2/0"]);
            assert_sees(&tab, &[says("Replay", "Повторить")]);
            assert_ne!(tab.evaluate("document.title"), "taken");
            click(&tab, 2, "show");
            tab.wait_until("document.querySelectorAll('#letters pre')[2].textContent !== ''");
            assert_sees(&tab, &["<img src=x onerror=alert(1)>"]);
            check(&tab, &site, reader, "dead-letters");

            click(&tab, 1, "replay");
            tab.wait_until("document.querySelectorAll('.verdict')[1].textContent !== ''");
            assert_sees(
                &tab,
                &["order_uid", says("no order by the rules", "не заказ по правилам")],
            );
            tab.forgive_failures();
            click(&tab, 2, "replay");
            tab.wait_until("document.querySelectorAll('.badge')[2].dataset.state === 'replayed'");
            assert_sees(&tab, &[says("It is an order now", "Теперь это заказ")]);
            check(&tab, &site, reader, "dead-letters-replayed");
            assert_eq!(site.get("/orders/mended").status, 200, "{server:?}");
            tab.evaluate("states.value = 'replayed'; states.dispatchEvent(new Event('change'))");
            tab.wait_until("document.querySelectorAll('#letters > li').length === 1");
            tab.evaluate("states.value = 'dropped'; states.dispatchEvent(new Event('change'))");
            tab.wait_until("says.textContent === says.dataset.none");
            check(&tab, &site, reader, "dead-letters-none");
            tab.close(&origin(&site));
        }
    }
}

/// Issue: a letter that a later message overtook is replayed only when that is asked for.
#[test]
fn an_overtaken_letter_is_replayed_on_demand() {
    let browser = Browser::start();
    let site = site(Server::Axum, Writes::Demo);
    site.save(&[crate::http::site::order("mended", "Anna")]);
    let tab = browser.tab(AT_A_DESK);
    tab.open(&format!("{}/dead-letters", origin(&site)));
    tab.wait_until("document.querySelectorAll('#letters > li').length === 3");
    click(&tab, 2, "replay");
    tab.wait_until("!document.querySelectorAll('[data-act=force]')[2].hidden");
    assert_sees(&tab, &["was saved from a later message"]);
    check(&tab, &site, AT_A_DESK, "dead-letters-overtaken");
    tab.forgive_failures();
    click(&tab, 2, "force");
    tab.wait_until("document.querySelectorAll('.badge')[2].dataset.state === 'replayed'");
    assert!(site.get("/orders/mended").text().contains("onerror"));
    tab.close(&origin(&site));
}

/// Section 3: the token is asked for, a wrong one is refused, and without leave nobody reads them;
/// that no answer comes is said.
#[test]
fn letters_are_shown_to_who_has_the_token() {
    let browser = Browser::start();
    let site = site(Server::Axum, Writes::Token(Token::new("open sesame")));
    let tab = browser.tab(AT_A_DESK);
    tab.open(&format!("{}/dead-letters", origin(&site)));
    tab.wait_until("!opening.hidden && document.activeElement === token");
    check(&tab, &site, AT_A_DESK, "dead-letters-token");
    tab.enter("sesame");
    tab.press("Enter");
    tab.wait_until("says.textContent === says.dataset.refused");
    tab.enter("open sesame");
    tab.press("Enter");
    tab.wait_until("document.querySelectorAll('#letters > li').length === 3");
    assert_eq!(tab.evaluate("opening.hidden"), true);
    tab.lose_the_network();
    tab.evaluate("states.dispatchEvent(new Event('change'))");
    tab.wait_until("says.textContent === says.dataset.failed");
    check(&tab, &site, AT_A_DESK, "dead-letters-no-answer");
    tab.forgive_failures();
    tab.close(&origin(&site));

    let site = self::site(Server::Axum, Writes::Off);
    let tab = browser.tab(AT_A_DESK);
    tab.open(&format!("{}/dead-letters", origin(&site)));
    tab.wait_until("says.textContent === says.dataset.off");
    check(&tab, &site, AT_A_DESK, "dead-letters-off");
    tab.forgive_failures();
    tab.close(&origin(&site));
}
