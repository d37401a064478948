//! What is said of a route, and the OpenAPI 3.1 document that is made of it.

mod parameter;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

pub(super) use parameter::{Parameter, header, number, one_of, text};

use super::problem::Problem;
use super::routes::Verb;

/// What a route does: shown to whoever reads the document, and kept to by the router.
pub(super) struct About {
    /// What the document and the log call it.
    pub name: &'static str,
    tag: &'static str,
    summary: &'static str,
    pub pace: Pace,
    /// Whoever reaches the listener may ask.
    pub is_open: bool,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    answers: Vec<Answer>,
    problems: &'static [(u16, &'static str)],
}

/// How long a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Quick,
    /// What it asks for takes its time.
    Patient,
}

type Describes = fn(&mut SchemaGenerator) -> Schema;

enum Body {
    Json {
        schema: Describes,
        example: &'static str,
        is_required: bool,
    },
    /// A WebAssembly component.
    Module,
}

struct Answer {
    status: u16,
    content: &'static str,
    /// `None`: it is no JSON.
    schema: Option<Describes>,
    about: &'static str,
}

const JSON: &str = "application/json";
pub(super) const PROBLEM: &str = "application/problem+json";

// === impl About ===

impl About {
    pub(super) fn new(name: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            tag,
            summary,
            pace: Pace::Quick,
            is_open: false,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: &[],
        }
    }

    pub(super) fn patient(self) -> Self {
        Self {
            pace: Pace::Patient,
            ..self
        }
    }

    pub(super) fn open(self) -> Self {
        Self {
            is_open: true,
            ..self
        }
    }

    pub(super) fn parameters(self, parameters: &[Parameter]) -> Self {
        Self {
            parameters: parameters.to_vec(),
            ..self
        }
    }

    /// The body is JSON of this type; `example` is one.
    pub(super) fn takes<T: JsonSchema>(self, example: &'static str) -> Self {
        Self {
            body: Some(Body::Json {
                schema: |generator| generator.subschema_for::<T>(),
                example,
                is_required: true,
            }),
            ..self
        }
    }

    /// The same, and it may be left out.
    pub(super) fn may_take<T: JsonSchema>(self, example: &'static str) -> Self {
        Self {
            body: Some(Body::Json {
                schema: |generator| generator.subschema_for::<T>(),
                example,
                is_required: false,
            }),
            ..self
        }
    }

    /// The body is a module, which may be larger than other bodies.
    pub(super) fn takes_a_module(self) -> Self {
        Self {
            body: Some(Body::Module),
            ..self
        }
    }

    pub(super) fn takes_module(&self) -> bool {
        matches!(self.body, Some(Body::Module))
    }

    /// What is answered if all goes well.
    pub(super) fn answers<T: JsonSchema>(self, about: &'static str) -> Self {
        self.answers_with::<T>(200, about)
    }

    pub(super) fn answers_with<T: JsonSchema>(mut self, status: u16, about: &'static str) -> Self {
        self.answers.push(Answer {
            status,
            content: JSON,
            schema: Some(|generator| generator.subschema_for::<T>()),
            about,
        });
        self
    }

    /// What is answered and is no JSON.
    pub(super) fn answers_as(self, content: &'static str, about: &'static str) -> Self {
        self.answers_as_with(200, content, about)
    }

    pub(super) fn answers_as_with(
        mut self,
        status: u16,
        content: &'static str,
        about: &'static str,
    ) -> Self {
        self.answers.push(Answer {
            status,
            content,
            schema: None,
            about,
        });
        self
    }

    /// What may go wrong beside what may go wrong with every request.
    pub(super) fn problems(self, problems: &'static [(u16, &'static str)]) -> Self {
        Self { problems, ..self }
    }
}

/// The document so far.
pub(super) struct Document {
    paths: Map<String, Value>,
    /// Types differ in what they take and what they say: what may be left out is not what may be missing.
    taken: SchemaGenerator,
    said: SchemaGenerator,
}

// === impl Document ===

impl Document {
    pub(super) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            paths: Map::new(),
            taken: settings().for_deserialize().into_generator(),
            said: settings().for_serialize().into_generator(),
        }
    }

    pub(super) fn add(&mut self, verb: Verb, path: &'static str, about: About) {
        let mut parameters = parameter::of_path(path);
        parameters.extend(about.parameters.iter().map(Parameter::show));
        let mut operation = json!({
            "operationId": about.name,
            "tags": [about.tag],
            "summary": about.summary,
            "security": security(verb, about.is_open),
            "responses": self.responses(&about),
        });
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        match about.body {
            Some(Body::Json {
                schema,
                example,
                is_required,
            }) => {
                let schema = schema(&mut self.taken).to_value();
                // A test reads every one.
                let example: Value = serde_json::from_str(example).unwrap_or_default();
                operation["requestBody"] = json!({
                    "required": is_required,
                    "content": {JSON: {"schema": schema, "example": example}},
                });
            }
            Some(Body::Module) => {
                operation["requestBody"] = json!({
                    "required": true,
                    "description": "The WebAssembly component.",
                    "content": {"application/wasm": {}},
                });
            }
            None => {}
        }
        let at = self.paths.entry(path).or_insert_with(|| json!({}));
        at[verb.as_str()] = operation;
    }

    fn responses(&mut self, about: &About) -> Value {
        let mut responses = json!({});
        for answer in &about.answers {
            let content = match answer.schema {
                Some(schema) => json!({"schema": schema(&mut self.said).to_value()}),
                None => json!({"schema": {"type": "string"}}),
            };
            let response = &mut responses[answer.status.to_string()];
            response["description"] = answer.about.into();
            response["content"][answer.content] = content;
        }
        if about.is_open {
            return responses;
        }
        let schema = self.said.subschema_for::<Problem>().to_value();
        let problem =
            |about: &str| json!({"description": about, "content": {PROBLEM: {"schema": schema}}});
        for (status, what) in about.problems {
            responses[status.to_string()] = problem(what);
        }
        responses["default"] = problem(
            "Refused: `code` says why, as does the status. 401 and 403: without the right to ask.",
        );
        responses
    }

    /// Its text.
    pub(super) fn finish(mut self) -> String {
        let mut schemas = self.said.take_definitions(true);
        schemas.extend(self.taken.take_definitions(true));
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Sluice",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "The operator's listener: what a node and its cluster do, and how it is changed.",
            },
            "servers": [{"url": "/"}],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "`admin.token`, or one of `[[admin.tokens]]`: those of scope `read` may only look.",
                    },
                },
            },
        });
        document.to_string()
    }
}

fn security(verb: Verb, is_open: bool) -> Value {
    match (is_open, verb) {
        (true, _) => json!([]),
        (false, Verb::Get) => json!([{"token": ["read"]}]),
        (false, _) => json!([{"token": ["write"]}]),
    }
}
