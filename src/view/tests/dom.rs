//! Reads our own markup, strictly: what maud writes is regular enough for a page of code, and
//! anything it would not write is an error here.

const VOID: [&str; 4] = ["meta", "link", "input", "br"];

/// One element's opening tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// The text directly inside it, before any child.
    pub(super) text: String,
}

impl Element {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The elements in document order. Panics where tags do not nest.
pub(super) fn elements(html: &str) -> Vec<Element> {
    let mut found: Vec<Element> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    while let Some((text, after)) = rest.split_once('<') {
        // `open` tells whether the text still belongs to the element that was found last.
        if let Some(last) = found.last_mut()
            && last.text.is_empty()
            && open.last() == Some(&last.name)
        {
            text.clone_into(&mut last.text);
        }
        let (tag, after) = end_of_tag(after);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "in {html}");
            continue;
        }
        let element = opening(tag);
        if !VOID.contains(&element.name.as_str()) {
            open.push(element.name.clone());
        }
        found.push(element);
    }
    assert!(open.is_empty(), "left open: {open:?}");
    found
}

/// Splits after the `>` that ends a tag, which is not one inside quotes.
fn end_of_tag(text: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    panic!("a tag without an end: {text}");
}

fn opening(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !rest.is_empty() {
        let name_end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(name_end);
        let value;
        (value, rest) = match after.strip_prefix("=\"") {
            Some(after) => after.split_once('"').expect("a quoted value"),
            None => ("", after),
        };
        assert!(
            attributes.iter().all(|(known, _)| known != key),
            "{key} twice in {tag}"
        );
        attributes.push((key.to_owned(), value.to_owned()));
        rest = rest.trim_start();
    }
    Element {
        name: name.to_owned(),
        attributes,
        text: String::new(),
    }
}
