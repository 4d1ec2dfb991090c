//! `orderd dead-letters`, as people and scripts type it.

use crate::daemon;
use crate::daemon::Ended;
use crate::daemon::wait_until;
use crate::dead_letters::Place;
use crate::dead_letters::damaged;
use crate::dead_letters::incomplete;
use crate::dead_letters::last;
use bytes::Bytes;
use orderd::dead_letters::Envelope;
use std::collections::HashSet;

impl Place {
    fn letters(&self, more: &[&str]) -> Ended {
        daemon::run(&[&["dead-letters"], more, &self.arguments()].concat())
    }

    /// As [`Place::letters`], which must succeed; what it printed.
    #[track_caller]
    fn printed(&self, more: &[&str]) -> String {
        let ended = self.letters(more);
        assert!(ended.status.success(), "{more:?}: {ended:?}");
        ended.stdout
    }

    fn listed(&self, more: &[&str]) -> Vec<Envelope> {
        let all = ["list", "--limit", "1000", "--json"];
        let printed = self.printed(&[&all[..], more].concat());
        printed.lines().map(|line| Envelope::parse(line.as_bytes()).unwrap()).collect()
    }
}

/// Issue: dead letters of the 50 kinds of damage, each with the right reason and its bytes; without
/// a fix a replay says the reason anew and changes nothing.
#[test]
fn each_kind_of_damage_is_a_letter_with_its_reason() {
    let damaged = damaged();
    assert_eq!(damaged.len(), 50);
    for place in Place::both() {
        let messages: Vec<Bytes> = damaged.iter().map(|(_, bytes)| bytes.clone()).collect();
        place.take_in(&[&messages[..], &[last()]].concat(), 50, "lenient");
        let letters = place.listed(&[]);
        assert_eq!(letters.len(), 50);
        for letter in &letters {
            let (damage, message) = &damaged[usize::try_from(letter.origin.offset).unwrap()];
            assert_eq!(letter.code, damage.code().as_str(), "{}", damage.name());
            assert!(letter.reason.contains(&letter.code), "{letter:?}");
            let shown = place.printed(&["show", &letter.id.to_string(), "--json"]);
            let bytes = Envelope::parse(shown.as_bytes()).unwrap().bytes().unwrap();
            if letter.part == "message" {
                assert_eq!(bytes, message[..], "{}", damage.name());
            } else {
                let inner = &message[1..message.len() - 1];
                assert_eq!(bytes, inner, "{}: the one element of its array", damage.name());
            }
        }
        let ended = place.letters(&["replay", "--all"]);
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.stderr.contains("50 of 50 dead letters"), "{}", ended.stderr);
        assert_eq!(ended.stdout.lines().count(), 50);
        for (line, letter) in ended.stdout.lines().zip(letters.iter().rev()) {
            let fields: Vec<_> = line.split('\t').collect();
            assert_eq!(fields[..2], [&*letter.id.to_string(), "refused"]);
            assert!(fields[2].contains(&letter.code), "{line}");
        }
        assert_eq!(place.listed(&[]).len(), 50, "all are open still");
    }
}

