//! What only the embedded database promises: each trouble with its folder is one sentence.

use crate::store::sample::simple;
use orderd::embedded::Embedded;
use orderd::store::Connect as _;
use orderd::store::StoreError;
use orderd::store::letters::Filter;
use std::path::Path;

/// The sentence that a folder is refused with, which must name the folder and the setting.
fn refusal(folder: &Path) -> String {
    let error = Embedded::open(folder).unwrap_err();
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    let sentence = error.to_string();
    assert!(sentence.contains(&folder.display().to_string()), "{sentence}");
    assert!(sentence.contains("--data-dir (ORDERD_DATA_DIR)"), "{sentence}");
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    sentence
}

/// Issue: a data folder in use is one sentence that names the folder and the setting.
#[test]
fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Embedded::open(folder.path()).unwrap();
    assert!(refusal(folder.path()).contains("in use by another process"));
    drop(first);
    Embedded::open(folder.path()).unwrap();
}

/// Issue: a data folder that can't be made. These two fail for root too, whom permissions don't
/// stop.
#[test]
fn a_folder_that_can_not_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, simple("a", "1").body()).unwrap();
    assert!(refusal(&file.join("data")).contains("can't be used"));
    assert!(refusal(&file).contains("can't be used"));
    if cfg!(target_os = "linux") {
        assert!(refusal(Path::new("/proc/orderd")).contains("can't be used"));
    }
}

/// Issue: a data folder without permission to write. Root may write everywhere, so for root it is
/// one where nobody can make a file.
#[test]
fn a_folder_that_can_not_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut permissions = std::fs::metadata(folder.path()).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(folder.path(), permissions).unwrap();
    let is_root = std::fs::write(folder.path().join("probe"), "").is_ok();
    let place = if is_root { Path::new("/proc/self/fdinfo") } else { folder.path() };
    assert!(refusal(place).contains("can't be used"));
}

/// Design: a file that holds something else is never overwritten.
#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orderd.redb");
    let content = "precious ".repeat(10_000);
    std::fs::write(&file, &content).unwrap();
    assert!(refusal(folder.path()).contains("no orderd database"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
}

/// Design: what a later orderd wrote isn't touched by an earlier one.
#[test]
fn a_later_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Embedded::open(folder.path()).unwrap());
    let database = redb::Database::open(folder.path().join("orderd.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).unwrap().insert("schema", 999).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(refusal(folder.path()).contains("schema version 999"));
}

/// Issue: dead letters that an earlier orderd stored are there after the upgrade, and open.
#[test]
fn an_earlier_schema_keeps_its_dead_letters() {
    type Letters<'a> =
        redb::TableDefinition<'a, (&'a str, i32, i64, u32), (&'a str, &'a str, &'a [u8])>;
    let folder = tempfile::tempdir().unwrap();
    let database = redb::Database::create(folder.path().join("orderd.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).unwrap().insert("schema", 1).unwrap();
    let letters: Letters<'_> = redb::TableDefinition::new("dead_letters");
    let row = ("type", "why", &b"\0\xff"[..]);
    transaction.open_table(letters).unwrap().insert(("orders", 3, 7, 2), row).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        let embedded = Embedded::open(folder.path()).unwrap();
        let mut store = embedded.connect().unwrap();
        let letters = store.letters().list(&Filter::open(), None, 9).unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].place.to_string(), "orders/3/7/2");
        let (found, payload) = store.letters().find(letters[0].id).unwrap().unwrap();
        assert_eq!((found.order_uid, &payload[..]), (None, &b"\0\xff"[..]));
        assert_eq!(store.letters().claim_unpublished(9).unwrap().len(), 1);
    }
}
