//! The sources as syntax: each file of `src/` without its tests, and the files that it names. Which
//! part may name which is not known here.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use super::Source;

/// A file and the files that it imports from, by the paths of their modules.
pub(super) struct ParsedFile {
    pub(super) path: String,
    pub(super) syntax: syn::File,
    pub(super) imports: BTreeSet<Vec<String>>,
}

/// Reads all files but those of unit tests, by the paths of their modules.
pub(super) fn parse(sources: &[Source]) -> BTreeMap<Vec<String>, ParsedFile> {
    let code = sources.iter().filter(|source| !source.is_test());
    let mut files: BTreeMap<_, _> = code
        .map(|source| {
            let mut syntax = syn::parse_file(&source.text)
                .unwrap_or_else(|error| panic!("{}: {error}", source.path));
            syntax.items.retain(|item| !is_for_tests(item));
            let (path, imports) = (source.path.clone(), BTreeSet::new());
            let file = ParsedFile {
                path,
                syntax,
                imports,
            };
            (module_of(source), file)
        })
        .collect();
    let modules: BTreeSet<_> = files.keys().cloned().collect();
    for (module, file) in &mut files {
        let mut names = PathNames {
            modules: &modules,
            file: module,
            within: module.clone(),
            found: BTreeSet::new(),
        };
        names.visit_file(&file.syntax);
        names.found.remove(module);
        file.imports = names.found;
    }
    files
}

/// Returns the names from the crate's root; none for `lib.rs`.
fn module_of(source: &Source) -> Vec<String> {
    let names = source.module().into_iter().filter(|name| *name != "lib");
    names.map(str::to_owned).collect()
}

fn is_for_tests(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(it) => &it.attrs,
        syn::Item::Fn(it) => &it.attrs,
        syn::Item::Use(it) => &it.attrs,
        syn::Item::Impl(it) => &it.attrs,
        syn::Item::Struct(it) => &it.attrs,
        syn::Item::Enum(it) => &it.attrs,
        syn::Item::Const(it) => &it.attrs,
        syn::Item::Static(it) => &it.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        list.path.is_ident("cfg") && matches!(list.tokens.to_string().as_str(), "test" | "fuzzing")
    })
}

/// Collects the files that the paths of one file lead to.
struct PathNames<'a> {
    modules: &'a BTreeSet<Vec<String>>,
    file: &'a [String],
    /// The module of the place that is looked at: inside a `mod` of the file it is longer.
    within: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl PathNames<'_> {
    /// Adds the file that holds what a path names.
    fn add(&mut self, names: &[String]) {
        let Some(absolute) = self.absolute(names) else {
            return;
        };
        let file = (0..=absolute.len())
            .rev()
            .map(|end| &absolute[..end])
            .find(|prefix| self.modules.contains(*prefix));
        self.found.extend(file.map(<[String]>::to_vec));
    }

    /// Returns the path from the crate's root; none where it leads out of the crate.
    fn absolute(&self, names: &[String]) -> Option<Vec<String>> {
        let mut base = match names.first()?.as_str() {
            "crate" => Vec::new(),
            "unslow" if self.file == ["main"] => Vec::new(),
            "self" | "super" => self.within.clone(),
            child => {
                let mut path = self.within.clone();
                path.push(child.to_owned());
                self.modules.contains(&path).then_some(())?;
                self.within.clone()
            }
        };
        let mut rest = names;
        while let [first, after @ ..] = rest
            && ["crate", "unslow", "self", "super"].contains(&first.as_str())
        {
            if first == "super" {
                base.pop();
            }
            rest = after;
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn add_tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(tree, before);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for PathNames<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.content.is_some() {
            self.within.push(module.ident.to_string());
            visit::visit_item_mod(self, module);
            self.within.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&item.tree, &[]);
    }

    /// `pub(in …)` names no thing of that module.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|it| it.ident.to_string())
            .collect();
        if names.len() > 1 {
            self.add(&names);
        }
        visit::visit_path(self, path);
    }

    /// The body of a macro is not parsed: its paths are read as text.
    fn visit_macro(&mut self, body: &'ast syn::Macro) {
        let text = body.tokens.to_string().replace(" :: ", "::");
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            let names: Vec<String> = word.split("::").map(str::to_owned).collect();
            if names.len() > 1 && names.iter().all(|name| !name.is_empty()) {
                self.add(&names);
            }
        }
        visit::visit_macro(self, body);
    }
}