/// Issue: replay after a fix lands them once: letters that the strict rules made are orders by the
/// lenient ones. An element of an array lands alone; a second replay changes nothing.
#[test]
fn letters_land_once_when_the_rules_are_loosened() {
    for place in Place::both() {
        let array = format!("[{}, {}]", incomplete("in-array"), "{}");
        let messages = [Bytes::from(incomplete("alone")), Bytes::from(array), last()];
        place.take_in(&messages, 3, "strict");
        let still_bad = place.letters(&["replay", "--all", "--validation", "strict"]);
        assert_eq!(still_bad.status.code(), Some(1));
        assert!(still_bad.stdout.contains("delivery.name: required"), "{}", still_bad.stdout);

        let ended = place.letters(&["replay", "--all"]);
        assert_eq!(ended.status.code(), Some(1), "one of the three is no order by any rules");
        let outcomes: HashSet<_> = ended
            .stdout
            .lines()
            .map(|line| line.split('\t').skip(1).take(2).collect::<Vec<_>>().join(" "))
            .filter(|outcome| !outcome.starts_with("refused"))
            .collect();
        assert_eq!(
            outcomes,
            HashSet::from(["inserted alone", "inserted in-array"].map(String::from))
        );

        let replayed = place.listed(&["--state", "replayed"]);
        assert_eq!(replayed.len(), 2);
        for letter in &replayed {
            let again = place.printed(&["replay", &letter.id.to_string()]);
            assert_eq!(again, format!("{}\talready_replayed\t-\n", letter.id));
        }
        let left = place.listed(&[]);
        assert_eq!(left.len(), 1);
        let id = left[0].id.to_string();
        assert_eq!(place.printed(&["drop", "--all"]), format!("{id}\tdropped\t-\n"));
        assert_eq!(place.printed(&["drop", &id]), format!("{id}\talready_dropped\t-\n"));
        assert_eq!(place.printed(&["list"]), "");
        let daemon = place.start(&[]);
        for uid in ["alone", "in-array"] {
            wait_until("it is served", || daemon.get(&format!("/orders/{uid}")).status == 200);
        }
    }
}

/// Issue: on PostgreSQL the command replays beside a running daemon, which serves the order then;
/// the embedded store is in use by its daemon, which one clear sentence says.
#[test]
fn a_running_daemon_serves_what_was_replayed_beside_it() {
    let [on_embedded, on_postgres] = Place::both();
    on_postgres.take_in(&[Bytes::from(incomplete("beside")), last()], 1, "strict");
    let daemon = on_postgres.start(&["--validation", "strict"]);
    daemon.wait_ready();
    assert_eq!(daemon.get("/orders/beside").status, 404);
    let printed = on_postgres.printed(&["replay", "--all", "--code", "required"]);
    assert!(printed.ends_with("\tinserted\tbeside\n"), "{printed}");
    wait_until("it is served", || daemon.get("/orders/beside").status == 200);

    let _running = on_embedded.start(&[]);
    let refused = on_embedded.letters(&["list"]);
    assert_eq!(
        (refused.status.code(), refused.stderr.lines().count()),
        (Some(1), 1),
        "{refused:?}"
    );
    for word in ["in use", "--data-dir"] {
        assert!(refused.stderr.contains(word), "{word} is missing in: {}", refused.stderr);
    }
}

/// Issue: plain output for pipes, one line a letter, in which no message can act on the terminal;
/// and whoever sweeps says so.
#[test]
fn letters_are_printed_for_pipes_and_sweeping_is_explicit() {
    let [place, _] = Place::both();
    let ugly = Bytes::from_static(b"{\"order_uid\":\"ugly\",\"\x1b[2J\":\xff\n}");
    place.take_in(&[ugly.clone(), Bytes::from_static(b"{}"), last()], 2, "lenient");
    let printed = place.printed(&["list"]);
    let lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|fields| fields.len() == 7 && fields[1] == "open"), "{lines:?}");
    assert_eq!((lines[1][3], lines[1][4]), ("orders/0/0/0", "syntax"));
    assert_eq!(place.printed(&["list", "--limit", "1"]).lines().count(), 1);
    assert_eq!(place.printed(&["list", "--before", lines[0][0]]).lines().count(), 1);
    assert_eq!(place.printed(&["list", "--reason", "order_uid"]).lines().count(), 1);
    let shown = place.printed(&["show", lines[1][0]]);
    assert!(!shown.contains('\x1b') && shown.contains("\"ugly\""), "{shown:?}");
    let raw = daemon::orderd(&["dead-letters", "show", lines[1][0], "--raw"])
        .args(place.arguments())
        .output()
        .unwrap();
    assert_eq!(raw.stdout, ugly);
    for action in ["replay", "drop"] {
        let refused = place.letters(&[action]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(refused.stderr.contains("--all"), "{}", refused.stderr);
        let both = place.letters(&[action, "1", "--code", "syntax"]);
        assert_eq!(both.status.code(), Some(2), "{}", both.stderr);
    }
    let unknown = place.letters(&["show", "999"]);
    assert_eq!(unknown.stderr.lines().last(), Some("orderd: there is no dead letter 999"));
}
