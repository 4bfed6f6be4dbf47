//! The document as a document; that the server does what it says is tested over HTTP.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::document::write_document;
use super::rule::{AudienceRule, DocumentContext};
use crate::query::{Catalog, DatabaseKind};

const ABOUT: DocumentContext<'static> = DocumentContext {
    home: "version",
    ttl: Duration::from_secs(10),
    readers: AudienceRule::Open,
    operators: Some(AudienceRule::Addresses),
};

/// The demo's queries, and these.
fn catalog(files: &[(&str, &str)]) -> Catalog {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Catalog::load(DatabaseKind::Sqlite, Some(folder.path())).unwrap()
}

fn of(files: &[(&str, &str)], about: &DocumentContext<'_>) -> Value {
    write_document(&catalog(files), about).0
}

/// Calls `look` with every object in the document.
fn each(value: &Value, look: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            look(members);
            members.values().for_each(|value| each(value, look));
        }
        Value::Array(values) => values.iter().for_each(|value| each(value, look)),
        _ => {}
    }
}

const NEEDY: (&str, &str) = (
    "needy.sql",
    "-- title: Needs a day\n-- description: And may have more.\n-- ttl: 2m\n\
     -- param: day date\n-- param: flag boolean = null\nselect :day, :flag as f",
);

#[test]
fn every_reference_leads_to_a_part_and_every_operation_has_its_own_id() {
    for readers in [
        AudienceRule::Open,
        AudienceRule::Addresses,
        AudienceRule::Token,
    ] {
        for operators in [
            None,
            Some(AudienceRule::Addresses),
            Some(AudienceRule::Token),
        ] {
            let about = DocumentContext {
                readers,
                operators,
                ..ABOUT
            };
            let document = of(&[NEEDY], &about);
            let (mut ids, mut twice) = (BTreeSet::new(), Vec::new());
            each(&document, &mut |members| {
                if let Some(reference) = members.get("$ref") {
                    let pointer = reference.as_str().unwrap().trim_start_matches('#');
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                if let Some(id) = members.get("operationId")
                    && !ids.insert(id.to_string())
                {
                    twice.push(id.to_string());
                }
                let security = members.get("security").and_then(Value::as_array);
                for one in security.into_iter().flatten() {
                    for name in one.as_object().unwrap().keys() {
                        let schemes = &document["components"]["securitySchemes"];
                        assert!(schemes.get(name).is_some(), "{name}");
                    }
                }
            });
            assert!(twice.is_empty(), "{twice:?}");
            assert!(ids.len() > 15, "{ids:?}");
        }
    }
}

#[test]
fn a_query_stands_in_it_with_its_words_formats_and_actions() {
    let document = of(&[NEEDY], &ABOUT);
    let paths = &document["paths"];
    let page = &paths["/q/needy"]["get"];
    assert_eq!(page["summary"], "Needs a day");
    let description = page["description"].as_str().unwrap();
    assert_eq!(description, "And may have more.\n\nFresh for up to 2m.");
    for path in [
        "/q/needy",
        "/q/needy.json",
        "/q/needy.csv",
        "/q/needy.ndjson",
    ] {
        let get = &paths[path]["get"];
        let names: Vec<_> = get["parameters"].as_array().unwrap().iter().collect();
        assert_eq!(names[0]["$ref"], "#/components/parameters/needy.day");
        assert_eq!(names[1]["$ref"], "#/components/parameters/needy.flag");
        let more = 1 + usize::from(path.ends_with(".ndjson"));
        assert_eq!(names.len(), 2 + more, "and If-None-Match, and meta");
    }
    let parameters = &document["components"]["parameters"];
    assert_eq!(parameters["needy.day"]["required"], true);
    assert_eq!(parameters["needy.day"]["allowEmptyValue"], Value::Null);
    assert_eq!(parameters["needy.flag"]["required"], false);
    assert_eq!(parameters["needy.flag"]["allowEmptyValue"], true);
    let body = |action: &str| {
        let post = &paths[format!("/q/needy/{action}")]["post"];
        let pointer = post["requestBody"]["$ref"].as_str().unwrap();
        let body = document.pointer(pointer.trim_start_matches('#')).unwrap();
        let schema = &body["content"]["application/x-www-form-urlencoded"]["schema"];
        (body["required"].clone(), schema.clone())
    };
    let (required, schema) = body("refresh");
    assert_eq!(
        (required, &schema["required"]),
        (json!(true), &json!(["day"]))
    );
    let (required, schema) = body("purge");
    assert_eq!(
        (required, &schema["required"]),
        (json!(false), &Value::Null)
    );
    assert_eq!(schema["anyOf"][1]["required"], json!(["day"]));
    assert_eq!(
        paths["/q/version/purge"]["post"]["requestBody"],
        Value::Null
    );
}

#[test]
fn who_needs_a_token_is_said_and_who_is_refused_for_what() {
    let about = DocumentContext {
        operators: Some(AudienceRule::Token),
        ..ABOUT
    };
    let document = of(&[], &about);
    let stats = &document["paths"]["/stats"]["get"];
    assert!(stats["security"][0].get("adminToken").is_some(), "{stats}");
    assert!(stats["responses"].get("401").is_some(), "{stats}");
    let page = &document["paths"]["/q/version"]["get"];
    assert_eq!(page["security"], Value::Null);
    assert!(page["responses"].get("401").is_none(), "{page}");
    let document = of(&[], &ABOUT);
    let stats = &document["paths"]["/stats"]["get"];
    assert_eq!(stats["security"], Value::Null);
    assert!(stats["responses"].get("403").is_some(), "{stats}");
    let about = DocumentContext {
        operators: None,
        ..ABOUT
    };
    let paths = of(&[], &about)["paths"].clone();
    for path in ["/stats", "/stats.json", "/q/version/purge"] {
        assert!(paths.get(path).is_none(), "{path}");
    }
    let about = DocumentContext {
        readers: AudienceRule::Token,
        ..ABOUT
    };
    let open = ("open.sql", "-- access: open\nselect 1 as n");
    let document = of(&[open], &about);
    assert_eq!(document["paths"]["/q/open"]["get"]["security"], Value::Null);
    for path in ["/", "/q", "/openapi.json", "/q/version.json"] {
        let page = &document["paths"][path]["get"];
        assert!(page["security"][0].get("token").is_some(), "{page}");
        assert!(page["responses"].get("401").is_some(), "{page}");
    }
}

#[test]
fn the_same_catalog_gives_the_same_bytes_and_another_another_version() {
    let (one, version) = write_document(&catalog(&[NEEDY]), &ABOUT);
    let (again, _) = write_document(&catalog(&[NEEDY]), &ABOUT);
    assert_eq!(one.to_string(), again.to_string());
    assert_eq!(one["info"]["version"], version);
    let (_, other) = write_document(&catalog(&[]), &ABOUT);
    assert_ne!(version, other);
    let text = one.to_string();
    assert!(!text.contains(env!("CARGO_PKG_VERSION")), "the program's");
    assert!(!text.to_lowercase().contains("select"), "no SQL");
}
