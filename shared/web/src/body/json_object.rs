//! [`JsonObject`]: the fields of a request.

use bespoke_core::validate::email_domain;
use serde_json::{Map, Value};

use crate::state::Context;

/// The fields of a request, in the order in which the client sent them.
pub type JsonObject = Map<String, Value>;

/// Whether JavaScript would treat the value as true. The API defines a "missing" and a "given" field in this way.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

impl Context {
    /// Whether this is a request of a test: test mode is on, the field `test` is set, and `address` belongs to the test domain.
    pub fn is_test(&self, body: &JsonObject, address: &str) -> bool {
        self.in_test_domain(address) && body.get("test").is_some_and(truthy)
    }

    /// Whether test mode is on and the e-mail address belongs to the test domain.
    pub fn in_test_domain(&self, address: &str) -> bool {
        let domain = self.config().test_domain.as_deref();
        domain.is_some_and(|domain| email_domain(address) == domain)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn truthy_follows_javascript() {
        for value in [json!(true), json!(1), json!(-0.5), json!("0"), json!([]), json!({})] {
            assert!(truthy(&value), "{value}");
        }
        for value in [json!(null), json!(false), json!(0), json!(0.0), json!("")] {
            assert!(!truthy(&value), "{value}");
        }
    }
}
