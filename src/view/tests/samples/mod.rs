//! Every page in its main states. Each text that comes from outside goes through a function, so
//! that a test can put a payload in its place.

use std::time::Duration;

use maud::Markup;

mod errors;
mod numbers;
mod queries;
mod stats;

use super::super::failure::PageFailure;
use super::super::frame::{AssetUrls, PageFrame, PagesHere};
use super::super::provenance::Provenance;
use super::super::query_info::QueryInfo;
use crate::outcome::{Outcome, Tier};
use crate::query::{AllowedValues, Param, ParamDefault, ParamType, Value};

pub(super) fn assets() -> AssetUrls {
    AssetUrls {
        style: "style.css".to_owned(),
        favicon: "favicon.svg".to_owned(),
    }
}

/// All pages by a name, with every outside text replaced by what `text` makes of it.
pub(super) fn pages(text: impl Fn(&str) -> String) -> Vec<(String, Markup)> {
    let assets = assets();
    let frame = PageFrame {
        assets: &assets,
        version: Some("0.1.0"),
        here: PagesHere::All,
    };
    let world = World::new(&text);
    let mut pages = Vec::new();
    world.home(frame, &mut pages);
    world.catalog(frame, &mut pages);
    world.query(frame, &mut pages);
    world.stats(frame, &mut pages);
    world.errors(frame, &mut pages);
    pages
}

type Pages = Vec<(String, Markup)>;

/// The texts that come from outside.
struct World<'a> {
    text: &'a dyn Fn(&str) -> String,
    title: String,
    description: String,
    name: String,
    params: Vec<Param>,
}

pub(super) fn answer(outcome: Outcome) -> Provenance {
    let loaded = matches!(outcome, Outcome::Miss | Outcome::Bypass(_));
    let stale = matches!(outcome, Outcome::Stale(_));
    Provenance {
        outcome,
        age: Duration::from_millis(match (loaded, stale) {
            (true, _) => 0,
            (_, true) => 12_400,
            _ => 2_760,
        }),
        ttl: Duration::from_secs(10),
        ttl_left: Duration::from_millis(match (loaded, stale) {
            (true, _) => 9_820,
            (_, true) => 0,
            _ => 7_060,
        }),
        load_time: Duration::from_micros(5_021_480),
        elapsed: match outcome {
            Outcome::Coalesced => Duration::from_millis(3_120),
            _ if loaded => Duration::from_micros(5_024_620),
            Outcome::Hit(Tier::Redis) => Duration::from_micros(900),
            _ => Duration::from_micros(184),
        },
        stored: !matches!(outcome, Outcome::Bypass(_)),
    }
}

impl<'a> World<'a> {
    fn new(text: &'a dyn Fn(&str) -> String) -> World<'a> {
        World {
            text,
            title: text("Revenue by region"),
            description: text(
                "Paid orders since a day, by region, from the generated shop of the demo.",
            ),
            name: text("revenue"),
            params: params(text),
        }
    }

    fn info(&self) -> QueryInfo<'_> {
        QueryInfo {
            name: &self.name,
            title: &self.title,
            description: Some(&self.description),
            params: &self.params,
            ttl: Some(Duration::from_secs(30)),
        }
    }

    fn failure<'b>(status: u16, message: &'b str, id: &'b str) -> PageFailure<'b> {
        let retry_after = (status == 503).then_some(Duration::from_secs(2));
        PageFailure {
            status,
            message,
            id,
            retry_after,
        }
    }
}

/// One parameter of each type and kind of default.
fn params(text: &dyn Fn(&str) -> String) -> Vec<Param> {
    let param = |name: &str, kind, default, allowed| Param {
        name: name.to_owned(),
        kind,
        default,
        allowed,
    };
    let word = |value: &str| Value::Text(text(value));
    vec![
        param(
            "since",
            ParamType::Date,
            ParamDefault::Value(Value::Date(text("2026-01-01"))),
            AllowedValues::Anything,
        ),
        param(
            "region",
            ParamType::Text,
            ParamDefault::Value(word("any")),
            AllowedValues::List(vec![word("eu"), word("us"), word("any")]),
        ),
        param(
            "top",
            ParamType::Integer,
            ParamDefault::Value(Value::Integer(10)),
            AllowedValues::Range(Value::Integer(1), Value::Integer(100)),
        ),
        param(
            "paid",
            ParamType::Boolean,
            ParamDefault::Value(Value::Null),
            AllowedValues::Anything,
        ),
        param(
            "until",
            ParamType::Timestamp,
            ParamDefault::Value(Value::Null),
            AllowedValues::Anything,
        ),
        param(
            "customer",
            ParamType::Uuid,
            ParamDefault::Value(Value::Null),
            AllowedValues::Anything,
        ),
        param(
            "order",
            ParamType::Bigint,
            ParamDefault::Value(Value::Null),
            AllowedValues::Anything,
        ),
        param(
            "name",
            ParamType::Text,
            ParamDefault::Value(word("Ångström")),
            AllowedValues::Anything,
        ),
    ]
}
