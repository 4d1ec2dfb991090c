//! The notifications of PostgreSQL that carry the ids of replaced orders, as they are written and
//! read.
//!
//! A payload is the sender's instance in 16 hexadecimal digits and the ids, each after a space,
//! which no id holds. The server sends it when the transaction commits, and only then.

use crate::order::OrderUid;
use crate::store::listen::Heard;
use crate::store::listen::Writer;
use crate::store::postgres::Prepared;
use postgres::Transaction;

/// The channel of the database on which replaced orders are told.
pub(super) const CHANNEL: &str = "orderd_replaced";

/// The server refuses payloads of 8000 bytes and more with the SQLSTATE 22023.
const PAYLOAD_BYTES_MAX: usize = 7_900;

const NOTIFY: &str =
    "select pg_notify('orderd_replaced', payload) from unnest($1::text[]) as t (payload)";

/// Which daemon a connection belongs to: drawn at its start, so that it knows what it told itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instance(u64);

impl Instance {
    pub(super) fn draw() -> Self {
        Self(rand::random())
    }

    /// The channel on which only this instance hears its own heartbeats.
    pub(super) fn heartbeat_channel(self) -> String {
        format!("orderd_heartbeat_{:016x}", self.0)
    }

    /// What was told by `payload`.
    pub(super) fn read(self, payload: &str) -> Heard {
        let mut words = payload.split(' ');
        let sender = words.next().and_then(|word| u64::from_str_radix(word, 16).ok());
        let uids = words.map(OrderUid::parse).collect::<Result<Vec<_>, _>>();
        match (sender, uids) {
            (Some(sender), Ok(uids)) if !uids.is_empty() => {
                let by = if sender == self.0 { Writer::ThisInstance } else { Writer::Another };
                Heard::Replaced { by, uids }
            }
            _ => Heard::Unreadable,
        }
    }

    fn payloads<'a>(self, uids: impl IntoIterator<Item = &'a OrderUid>) -> Vec<String> {
        let mut payloads: Vec<String> = Vec::new();
        for uid in uids {
            let uid = uid.as_str();
            match payloads.last_mut() {
                Some(last) if last.len() + 1 + uid.len() < PAYLOAD_BYTES_MAX => {
                    last.push(' ');
                    last.push_str(uid);
                }
                _ => payloads.push(format!("{:016x} {uid}", self.0)),
            }
        }
        payloads
    }
}

/// Has the transaction tell, when it commits, that these orders were replaced.
pub(super) fn notify<'a>(
    transaction: &mut Transaction<'_>,
    prepared: &mut Prepared,
    sender: Instance,
    replaced: impl IntoIterator<Item = &'a OrderUid>,
) -> Result<(), postgres::Error> {
    let payloads = sender.payloads(replaced);
    if payloads.is_empty() {
        return Ok(());
    }
    let statement = prepared.statement(transaction, NOTIFY)?;
    transaction.execute(&statement, &[&payloads])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(count: usize, length: usize) -> Vec<OrderUid> {
        let uid = |number: usize| OrderUid::parse(&format!("{number:0length$}")).unwrap();
        (0..count).map(uid).collect()
    }

    fn told(payloads: &[String], listener: Instance, by: Writer) -> Vec<OrderUid> {
        let heard = payloads.iter().map(|payload| listener.read(payload));
        let uids = heard.map(|heard| match heard {
            Heard::Replaced { by: writer, uids } if writer == by => uids,
            other => panic!("{other:?} is not from {by:?}"),
        });
        uids.flatten().collect()
    }

    /// Issue: several payloads if need be, each under 7 900 bytes, and no id lost between them.
    #[test]
    fn payloads_stay_below_their_bound_and_carry_every_id_once() {
        let (sender, other) = (Instance(7), Instance(u64::MAX));
        for length in [4, 19, OrderUid::LENGTH_MAX] {
            let uids = uids(5_000, length);
            let payloads = sender.payloads(&uids);
            assert!(payloads.iter().all(|payload| payload.len() < 7_900));
            // As few as fit, since each of them is a message to every instance.
            let bytes = uids.len() * (length + 1);
            assert_eq!(payloads.len(), bytes.div_ceil((7_899 - 16) / (length + 1) * (length + 1)));
            assert_eq!(told(&payloads, other, Writer::Another), uids);
            assert_eq!(told(&payloads, sender, Writer::ThisInstance), uids);
        }
        assert!(sender.payloads(&[]).is_empty());
    }

    /// Design: what a version can't read is never ignored.
    #[test]
    fn what_is_no_payload_of_ours_is_unreadable() {
        for payload in ["", "7", "xyz a", "7 a//b", "7  a", "2:7 a"] {
            assert_eq!(Instance(7).read(payload), Heard::Unreadable, "{payload:?}");
        }
    }
}
