//! What only a look inside the embedded database can show.

use crate::embedded::Embedded;
use crate::store::Connect;
use crate::store::StoreError;
use crate::topic::OpenSink;
use crate::topic::Record;
use std::sync::PoisonError;

/// Issue: an error of the disk is an outage that ends: the next connection opens the file again.
#[test]
fn after_an_error_of_the_disk_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Embedded::open(folder.path()).unwrap();
    let mut store = embedded.connect().unwrap();
    store.assign("group", "orders", &[(0, 7)]).unwrap();

    // What the library does after an error of the disk: everything fails until it is opened anew.
    *embedded.0.database.write().unwrap_or_else(PoisonError::into_inner) = None;
    assert!(matches!(store.counts(), Err(StoreError::Outage { .. })));

    let mut store = embedded.connect().unwrap();
    assert_eq!(store.assign("group", "orders", &[(0, 0)]).unwrap(), vec![(0, 7)]);
    let record = Record { key: "k".into(), value: "v".into() };
    OpenSink::open(&embedded.topic("orders", 1)).unwrap().append(&[record]).unwrap();
}
