//! The HTTP interface from the outside: every test runs on both servers.

mod cache;
mod cors;
mod described;
mod hostile;
mod letters;
mod lists;
mod pages;
mod protocol;
mod random;
mod reads;
pub(crate) mod site;
mod writes;
