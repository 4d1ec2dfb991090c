//! What can be asked: every path with its methods, parameters, bodies and answers.
//!
//! HEAD and OPTIONS are left out: each path that has GET answers both, as HTTP says.

use crate::http::openapi::operation::Body;
use crate::http::openapi::operation::Note;
use crate::http::openapi::operation::Operation;
use crate::http::openapi::operation::Parameter;
use crate::http::openapi::operation::Success;

const READ: &[(u16, &str)] = &[
    (400, "The id is malformed."),
    (404, "There is no such order."),
    (503, "The database is away or overloaded, and the order is not cached."),
    (504, "The database didn't answer in time."),
];

const LIST: &[(u16, &str)] = &[
    (400, "A parameter is malformed."),
    (503, "The database is away or overloaded."),
    (504, "The database didn't answer in time."),
];

const WRITE: &[(u16, &str)] = &[
    (400, "All violations of all orders; nothing was taken."),
    (401, "The token is missing or wrong."),
    (403, "Writing is off, or the request comes from a foreign site."),
    (413, "The body is too long."),
    (415, "The body is no JSON."),
    (422, "The topic refuses the orders."),
    (503, "The topic is away or overloaded."),
    (504, "The topic didn't acknowledge in time; the orders may still arrive."),
];

const LETTERS: &[(u16, &str)] = &[
    (400, "A parameter is malformed."),
    (401, "The token is missing or wrong."),
    (403, "Writing is off, or the request comes from a foreign site."),
    (503, "The database is away or overloaded."),
    (504, "The database didn't answer in time."),
];

const LETTER: &[(u16, &str)] = &[
    (400, "The id or a parameter is malformed."),
    (401, "The token is missing or wrong."),
    (403, "Writing is off, or the request comes from a foreign site."),
    (404, "There is no such dead letter."),
    (409, "It is settled already, or the order was saved since from a newer message."),
    (422, "By the rules of today it is still no order."),
    (503, "The database is away or overloaded."),
    (504, "The database didn't answer in time."),
];

