//! The OpenAPI document, from the table of routes and the types of the protocol.

use super::routes;
use actix_web::http::Method;
use protocol::{EventRecord, Problem};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Statuses that any route may answer with.
const ANYWHERE: [u16; 6] = [400, 401, 403, 405, 500, 507];
/// Statuses of routes that read something.
const READING: [u16; 5] = [408, 409, 413, 415, 422];

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

enum Content {
    Nothing,
    AnyJson,
    Json(SchemaOf),
    Other(&'static str),
}

/// One method of a path, as it is documented.
pub struct Operation {
    /// The method.
    pub method: Method,
    summary: &'static str,
    bodies: Vec<(&'static str, Body)>,
    answers: Vec<(u16, Content)>,
    paged: bool,
    once: bool,
    resumed: bool,
}

enum Body {
    Json(SchemaOf),
    Form(Value),
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Operation {
    /// Nothing but a summary.
    pub fn new(method: Method, summary: &'static str) -> Self {
        Self { method, summary, bodies: Vec::new(), answers: Vec::new(), paged: false, once: false, resumed: false }
    }

    /// Reads JSON.
    pub fn reads<T: JsonSchema>(mut self) -> Self {
        self.bodies.push(("application/json", Body::Json(schema_of::<T>)));
        self
    }

    /// Reads a form with files in `field`.
    pub fn reads_files(mut self, field: &str) -> Self {
        let file = json!({ "type": "string", "format": "binary" });
        let form = json!({
            "type": "object", "required": [field], "additionalProperties": false,
            "properties": { field: { "type": "array", "minItems": 1, "items": file } },
        });
        self.bodies.push(("multipart/form-data", Body::Form(form)));
        self
    }

    /// Reads a form with a bundle.
    pub fn reads_bundle(mut self) -> Self {
        let form = json!({
            "type": "object", "required": ["file", "mode"], "additionalProperties": false,
            "properties": {
                "file": { "type": "string", "format": "binary" },
                "mode": { "enum": ["face", "object", "style"] },
                "name": { "type": "string", "minLength": 1, "maxLength": 100 },
            },
        });
        self.bodies.push(("multipart/form-data", Body::Form(form)));
        self
    }

    /// Answers with JSON.
    pub fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Content::Json(schema_of::<T>)));
        self
    }

    /// Answers with JSON of its own kind.
    pub fn answers_json(mut self, status: u16) -> Self {
        self.answers.push((status, Content::AnyJson));
        self
    }

    /// Answers with something else.
    pub fn answers_as(mut self, status: u16, media: &'static str) -> Self {
        self.answers.push((status, Content::Other(media)));
        self
    }

    /// Answers without a body.
    pub fn answers_nothing(mut self, status: u16) -> Self {
        self.answers.push((status, Content::Nothing));
        self
    }

    /// Is a list in pages.
    pub fn paged(mut self) -> Self {
        self.paged = true;
        self
    }

    /// Takes an `Idempotency-Key`.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Takes a `Last-Event-ID`.
    pub fn resumed(mut self) -> Self {
        self.resumed = true;
        self
    }

    fn document(&self, path: &str, generator: &mut SchemaGenerator) -> Value {
        let mut parameters = Vec::new();
        for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
        }
        if self.paged {
            let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 });
            parameters.push(json!({ "name": "after", "in": "query", "schema": { "type": "string" } }));
            parameters.push(json!({ "name": "limit", "in": "query", "schema": limit }));
        }
        if self.once {
            let key = json!({ "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$" });
            parameters.push(json!({ "name": "Idempotency-Key", "in": "header", "schema": key }));
        }
        if self.resumed {
            parameters.push(
                json!({ "name": "Last-Event-ID", "in": "header", "schema": { "type": "integer", "minimum": 0 } }),
            );
        }
        let mut answers = Map::new();
        for (status, content) in &self.answers {
            let content = match content {
                Content::Nothing => json!({}),
                Content::AnyJson => json!({ "application/json": { "schema": { "type": "object" } } }),
                Content::Json(schema) => json!({ "application/json": { "schema": schema(generator) } }),
                Content::Other(media) => json!({ *media: { "schema": { "type": "string" } } }),
            };
            answers.insert(status.to_string(), json!({ "description": self.summary, "content": content }));
        }
        let reading = (self.method != Method::GET || self.paged || self.resumed).then_some(READING);
        let missing = path.contains('{').then_some(404);
        for status in ANYWHERE.into_iter().chain(reading.into_iter().flatten()).chain(missing) {
            answers.insert(status.to_string(), json!({ "$ref": "#/components/responses/Problem" }));
        }
        let mut document = json!({
            "operationId": operation_id(&self.method, path), "summary": self.summary, "responses": answers,
        });
        if !parameters.is_empty() {
            document["parameters"] = parameters.into();
        }
        if routes::is_open(&self.method, path) {
            document["security"] = json!([]);
        }
        if !self.bodies.is_empty() {
            let content: Map<String, Value> = self
                .bodies
                .iter()
                .map(|(media, body)| {
                    let schema = match body {
                        Body::Json(schema) => schema(generator).to_value(),
                        Body::Form(schema) => schema.clone(),
                    };
                    ((*media).to_owned(), json!({ "schema": schema }))
                })
                .collect();
            document["requestBody"] = json!({ "required": true, "content": content });
        }
        document
    }
}

/// `post_v1_jobs_id_cancel`.
fn operation_id(method: &Method, path: &str) -> String {
    let path: String = path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let parts: Vec<&str> = path.split('_').filter(|part| !part.is_empty()).collect();
    format!("{}_{}", method.as_str().to_lowercase(), parts.join("_"))
}

/// The whole document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let content = json!({ "application/problem+json": { "schema": problem } });
    let problem = json!({ "description": "What went wrong, and what to do", "content": content });
    // What a stream of events is made of; no route answers with one alone.
    generator.subschema_for::<EventRecord>();
    let mut paths = Map::new();
    for entry in routes::table() {
        let methods: Map<String, Value> = entry
            .methods
            .iter()
            .map(|(operation, _)| {
                (operation.method.as_str().to_lowercase(), operation.document(entry.path, &mut generator))
            })
            .collect();
        paths.insert(entry.path.to_owned(), Value::Object(methods));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "conceptd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Trains concepts for Stable Diffusion: pictures in, a LoRA with token embeddings out.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "responses": { "Problem": problem },
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}
