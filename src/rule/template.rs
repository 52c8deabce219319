//! Texts with places that are filled in.

use std::sync::Arc;

use super::Value;
use crate::model::{Image, Link};
use crate::untrusted::percent_encode;

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

/// An address of the web whose scheme and host are constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressTemplate(pub Template);

impl AddressTemplate {
    /// Most bytes of an address.
    const MOST: usize = 2048;

    /// Fills the places by asking `fill` for each; what it says is one part that opens no other. `None`: the address is
    /// too long, and cut it would lead elsewhere.
    pub fn render(&self, mut fill: impl FnMut(&Value, &mut String)) -> Option<String> {
        let address = self.0.render(|value, address| {
            let mut part = String::new();
            fill(value, &mut part);
            address.push_str(&percent_encode(&part));
        });
        (address.len() <= Self::MOST).then_some(address)
    }
}

/// A picture whose address and words may have places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageTemplate {
    /// See [`Image::src`].
    pub src: AddressTemplate,
    /// See [`Image::href`].
    pub href: Option<AddressTemplate>,
    /// See [`Image::alt`].
    pub alt: Option<Template>,
}

impl ImageTemplate {
    /// Fills the places by asking `fill` for each. `None`: its address is too long.
    pub fn render(&self, mut fill: impl FnMut(&Value, &mut String)) -> Option<Image> {
        Some(Image {
            src: self.src.render(&mut fill)?,
            href: self.href.as_ref().and_then(|href| href.render(&mut fill)),
            alt: self.alt.as_ref().map(|alt| alt.render(&mut fill)),
        })
    }
}

/// A link whose address and words may have places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTemplate {
    /// The address.
    pub href: AddressTemplate,
    /// See [`Link::text`].
    pub text: Option<Template>,
}

impl LinkTemplate {
    /// Most characters of its words.
    const WORDS: usize = 255;

    /// Fills the places by asking `fill` for each. `None`: its address is too long.
    pub fn render(&self, mut fill: impl FnMut(&Value, &mut String)) -> Option<Link> {
        let href = self.href.render(&mut fill)?;
        let text = self.text.as_ref().map(|text| {
            let text = text.render(&mut fill);
            match text.char_indices().nth(Self::WORDS) {
                Some(_) => text.chars().take(Self::WORDS - 1).chain(['…']).collect(),
                None => text,
            }
        });
        Some(Link { href, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &str, expected: Option<(&str, &str)>) {
        let value = || Segment::Value(Value::Line);
        let href = Template(vec![
            Segment::Text("https://wiki/".into()),
            value(),
            Segment::Text("?q=".into()),
            value(),
        ]);
        let link = LinkTemplate {
            href: AddressTemplate(href),
            text: Some(Template(vec![Segment::Text("of ".into()), value()])),
        };
        let found = link.render(|_, text| text.push_str(said));
        let found = found.as_ref().map(|link| (link.href.as_str(), link.text.as_deref().unwrap_or_default()));
        assert_eq!(found, expected, "{said}");
    }

    #[test]
    fn what_a_log_says_is_one_part_of_an_address_and_never_more() {
        check("192.0.2.7", Some(("https://wiki/192.0.2.7?q=192.0.2.7", "of 192.0.2.7")));
        check(
            "../@evil?x#y",
            Some(("https://wiki/..%2F%40evil%3Fx%23y?q=..%2F%40evil%3Fx%23y", "of ../@evil?x#y")),
        );
        check("", Some(("https://wiki/?q=", "of ")));
    }

    #[test]
    fn an_address_that_is_too_long_is_left_out_and_words_are_cut() {
        check(&"é".repeat(300), None);
        let words = "a".repeat(300);
        check(
            &words,
            Some((&format!("https://wiki/{words}?q={words}"), &format!("of {}…", "a".repeat(251)))),
        );
    }
}
