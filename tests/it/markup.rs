//! Reads the pages that the server sends, as far as tests ask: tags with their attributes, the
//! tables, the forms. It asks the server nothing.

/// One opening tag.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// The place where its content begins in the page's text.
    content: usize,
}

impl Tag {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The text directly behind the tag, up to the next tag.
    pub(crate) fn text(&self, page: &str) -> String {
        let rest = &page[self.content..];
        unescape(rest.split('<').next().unwrap_or_default())
    }
}

/// The opening tags of a page, in order.
pub(crate) fn tags(page: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = page[at..].find('<') {
        let start = at + next + 1;
        let end = end_of_tag(page, start);
        at = end + 1;
        if !page[start..end].starts_with(['/', '!']) {
            let (name, attributes) = opening(&page[start..end]);
            found.push(Tag {
                name,
                attributes,
                content: at,
            });
        }
    }
    found
}

/// The place of the `>` that ends a tag, which is not one inside quotes.
fn end_of_tag(page: &str, start: usize) -> usize {
    let mut is_quoted = false;
    for (at, sign) in page[start..].char_indices() {
        match sign {
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return start + at,
            _ => {}
        }
    }
    panic!("a tag without an end: {}", &page[start..]);
}

fn opening(tag: &str) -> (String, Vec<(String, String)>) {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(after) => after.split_once('"').expect("a value in quotes"),
            None => ("", after),
        };
        attributes.push((key.to_owned(), unescape(value)));
        rest = after.trim_start();
    }
    (name.to_owned(), attributes)
}

/// Undoes the escapes that maud makes.
fn unescape(text: &str) -> String {
    let signs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\"")];
    let signs = signs
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    signs.replace("&amp;", "&")
}

/// The cells of the table of a query's result, row by row; `None` where the page has none.
pub(crate) fn rows(page: &str) -> Option<Vec<Vec<String>>> {
    let table = page.split_once("aria-labelledby=\"result\"")?.1;
    let body = table.split_once("<tbody>")?.1.split_once("</tbody>")?.0;
    let rows = body.split("<tr>").skip(1);
    let cells = |row: &str| {
        tags(row)
            .iter()
            .filter(|tag| tag.name == "td")
            .map(|tag| tag.text(row))
            .collect()
    };
    Some(rows.map(cells).collect())
}

/// The fields that a browser sends when somebody submits the page's form as it is.
pub(crate) fn fields(page: &str) -> Option<(String, Vec<(String, String)>)> {
    let start = page.find("<form ")?;
    let form = &page[start..start + page[start..].find("</form>")?];
    let tags = tags(form);
    let action = tags[0].get("action")?.to_owned();
    assert_eq!(tags[0].get("method"), Some("get"));
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut select = None;
    for tag in &tags {
        match tag.name.as_str() {
            "input" => {
                let name = tag.get("name")?.to_owned();
                fields.push((name, tag.get("value").unwrap_or_default().to_owned()));
            }
            "select" => select = tag.get("name"),
            "option" if tag.get("selected").is_some() && tag.get("disabled").is_none() => {
                fields.push((select?.to_owned(), tag.get("value")?.to_owned()));
            }
            _ => {}
        }
    }
    Some((action, fields))
}
