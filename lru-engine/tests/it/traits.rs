//! What the compiler has to be able to say of the types.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use lru_engine::Cache;
use lru_engine::LruMap;

fn assert_send<T: Send>(_: &T) {}
fn assert_sync<T: Sync>(_: &T) {}

/// Issue: a cache of keys and values that can be sent and shared can be both. (That others can not
/// is held by the examples of `Cache` that must not compile.)
#[test]
fn caches_can_be_sent_and_shared() {
    let cache: Cache<String, Arc<[u8]>> = Cache::new(1);
    assert_send(&cache);
    assert_sync(&cache);
    assert_send(&Cache::<u8, Cell<u8>>::new(1));
    assert_send(&LruMap::<u8, Cell<u8>>::new(1));
    assert_sync(&LruMap::<u8, u8>::new(1));
}

/// Issue: no `'static` bound, and a cache that stays on its thread may hold anything.
#[test]
fn keys_and_values_may_be_borrowed_and_thread_bound() {
    let text = String::from("a b c");
    let cache = Cache::new(2);
    let mut map = LruMap::new(2);
    for word in text.split(' ') {
        cache.insert(word, Rc::new(word));
        map.insert(word, &text);
    }
    assert_eq!(cache.keys_by_recency(), ["c", "b"]);
    assert_eq!(map.get("c"), Some(&&text));
}

/// Issue: lookups by any equivalent form of a key.
#[test]
fn keys_are_looked_up_in_equivalent_forms() {
    #[derive(Hash)]
    struct Pair<'a>(&'a str, u32);
    impl lru_engine::Equivalent<(String, u32)> for Pair<'_> {
        fn equivalent(&self, key: &(String, u32)) -> bool {
            self.0 == key.0 && self.1 == key.1
        }
    }
    let cache = Cache::new(2);
    cache.insert(("a".to_owned(), 1), 10);
    assert_eq!(cache.get(&Pair("a", 1)), Some(10));
    assert_eq!(cache.remove(&Pair("a", 2)), None);
    assert_eq!(cache.remove(&Pair("a", 1)), Some(10));
}

/// Issue: what a refusal or a setting that does not fit says is one sentence.
#[test]
fn errors_say_what_is_wrong() {
    let unbounded = Cache::<u8, u8>::builder().build().unwrap_err();
    assert_eq!(unbounded.to_string(), "a cache needs a bound: call capacity() before build()");
    let mut map = LruMap::new(1);
    map.insert(1, 1);
    let (present, full) = (map.insert_cold(1, 1), map.insert_cold(2, 2));
    assert_eq!(present.unwrap_err().to_string(), "the key is in the cache already");
    assert_eq!(full.unwrap_err().to_string(), "no room: a cold entry displaces nothing");
}
