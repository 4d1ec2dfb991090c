//! One operation, and how it is written in OpenAPI's words: its parameters, its body, its answers.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The sample order, as it is served.
const SAMPLE: &str = include_str!("../../../assets/model.json");

/// One method of one path.
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) body: Option<Body>,
    pub(super) success: Success,
    /// Statuses that mean something of their own here, beside those that any request may get.
    pub(super) failures: &'static [(u16, &'static str)],
    pub(super) notes: &'static [Note],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// A path of a forerunner, kept for those who use it.
    Deprecated,
    /// It writes, so it may want the token.
    Token,
    /// It is a read of one order, with its headers.
    Order,
}

#[derive(Clone, Copy)]
pub(super) enum Parameter {
    /// The id in the path.
    Uid,
    /// How many orders, in the path.
    Count,
    Limit,
    Cursor,
    /// The number of a dead letter, in the path.
    Letter,
    /// Which dead letters.
    State,
    /// How many entries of the cache to leave out.
    From,
    /// Whether a newer order may be replaced.
    Force,
    /// The id in the query.
    Named,
}

#[derive(Clone, Copy)]
pub(super) enum Body {
    /// One order or an array of them.
    Orders,
    /// An object or a form that names an order.
    Uid,
}

pub(super) enum Success {
    /// A status with JSON of this schema.
    Json(u16, &'static str),
    /// A bare array of orders.
    Array,
    /// Something that isn't described further.
    Other(&'static str),
}

impl Operation {
    pub(super) fn describe(&self) -> Value {
        let mut described = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "responses": self.responses(),
        });
        if !self.parameters.is_empty() {
            let parameters: Vec<_> = self.parameters.iter().map(|one| one.describe()).collect();
            described["parameters"] = Value::from(parameters);
        }
        if let Some(body) = self.body {
            described["requestBody"] = body.describe();
        }
        if self.has(Note::Deprecated) {
            described["deprecated"] = Value::from(true);
        }
        if self.has(Note::Token) {
            described["security"] = json!([{ "token": [] }, {}]);
        }
        described
    }

    fn has(&self, note: Note) -> bool {
        self.notes.contains(&note)
    }

    fn responses(&self) -> Value {
        let mut responses = Map::new();
        let (status, success) = self.success();
        responses.insert(status.to_string(), success);
        for &(status, meaning) in self.failures {
            responses.insert(status.to_string(), self.failure(status, meaning));
        }
        if self.has(Note::Order) || self.id == "orders" {
            let unchanged = json!({ "description": "Unchanged: the ETag matches If-None-Match." });
            responses.insert("304".to_owned(), unchanged);
        }
        let any = problem("Any other refusal: of the head, the method, or for lack of room.");
        responses.insert("default".to_owned(), any);
        Value::Object(responses)
    }

    fn success(&self) -> (u16, Value) {
        match self.success {
            Success::Json(status, schema) => {
                let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
                let mut content = json!({ "schema": schema });
                let mut answer = json!({ "description": self.summary });
                if self.has(Note::Order) {
                    // The sample is checked to be an order by the tests of the decoder.
                    content["example"] = serde_json::from_str(SAMPLE).unwrap_or_default();
                    answer["headers"] = order_headers();
                }
                answer["content"] = json!({ "application/json": content });
                (status, answer)
            }
            Success::Array => {
                let schema = json!({
                    "type": "array",
                    "items": { "$ref": "#/components/schemas/Order" },
                });
                let content = json!({ "application/json": { "schema": schema } });
                (200, json!({ "description": self.summary, "content": content }))
            }
            Success::Other(media) => {
                let content = json!({ media: {} });
                (200, json!({ "description": self.summary, "content": content }))
            }
        }
    }

    fn failure(&self, status: u16, meaning: &str) -> Value {
        if self.id == "readyz" {
            let schema = json!({ "$ref": "#/components/schemas/Readiness" });
            let content = json!({ "application/json": { "schema": schema } });
            return json!({ "description": meaning, "content": content });
        }
        let mut described = problem(meaning);
        if status == 404 {
            described["content"]["application/problem+json"]["example"] = json!({
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "There is no order b563feb7b2b84b6test.",
                "code": "order_not_found",
                "request_id": "0199f3a4-58c6-7c11-a6b0-6d2f5c1d9e01",
            });
        }
        if status == 503 {
            described["headers"] = json!({
                "Retry-After": {
                    "description": "Seconds to wait.",
                    "schema": { "type": "integer" },
                },
            });
        }
        described
    }
}

fn problem(meaning: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({
        "description": meaning,
        "content": { "application/problem+json": { "schema": schema } },
    })
}

fn order_headers() -> Value {
    let text = |description: &str| {
        json!({
            "description": description,
            "schema": { "type": "string" },
        })
    };
    json!({
        "ETag": text("The order's content, as a strong validator."),
        "X-Cache": {
            "description": "Where the order came from; STALE is a cached order that can't be \
                            confirmed, since the database is away.",
            "schema": { "enum": ["HIT", "MISS", "STALE"] },
        },
        "Server-Timing": text("How long the cache or the database took."),
        "X-Request-Id": text("The id of the request, taken over from it if it is sane."),
    })
}

impl Parameter {
    fn describe(self) -> Value {
        let uid = || json!({ "$ref": "#/components/schemas/OrderUid" });
        let (name, place, required, schema) = match self {
            Self::Uid => ("uid", "path", true, uid()),
            // `order_uid` and `uuid` are taken as well, but only one of the three at a time.
            Self::Named => ("OrderUID", "query", true, uid()),
            Self::Count => {
                let schema = json!({ "type": "integer", "minimum": 1, "maximum": 1000 });
                ("n", "path", true, schema)
            }
            Self::Letter => {
                let schema = json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX });
                ("id", "path", true, schema)
            }
            Self::From => {
                let schema = json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX });
                ("from", "query", false, schema)
            }
            Self::State => {
                let schema = json!({ "enum": ["open", "replayed", "dropped", "all"] });
                ("state", "query", false, schema)
            }
            Self::Force => ("force", "query", false, json!({ "type": "boolean" })),
            Self::Limit => {
                let schema =
                    json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 });
                ("limit", "query", false, schema)
            }
            Self::Cursor => {
                let schema = json!({ "type": "string", "pattern": "^A[Q-Za-f][A-Za-z0-9_-]{10}$" });
                ("cursor", "query", false, schema)
            }
        };
        json!({ "name": name, "in": place, "required": required, "schema": schema })
    }
}

impl Body {
    fn describe(self) -> Value {
        let order = || json!({ "$ref": "#/components/schemas/NewOrder" });
        let content = match self {
            Self::Orders => json!({
                "application/json": {
                    "schema": { "anyOf": [
                        order(),
                        { "type": "array", "items": order(), "minItems": 1 },
                    ] },
                },
            }),
            Self::Uid => {
                let uid = || json!({ "$ref": "#/components/schemas/OrderUid" });
                let schema = json!({ "type": "object", "oneOf": [
                    { "properties": { "order_uid": uid() }, "required": ["order_uid"] },
                    { "properties": { "OrderUID": uid() }, "required": ["OrderUID"] },
                    { "properties": { "uuid": uid() }, "required": ["uuid"] },
                ] });
                json!({
                    "application/json": { "schema": schema },
                    "application/x-www-form-urlencoded": { "schema": schema },
                })
            }
        };
        json!({ "required": true, "content": content })
    }
}
