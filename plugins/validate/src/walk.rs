//! The one pass over the arguments of an event.

use std::borrow::Cow;

use policy_json::{Interest, Kind, Reader, Rewrite, html};
use sluice_plugin_sdk::EventCall;

use crate::EventRule;
use crate::schema::{EscapeOrder, Schema, Type};
use crate::violation::{Violation, What};

/// For values about which nothing is declared: they still have to be JSON, and not too deep.
static ANYTHING: Schema = Schema::ANYTHING;

/// The state of the pass.
pub(crate) struct Walk<'a> {
    rule: &'a EventRule,
    text: &'a str,
    reader: Reader<'a>,
    rewrite: Rewrite<'a>,
    /// Without attachments, what looks like one is an object that a client made up.
    has_attachments: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(rule: &'a EventRule, call: &EventCall<'a>) -> Self {
        let text = call.args_text();
        Self {
            rule,
            text,
            reader: Reader::new(text),
            rewrite: Rewrite::new(text, 0),
            has_attachments: call.has_attachments(),
        }
    }

    /// The new arguments, if there are any.
    pub(crate) fn run(mut self) -> Result<Option<String>, Violation> {
        let first = self.arguments()?;
        if let Some(envelope) = &self.rule.envelope {
            return Ok(Some(envelope.around(&first)));
        }
        if self.rewrite.is_unchanged() {
            return Ok(None);
        }
        Ok(Some(self.rewrite.finish(self.text.len()).into_owned()))
    }

    /// What has become of the first argument, where the rule has an envelope for it.
    fn arguments(&mut self) -> Result<Cow<'a, str>, Violation> {
        let mut envelope_text = Cow::Borrowed("null");
        let mut count = 0;
        self.reader.expect(b'[')?;
        while self.reader.next_item(count == 0, b']')? {
            if count == self.rule.max_args {
                return Err(What::TooManyArguments { max: count }.into());
            }
            if count == 0 && self.rule.envelope.is_some() {
                envelope_text = self.enveloped()?;
            } else {
                self.argument(count)?;
            }
            count += 1;
        }
        self.reader.end()?;
        if count < self.rule.min_args {
            let min = self.rule.min_args;
            return Err(What::TooFewArguments { min }.into());
        }
        Ok(envelope_text)
    }

    /// The first argument, rewritten on its own.
    fn enveloped(&mut self) -> Result<Cow<'a, str>, Violation> {
        self.reader.kind()?;
        self.rewrite = Rewrite::new(self.text, self.reader.position());
        self.argument(0)?;
        let end = self.reader.position();
        let rewrite = std::mem::replace(&mut self.rewrite, Rewrite::new(self.text, end));
        Ok(rewrite.finish(end))
    }

    fn argument(&mut self, index: usize) -> Result<(), Violation> {
        let schema = self.rule.args.get(index).unwrap_or(&ANYTHING);
        let done = self.value(schema, 0);
        done.map_err(|violation| violation.within(&index.to_string()))
    }

    /// A value, inside so many arrays and objects.
    fn value(&mut self, schema: &'a Schema, depth: u32) -> Result<(), Violation> {
        match self.reader.kind()? {
            Kind::String => {
                expect(schema, Type::String)?;
                self.string(schema)
            }
            Kind::Number => self.number(schema),
            Kind::Boolean => {
                expect(schema, Type::Boolean)?;
                Ok(self.reader.literal()?)
            }
            Kind::Null => {
                expect(schema, Type::Null)?;
                Ok(self.reader.literal()?)
            }
            Kind::Array => {
                expect(schema, Type::Array)?;
                self.array(schema, self.deeper(depth)?)
            }
            Kind::Object => self.object(schema, depth),
        }
    }

    fn string(&mut self, schema: &Schema) -> Result<(), Violation> {
        self.reader.expect(b'"')?;
        let escaped_counts = schema.escape && self.rule.escape == EscapeOrder::Before;
        let max = schema.max_length.unwrap_or(usize::MAX);
        let interest = if schema.escape {
            Interest::JsonAndHtml
        } else {
            Interest::Json
        };
        let mut length = 0;
        loop {
            length += self.reader.skip_plain(interest);
            // At once: what is too long is not copied first.
            if length > max {
                return Err(What::TooLong { max }.into());
            }
            if self.reader.ends_text() {
                break;
            }
            let Some((at, char)) = self.reader.next_char()? else {
                break;
            };
            let replacement = if schema.escape { html(char) } else { None };
            length += match replacement {
                Some(entity) if escaped_counts => entity.len(),
                _ => 1,
            };
            if let Some(entity) = replacement {
                self.rewrite.replace(at, entity);
            }
        }
        if length == 0 && schema.non_empty {
            return Err(What::Empty.into());
        }
        match schema.min_length {
            Some(min) if length < min => Err(What::TooShort { min }.into()),
            _ => Ok(()),
        }
    }

    fn number(&mut self, schema: &Schema) -> Result<(), Violation> {
        let any = schema.types.contains(Type::Number);
        if !any {
            expect_any(schema, schema.types.contains(Type::Integer), Type::Number)?;
        }
        let number = self.reader.number()?;
        if any && schema.min.is_none() && schema.max.is_none() {
            return Ok(());
        }
        // As JavaScript reads it: what is too large is infinite.
        let value: f64 = number.parse().unwrap_or(f64::NAN);
        expect_any(schema, any || value.fract() == 0.0, Type::Number)?;
        match (schema.min, schema.max) {
            (Some(min), _) if value < min => Err(What::TooSmall { min }.into()),
            (_, Some(max)) if value > max => Err(What::TooLarge { max }.into()),
            _ => Ok(()),
        }
    }

    fn array(&mut self, schema: &'a Schema, depth: u32) -> Result<(), Violation> {
        self.reader.expect(b'[')?;
        let mut count = 0;
        while self.reader.next_item(count == 0, b']')? {
            match schema.max_items {
                Some(max) if count == max => return Err(What::TooManyItems { max }.into()),
                _ => {}
            }
            let done = self.value(schema.items.as_deref().unwrap_or(&ANYTHING), depth);
            done.map_err(|violation| violation.within(&count.to_string()))?;
            count += 1;
        }
        if count == 0 && schema.non_empty {
            return Err(What::Empty.into());
        }
        Ok(())
    }

    fn object(&mut self, schema: &'a Schema, depth: u32) -> Result<(), Violation> {
        if self.has_attachments
            && let Some(after) = self.reader.placeholder()
        {
            expect(schema, Type::Binary)?;
            self.reader = after;
            return Ok(());
        }
        expect(schema, Type::Object)?;
        let depth = self.deeper(depth)?;
        self.reader.expect(b'{')?;
        let mut seen = vec![false; schema.keys.as_ref().map_or(0, Vec::len)];
        let mut first = true;
        while self.reader.next_item(first, b'}')? {
            first = false;
            self.reader.kind()?;
            let key = self.reader.string()?;
            self.reader.expect(b':')?;
            let done = self.member(schema, &key, &mut seen, depth);
            done.map_err(|violation| violation.within(&key))?;
        }
        if first && schema.non_empty {
            return Err(What::Empty.into());
        }
        let keys = schema.keys.iter().flatten().zip(seen);
        for ((key, value), seen) in keys {
            if !seen && !value.optional {
                return Err(Violation::from(What::Missing).within(key));
            }
        }
        Ok(())
    }

    fn member(
        &mut self,
        schema: &'a Schema,
        key: &str,
        seen: &mut [bool],
        depth: u32,
    ) -> Result<(), Violation> {
        let Some(keys) = &schema.keys else {
            return self.value(&ANYTHING, depth);
        };
        let known = keys.iter().zip(seen).find(|((known, _), _)| known == key);
        match known {
            Some(((_, value), seen)) => {
                *seen = true;
                self.value(value, depth)
            }
            None if schema.allow_unknown => self.value(&ANYTHING, depth),
            None => Err(What::UnknownKey.into()),
        }
    }

    fn deeper(&self, depth: u32) -> Result<u32, Violation> {
        if depth == self.rule.max_depth {
            return Err(What::TooDeep { max: depth }.into());
        }
        Ok(depth + 1)
    }
}

fn expect(schema: &Schema, actual: Type) -> Result<(), Violation> {
    expect_any(schema, schema.types.contains(actual), actual)
}

fn expect_any(schema: &Schema, is_expected: bool, actual: Type) -> Result<(), Violation> {
    if is_expected {
        return Ok(());
    }
    let expected = schema.types;
    Err(What::Type { expected, actual }.into())
}