const BASE: Operation = Operation {
    path: "",
    method: "get",
    id: "",
    tag: "orders",
    summary: "",
    parameters: &[],
    body: None,
    success: Success::Other("text/html"),
    failures: &[],
    notes: &[],
};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/orders/{uid}",
        id: "order",
        summary: "One order",
        parameters: &[Parameter::Uid],
        success: Success::Json(200, "Order"),
        failures: READ,
        notes: &[Note::Order],
        ..BASE
    },
    Operation {
        path: "/order/{uid}",
        id: "orderOfOldPath",
        summary: "One order",
        parameters: &[Parameter::Uid],
        success: Success::Json(200, "Order"),
        failures: READ,
        notes: &[Note::Order, Note::Deprecated],
        ..BASE
    },
    Operation {
        path: "/api/order/{uid}",
        id: "orderOfOldApi",
        summary: "One order",
        parameters: &[Parameter::Uid],
        success: Success::Json(200, "Order"),
        failures: READ,
        notes: &[Note::Order, Note::Deprecated],
        ..BASE
    },
    Operation {
        path: "/api/getOrder",
        id: "orderByParameter",
        summary: "One order, named by one parameter",
        parameters: &[Parameter::Named],
        success: Success::Json(200, "Order"),
        failures: READ,
        notes: &[Note::Order, Note::Deprecated],
        ..BASE
    },
    Operation {
        path: "/api/getOrder",
        method: "post",
        id: "orderByBody",
        summary: "One order, named in the body",
        body: Some(Body::Uid),
        success: Success::Json(200, "Order"),
        failures: READ,
        notes: &[Note::Order, Note::Deprecated],
        ..BASE
    },
    Operation {
        path: "/orders",
        id: "orders",
        summary: "All orders in pages, newest first",
        parameters: &[Parameter::Limit, Parameter::Cursor],
        success: Success::Json(200, "Orders"),
        failures: LIST,
        ..BASE
    },
    Operation {
        path: "/orders",
        method: "post",
        id: "submit",
        summary: "Send one order or an array of them to the topic",
        body: Some(Body::Orders),
        success: Success::Json(202, "Accepted"),
        failures: WRITE,
        notes: &[Note::Token],
        ..BASE
    },
    Operation {
        path: "/api/orders/recent",
        id: "recent",
        summary: "The last ten orders",
        success: Success::Array,
        failures: LIST,
        ..BASE
    },
    Operation {
        path: "/random/{n}",
        method: "post",
        id: "random",
        summary: "Make that many random orders, send them to the topic and return them",
        parameters: &[Parameter::Count],
        success: Success::Array,
        failures: WRITE,
        notes: &[Note::Token],
        ..BASE
    },
    Operation {
        path: "/random/{n}",
        id: "randomOfOldPath",
        summary: "Make that many random orders, send them to the topic and return them",
        parameters: &[Parameter::Count],
        success: Success::Array,
        failures: WRITE,
        notes: &[Note::Token, Note::Deprecated],
        ..BASE
    },
    Operation {
        path: "/api/cache",
        id: "cache",
        tag: "operation",
        summary: "The cache: its entries by recency, its counts, the last half hour",
        parameters: &[Parameter::From],
        success: Success::Other("application/json"),
        ..BASE
    },
    Operation {
        path: "/dead-letters",
        id: "deadLetters",
        tag: "operation",
        summary: "What can't be saved as an order, in pages, newest first",
        parameters: &[Parameter::State, Parameter::Limit, Parameter::Cursor],
        success: Success::Json(200, "DeadLetters"),
        failures: LETTERS,
        notes: &[Note::Token],
        ..BASE
    },
    Operation {
        path: "/dead-letters/{id}",
        id: "deadLetter",
        tag: "operation",
        summary: "One dead letter with its bytes",
        parameters: &[Parameter::Letter],
        success: Success::Json(200, "DeadLetter"),
        failures: LETTER,
        notes: &[Note::Token],
        ..BASE
    },
    Operation {
        path: "/dead-letters/{id}",
        method: "delete",
        id: "deleteDeadLetter",
        tag: "operation",
        summary: "Decide that a dead letter is not replayed",
        parameters: &[Parameter::Letter],
        success: Success::Json(200, "Settled"),
        failures: LETTER,
        notes: &[Note::Token],
        ..BASE
    },
    Operation {
        path: "/dead-letters/{id}/drop",
        method: "post",
        id: "dropDeadLetter",
        tag: "operation",
        summary: "Decide that a dead letter is not replayed",
        parameters: &[Parameter::Letter],
        success: Success::Json(200, "Settled"),
        failures: LETTER,
        notes: &[Note::Token],
        ..BASE
    },
    Operation {
        path: "/dead-letters/{id}/replay",
        method: "post",
        id: "replayDeadLetter",
        tag: "operation",
        summary: "Judge a dead letter by the rules of today, and save what it holds",
        parameters: &[Parameter::Letter, Parameter::Force],
        success: Success::Json(200, "Settled"),
        failures: LETTER,
        notes: &[Note::Token],
        ..BASE
    },
    Operation {
        path: "/healthz",
        id: "healthz",
        tag: "operation",
        summary: "The process lives",
        success: Success::Other("application/json"),
        ..BASE
    },
    Operation {
        path: "/readyz",
        id: "readyz",
        tag: "operation",
        summary: "The daemon can do all its work, or what is missing",
        success: Success::Json(200, "Readiness"),
        failures: &[(503, "Something is missing.")],
        ..BASE
    },
    Operation {
        path: "/metrics",
        id: "metrics",
        tag: "operation",
        summary: "Metrics in Prometheus' text format",
        success: Success::Other("text/plain"),
        ..BASE
    },
    Operation {
        path: "/openapi.json",
        id: "openapi",
        tag: "operation",
        summary: "This description",
        success: Success::Other("application/json"),
        ..BASE
    },
];
