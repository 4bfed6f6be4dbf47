//! Names that promise an answer give one: a method `is_…` or `has_…` takes `&self` or a value and
//! returns a `bool`.

use syn::visit::{self, Visit};

use super::parsed::parse;
use super::{Source, sources};

/// Methods whose name is a question and that give no answer, or change what they are asked.
#[derive(Default)]
struct FalseQuestions(Vec<String>);

impl FalseQuestions {
    fn add(&mut self, signature: &syn::Signature) {
        let name = signature.ident.to_string();
        if !name.starts_with("is_") && !name.starts_with("has_") {
            return;
        }
        let answers = matches!(&signature.output, syn::ReturnType::Type(_, answer)
            if matches!(&**answer, syn::Type::Path(path) if path.path.is_ident("bool")));
        let changes = signature.inputs.iter().any(|input| {
            matches!(input, syn::FnArg::Receiver(it) if it.reference.is_some() && it.mutability.is_some())
        });
        if !answers || changes {
            self.0.push(name);
        }
    }
}

impl<'ast> Visit<'ast> for FalseQuestions {
    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.add(signature);
        visit::visit_signature(self, signature);
    }
}

/// Returns the names of the false questions in these sources.
fn false_questions(sources: &[Source]) -> Vec<String> {
    let mut found = FalseQuestions::default();
    for file in parse(sources).values() {
        found.visit_file(&file.syntax);
    }
    found.0
}

#[test]
fn names_that_ask_are_answered() {
    let found = false_questions(&sources());
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_false_question_is_found() {
    let source = |text: &str| Source {
        path: "x.rs".to_owned(),
        text: format!("struct X; impl X {{ {text} }}"),
    };
    for (text, is_found) in [
        ("fn is_new(&self) -> bool { true }", false),
        ("fn is_new(self) -> bool { true }", false),
        ("fn has_been(&self) {}", true),
        ("fn is_new(&mut self) -> bool { true }", true),
        ("fn is_new(&self) -> Option<bool> { None }", true),
        ("fn island(&mut self) {}", false),
    ] {
        assert_eq!(
            !false_questions(&[source(text)]).is_empty(),
            is_found,
            "{text}"
        );
    }
}
