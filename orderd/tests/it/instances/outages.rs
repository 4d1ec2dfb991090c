//! What readers get while an instance can't hear what others replace, and afterwards.

use crate::daemon::now;
use crate::daemon::wait_until;
use crate::instances::Instance;
use crate::instances::LISTENING;
use crate::instances::found;
use crate::instances::two;
use std::time::Duration;

/// Has `b` an order in its cache, in version 1.
fn cached(a: &Instance, b: &Instance) {
    a.write("o", 1);
    wait_until("the order is there", || b.read("o").status == 200);
    wait_until("it is cached", || b.read("o") == found(1, "HIT"));
}

/// Issue: a cut listening connection. What was replaced while nobody listened is seen, and hits are
/// hits again.
#[test]
fn a_cut_listening_connection_is_made_anew_and_everything_is_forgotten() {
    let (_database, a, b) = two();
    cached(&a, &b);
    for version in 2..=6 {
        assert_eq!(b.proxy.cut_those_that_said(LISTENING), 1);
        a.write("o", version);
        wait_until("the update is seen", || b.read("o").version == Some(version));
        wait_until("there is trust again", || b.coherence() == "ok");
        wait_until("hits are hits again", || b.read("o") == found(version, "HIT"));
    }
}

/// Issue: a listening connection that falls silent. A second later nothing is served from the cache
/// without having been read again, and the session is replaced though it never says a word.
#[test]
fn a_silent_listening_connection_turns_hits_into_misses_until_there_is_another() {
    let (_database, a, b) = two();
    cached(&a, &b);
    let started = now();
    assert_eq!(b.proxy.freeze_those_that_said(LISTENING), 1);
    a.write("o", 2);
    let mut seen_after = None;
    let mut reread = 0;
    wait_until("there is another session", || {
        let (asked_at, read) = (now(), b.read("o"));
        match (read.version, &*read.x_cache) {
            (Some(1), "HIT") => {
                let age = asked_at - started;
                assert!(age < Duration::from_millis(1500), "served unmarked after {age:?}");
            }
            (Some(2), x_cache) => {
                seen_after.get_or_insert(started.elapsed());
                reread += usize::from(x_cache == "MISS");
            }
            other => panic!("{other:?}"),
        }
        read == found(2, "HIT") && reread > 0
    });
    eprintln!("seen after {:?}, read from the store {reread} times", seen_after.unwrap());
    assert!(reread >= 2, "without trust every read is made again");
    wait_until("there is trust again", || b.coherence() == "ok");
}

/// Issue: the database is away altogether, by refusing and by being silent. Cached orders are
/// served, marked, and soon; `/readyz` says why; and all heals by itself.
#[test]
fn without_a_database_cached_orders_are_served_marked_as_stale() {
    type Break = fn(&Instance);
    let ways: [(&str, Break, Break); 2] = [
        ("refuses", |b| b.proxy.refuse(), |b| b.proxy.admit()),
        ("is silent", |b| b.proxy.freeze(), |b| b.proxy.thaw()),
    ];
    let (_database, a, b) = two();
    cached(&a, &b);
    for (version, (way, fail, mend)) in (2..).zip(ways) {
        eprintln!("the database {way}");
        fail(&b);
        a.write("o", version);
        let stale = found(version - 1, "STALE");
        wait_until("it is served as stale", || b.read("o") == stale);
        wait_until("readiness says so", || b.coherence() != "ok");
        for _ in 0..20 {
            let asked_at = now();
            assert_eq!(b.read("o"), stale);
            assert!(asked_at.elapsed() < Duration::from_secs(2), "{:?}", asked_at.elapsed());
        }
        let unknown = b.read("nobody").status;
        assert!([503, 504].contains(&unknown), "{unknown}");
        mend(&b);
        b.daemon.wait_ready();
        wait_until("the update is seen", || b.read("o").version == Some(version));
        wait_until("hits are hits again", || b.read("o") == found(version, "HIT"));
    }
}
