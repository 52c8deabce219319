//! Texts with places that are filled in.

use std::sync::Arc;

use super::Value;

/// Text with `{name}` places, parsed and checked: every name is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Segment>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Said as it is.
    Text(Arc<str>),
    /// Filled in.
    Value(Value),
}

impl Template {
    /// A template without places.
    pub fn constant(text: &str) -> Template {
        Template(vec![Segment::Text(text.into())])
    }

    /// True if nothing is filled in, so that the text is the same for every alert of the rule.
    pub fn is_constant(&self) -> bool {
        self.0.iter().all(|segment| matches!(segment, Segment::Text(_)))
    }

    /// Fills the places by asking `fill` for each.
    pub fn render(&self, mut fill: impl FnMut(&Value, &mut String)) -> String {
        let mut text = String::new();
        for segment in &self.0 {
            match segment {
                Segment::Text(constant) => text.push_str(constant),
                Segment::Value(value) => fill(value, &mut text),
            }
        }
        text
    }
}

/// A picture whose address and words may have places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageTemplate {
    /// See [`crate::model::Image::src`].
    pub src: Template,
    /// See [`crate::model::Image::href`].
    pub href: Option<Template>,
    /// See [`crate::model::Image::alt`].
    pub alt: Option<Template>,
}
