//! The table of `make house`: sizes, names and comments of `src/`, tests left out. It judges how
//! comments open, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::circles::circles;
use super::parsed::{ParsedFile, parse};
use super::{Source, sources};

/// Openings that no comment has.
const REFUSED: [&str; 7] = ["What", "Who", "Whoever", "Whether", "Of", "As", "For"];
/// Other prepositions and relative words, with which a comment should not open.
const RELATIVE: [&str; 45] = [
    "About",
    "Above",
    "After",
    "Against",
    "Among",
    "At",
    "Because",
    "Before",
    "Behind",
    "Below",
    "Beside",
    "Between",
    "Beyond",
    "By",
    "During",
    "From",
    "How",
    "In",
    "Inside",
    "Into",
    "On",
    "Onto",
    "Out",
    "Outside",
    "Over",
    "Per",
    "Since",
    "That",
    "Through",
    "To",
    "Toward",
    "Under",
    "Until",
    "Upon",
    "When",
    "Where",
    "Wherever",
    "Which",
    "Whichever",
    "While",
    "Whom",
    "Whose",
    "Why",
    "With",
    "Without",
];

/// Everything that is counted, over all files.
#[derive(Default)]
struct Measures {
    files: Vec<usize>,
    functions: Vec<usize>,
    function_names: Vec<String>,
    /// Each type name with the files that define it.
    types: BTreeMap<String, BTreeSet<String>>,
    type_count: usize,
    one_word_types: usize,
    /// The first words of comments, and whether they document something.
    openings: Vec<(bool, String)>,
    path: String,
}

impl Measures {
    fn add(&mut self, file: &ParsedFile) {
        self.path.clone_from(&file.path);
        let lines = |item: &syn::Item| item.span().end().line + 1 - first_line(item);
        self.files.push(file.syntax.items.iter().map(lines).sum());
        self.visit_file(&file.syntax);
    }

    fn add_type(&mut self, name: &syn::Ident) {
        let name = name.to_string();
        self.type_count += 1;
        let humps = name.chars().filter(|c| c.is_uppercase()).count();
        self.one_word_types += usize::from(humps < 2);
        let files = self.types.entry(name).or_default();
        files.insert(self.path.clone());
    }

    fn add_function(&mut self, signature: &syn::Signature, lines: usize) {
        self.function_names.push(signature.ident.to_string());
        self.functions.push(lines);
    }

    fn add_openings(&mut self, source: &Source) {
        let mut before = None;
        for line in source.own_lines() {
            let line = line.trim_start();
            let kind = ["///", "//!", "//"]
                .into_iter()
                .find(|kind| line.starts_with(kind));
            if let Some(kind) = kind.filter(|_| kind != before) {
                let is_part = |c: char| c.is_alphanumeric() || c == '\'';
                let text = line[kind.len()..].trim_start_matches(|c: char| !is_part(c));
                let word = text.split(|c| !is_part(c)).next().unwrap_or_default();
                self.openings.push((kind != "//", word.to_owned()));
            }
            before = kind;
        }
    }

    /// Returns how many comments open with one of these words, and how many there are.
    fn opening(&self, words: &[&str], docs_alone: bool) -> (usize, usize) {
        let all = self
            .openings
            .iter()
            .filter(|(is_doc, _)| *is_doc || !docs_alone);
        let found = all
            .clone()
            .filter(|(_, word)| words.contains(&word.as_str()));
        (found.count(), all.count())
    }

    fn table(&mut self, in_circles: usize) -> String {
        self.files.sort_unstable();
        self.functions.sort_unstable();
        let one_word = self
            .function_names
            .iter()
            .filter(|name| !name.trim_matches('_').contains('_'));
        let one_word = percent(one_word.count(), self.function_names.len());
        let doubles: Vec<&str> = self
            .types
            .iter()
            .filter(|(_, files)| files.len() > 1)
            .map(|(name, _)| name.as_str())
            .collect();
        let (refused, all) = self.opening(&REFUSED, false);
        let (relative, docs) = self.opening(&RELATIVE, true);
        let at = |sorted: &[usize], part: usize| sorted[(sorted.len() - 1) * part / 100];
        let rows = [
            (
                "lines / files",
                format!(
                    "{} / {}",
                    self.files.iter().sum::<usize>(),
                    self.files.len()
                ),
            ),
            (
                "median / longest file",
                format!("{} / {}", at(&self.files, 50), at(&self.files, 100)),
            ),
            (
                "function p90 / longest",
                format!("{} / {}", at(&self.functions, 90), at(&self.functions, 100)),
            ),
            ("files in import circles", in_circles.to_string()),
            (
                "one-word type names",
                format!("{:.0} %", percent(self.one_word_types, self.type_count)),
            ),
            ("one-word function names", format!("{one_word:.0} %")),
            (
                "type names in more than one file",
                format!("{}: {}", doubles.len(), doubles.join(" ")),
            ),
            (
                "comments that open with What, Who, Whether, Of, As, For",
                format!("{refused} of {all}"),
            ),
            (
                "docs that open with another such word",
                format!("{relative} of {docs}"),
            ),
        ];
        rows.iter().fold(String::new(), |mut table, (name, value)| {
            let _ = writeln!(table, "{name:<57} {value}");
            table
        })
    }
}

impl<'ast> Visit<'ast> for Measures {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add_function(&item.sig, lines_of(&item.sig, &item.block));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add_function(&item.sig, lines_of(&item.sig, &item.block));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add_type(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add_type(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add_type(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.add_type(&item.ident);
        visit::visit_item_type(self, item);
    }
}

fn first_line(item: &syn::Item) -> usize {
    item.span().start().line
}

fn lines_of(signature: &syn::Signature, block: &syn::Block) -> usize {
    block.span().end().line + 1 - signature.span().start().line
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[test]
fn comments_open_with_their_subject() {
    let mut measures = Measures::default();
    for source in sources().iter().filter(|source| !source.is_test()) {
        measures.add_openings(source);
    }
    let (refused, _) = measures.opening(&REFUSED, false);
    let (relative, docs) = measures.opening(&RELATIVE, true);
    assert_eq!(refused, 0, "comments open with one of {REFUSED:?}");
    assert!(
        relative * 50 <= docs,
        "{relative} of {docs} open with one of {RELATIVE:?}"
    );
}

#[test]
#[ignore = "a table for people: make house"]
fn the_table_of_the_house() {
    let sources = sources();
    let files = parse(&sources);
    let mut measures = Measures::default();
    for file in files.values() {
        measures.add(file);
    }
    for source in sources.iter().filter(|source| !source.is_test()) {
        measures.add_openings(source);
    }
    print!("{}", measures.table(circles(&files).len()));
}
