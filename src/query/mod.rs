//! The catalog of named queries. A query is a `.sql` file with a header of comments:
//!
//! - `catalog` holds the queries by name, from embedded files and from those that `folder` finds;
//! - `definition` is one query, with its `kind` of database and its `policy`;
//! - `file` reads one file: `header` its keys (in the comments that `comments` finds), `keys` their
//!   values, `declaration` its parameters, `statement` (on the tokens of `tokens`) its SQL; a
//!   `fault` is a mistake in it;
//! - `params` turns what a client sent into [`Arguments`]; `value`, `number`, `moment` and `list`
//!   own the types and their canonical forms, `type_name` the names of types;
//! - `schema` (with `pattern`) says in JSON Schema what a parameter takes.
//!
//! Nothing here runs a query or knows a connection.

mod catalog;
mod comments;
mod declaration;
mod definition;
mod fault;
mod file;
mod folder;
mod header;
mod keys;
mod kind;
mod list;
mod moment;
mod number;
mod params;
mod pattern;
mod policy;
mod schema;
mod source_map;
mod statement;
mod tokens;
mod type_name;
mod value;

pub use catalog::Catalog;
pub use definition::Query;
pub use kind::DatabaseKind;
pub use params::{AllowedValues, Param, ParamDefault};
pub use policy::{QueryAccess, QueryPolicy};
pub use source_map::SourceMap;
pub use statement::Statement;
pub use value::{Arguments, ParamType, Value};
