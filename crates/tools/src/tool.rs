//! What a tool is: a name, words, schemas, a run; and the two ways in which it fails.

use std::future::Future;
use std::pin::Pin;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use wirewise_model::Viewer;

use crate::evidence::Evidence;
use crate::toolbox::Toolbox;

/// A run under way.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Evidence, ToolError>> + Send + 'a>>;

/// How a tool is run: with its arguments, on a viewer's behalf.
pub type Run = for<'a> fn(&'a Toolbox, Value, &'a Viewer) -> Running<'a>;

/// One question that can be answered.
pub struct Tool {
    /// Its name, without dots.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// When to use it and what it gives, for a model.
    pub description: &'static str,
    /// JSON Schema of its arguments.
    pub input_schema: fn() -> Value,
    /// JSON Schema of its structured result.
    pub output_schema: fn() -> Value,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// Whether it gives headers and bodies, and so is for those alone who may read them.
    pub payloads: bool,
    /// Its run.
    pub run: Run,
}

/// How a tool fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The arguments can be mended; the text says how.
    #[error("{0}")]
    Tell(String),
    /// The question ends here.
    #[error("{0}")]
    Fail(String),
}

impl ToolError {
    pub(crate) fn tell(text: impl Into<String>) -> Self {
        Self::Tell(text.into())
    }
}

/// The schema of a tool's arguments, from its type: one self-contained object, without formats that clients
/// warn about and without words that say nothing.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    if let Value::Object(fields) = &mut schema {
        fields.shift_remove("title");
        fields.shift_remove("description");
    }
    schema
}

fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.shift_remove("format");
            fields.shift_remove("minimum");
            if fields.get("default") == Some(&Value::Null) {
                fields.shift_remove("default");
            }
            // `["string", "null"]`: leaving a field out says the same in fewer words.
            if let Some(Value::Array(types)) = fields.get("type") {
                let named: Vec<Value> = types.iter().filter(|kind| *kind != "null").cloned().collect();
                if let [only] = named.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            flatten_choice(fields);
            for value in fields.values_mut() {
                tidy(value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `anyOf: [X, null]` is X where the field may be left out.
fn flatten_choice(fields: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = fields.get("anyOf") else { return };
    let mut named = choices.iter().filter(|choice| choice.get("type") != Some(&json!("null")));
    if let (Some(Value::Object(only)), None) = (named.next(), named.next()) {
        let only = only.clone();
        fields.shift_remove("anyOf");
        for (name, value) in only {
            if name != "description" || !fields.contains_key("description") {
                fields.insert(name, value);
            }
        }
    }
}

/// Reads arguments; what is wrong is said so that it can be mended.
pub(crate) fn arguments<T: DeserializeOwned + JsonSchema>(tool: &str, given: Value) -> Result<T, ToolError> {
    let given = if given.is_null() { json!({}) } else { given };
    let Value::Object(mut fields) = given else {
        return Err(ToolError::tell(format!("the arguments of {tool} must be a JSON object")));
    };
    let schema = schema_of::<T>();
    let known: Vec<&str> = schema["properties"]
        .as_object()
        .map(|fields| fields.keys().map(String::as_str).collect())
        .unwrap_or_default();
    for name in fields.keys() {
        if !known.contains(&name.as_str()) {
            return Err(ToolError::tell(format!(
                "{tool} has no argument `{}`{}; it takes {}",
                crate::table::plain(name, 60),
                crate::names::did_you_mean(name, known.iter().copied()),
                known.join(", ")
            )));
        }
    }
    fields.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| ToolError::tell(format!("arguments of {tool}: {error}")))
}

/// The schema of every tool's structured result: the envelope of [`Evidence`], its tables in `body`.
pub(crate) fn evidence_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "dataset": {"type": "string"},
            "window": {"type": "object"},
            "now": {"type": "string"},
            "now_is": {"type": "string"},
            "matched": {"type": "integer"},
            "returned": {"type": "integer"},
            "truncated": {"type": "boolean"},
            "next_cursor": {"type": ["string", "null"]},
            "losses": {"type": "array"},
            "notes": {"type": "array"},
            "citations": {"type": "array"},
            "body": {"type": "object"}
        },
        "required": ["dataset", "matched", "returned", "truncated", "losses", "body"]
    })
}
