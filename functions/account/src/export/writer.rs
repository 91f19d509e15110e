//! [`ExportWriter`]: writes the JSON text of an export value by value, so that memory holds only one record in addition to the text.

use bespoke_web::{Error, ExportAllowance, Result};
use serde::Serialize;

/// A JSON object under construction, without insignificant whitespace.
pub(super) struct ExportWriter {
    text: Vec<u8>,
    allowance: ExportAllowance,
}

/// A list in the object.
pub(super) struct ListWriter<'a>(&'a mut ExportWriter);

impl ExportWriter {
    /// Starts an empty object.
    pub(super) fn new(allowance: ExportAllowance) -> Self {
        Self {
            text: b"{".to_vec(),
            allowance,
        }
    }

    /// Adds a field.
    ///
    /// # Errors
    /// 429 if the text would exceed the allowance.
    pub(super) fn field(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        self.name(name)?;
        self.value(value)
    }

    /// Adds a list field. The callback `add` adds its items.
    ///
    /// # Errors
    /// The errors of `add`.
    pub(super) fn list(&mut self, name: &str, add: impl FnOnce(&mut ListWriter<'_>) -> Result<()>) -> Result<()> {
        self.name(name)?;
        self.text.push(b'[');
        add(&mut ListWriter(self))?;
        self.text.push(b']');
        Ok(())
    }

    /// Completes the object and returns its text.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.text.push(b'}');
        self.text
    }

    fn name(&mut self, name: &str) -> Result<()> {
        self.separate();
        self.value(&name)?;
        self.text.push(b':');
        Ok(())
    }

    fn value(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.text, value).map_err(Error::internal)?;
        self.allowance.check(self.text.len() as u64)
    }

    /// Adds a comma unless this is the first entry of an object or a list. Complete values never end with an opening bracket.
    fn separate(&mut self) {
        if !self.text.ends_with(b"{") && !self.text.ends_with(b"[") {
            self.text.push(b',');
        }
    }
}

impl ListWriter<'_> {
    /// Adds an item.
    ///
    /// # Errors
    /// 429 if the text would exceed the allowance.
    pub(super) fn item(&mut self, item: &impl Serialize) -> Result<()> {
        self.0.separate();
        self.0.value(item)
    }
}

#[cfg(test)]
mod tests {
    use bespoke_core::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_and_lists_are_separated() {
        let mut writer = ExportWriter::new(ExportAllowance::unlimited(Timestamp::from_millis(0)));
        writer.field("a", &"{").unwrap();
        writer.list("empty", |_| Ok(())).unwrap();
        writer
            .list("full", |list| [1, 2].iter().try_for_each(|item| list.item(item)))
            .unwrap();
        writer.field("z", &json!([[1], {}])).unwrap();
        let text = String::from_utf8(writer.end()).unwrap();
        assert_eq!(text, r#"{"a":"{","empty":[],"full":[1,2],"z":[[1],{}]}"#);
    }
}
