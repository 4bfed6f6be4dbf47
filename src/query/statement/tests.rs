//! What a query file may hold, and where placeholders go.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::query::params::{AllowedValues, ParamDefault};

const POSTGRES: DatabaseKind = DatabaseKind::Postgres;
const SQLITE: DatabaseKind = DatabaseKind::Sqlite;

fn declare_all(params: &[(&str, ParamType)]) -> Vec<Param> {
    let declare = |(name, kind): &(&str, ParamType)| Param {
        name: (*name).to_owned(),
        kind: kind.clone(),
        default: ParamDefault::Required,
        allowed: AllowedValues::Anything,
    };
    params.iter().map(declare).collect()
}

fn at(line: usize) -> FilePosition {
    FilePosition { line, column: 1 }
}

/// Two parameters, `n integer` and `name text`.
fn two() -> Vec<Param> {
    declare_all(&[("n", ParamType::Integer), ("name", ParamType::Text)])
}

fn sql(kind: DatabaseKind, text: &str) -> String {
    rewrite_statement(kind, text, at(1), &two())
        .unwrap_or_else(|fault| panic!("{text}: {}", fault.what))
        .sql
}

fn fault(kind: DatabaseKind, text: &str) -> QueryFileError {
    rewrite_statement(kind, text, at(5), &two())
        .map(|statement| statement.sql)
        .expect_err(text)
}

#[test]
fn each_type_has_its_placeholder_and_a_repeated_parameter_one_number() {
    let params = declare_all(&ParamType::ALL.map(|kind| (kind.known_name().unwrap(), kind)));
    let text =
        "select :uuid, :timestamp, :date, :boolean, :number, :bigint, :integer, :text, :uuid";
    let statement = rewrite_statement(POSTGRES, text, at(1), &params).unwrap();
    assert_eq!(
        statement.sql,
        "select (cast(cast($1 as text) as uuid)), (cast(cast($2 as text) as timestamptz)), \
         (cast(cast($3 as text) as date)), ($4), (cast(cast($5 as text) as numeric)), ($6), ($7), \
         ($8), (cast(cast($1 as text) as uuid))"
    );
    assert_eq!(statement.order, [7, 6, 5, 4, 3, 2, 1, 0]);
    let statement = rewrite_statement(SQLITE, text, at(1), &params).unwrap();
    assert_eq!(
        statement.sql,
        "select (?1), (?2), (?3), (?4), (cast(?5 as numeric)), (?6), (?7), (?8), (?1)"
    );
    assert_eq!(statement.order, [7, 6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn a_type_of_the_database_and_a_list_are_cast_where_they_stand() {
    let file = "-- param: m sales.mood\n-- param: ids int[]\n-- param: at timestamp[]\n\
                select :m, :m = any(:ids), :at";
    let query = crate::query::Query::parse(POSTGRES, "x", file).unwrap();
    assert_eq!(
        query.statement_for(POSTGRES).sql,
        "select (cast(cast($1 as text) as sales.mood)), (cast(cast($1 as text) as sales.mood)) = \
         any((cast(cast($2 as text) as integer[]))), (cast(cast($3 as text) as timestamptz[]))"
    );
}

#[test]
fn a_parameter_that_is_not_used_has_no_placeholder() {
    let statement = rewrite_statement(POSTGRES, "select :name", at(1), &two()).unwrap();
    assert_eq!(
        (statement.sql.as_str(), &statement.order[..]),
        ("select ($1)", &[1][..])
    );
    assert!(
        rewrite_statement(POSTGRES, "select 1", at(1), &two())
            .unwrap()
            .order
            .is_empty()
    );
}

#[test]
fn strings_names_comments_and_casts_are_left_alone() {
    for text in [
        "select ':n'",
        "select 'it''s :n'",
        "select \":n\", \"a\"\":n\"",
        "select 1 -- :n\n+ 1",
        "select 1 /* :n ' */ + 1",
        "select 1 /* a /* :n */ :n ; */ + 1",
        "select $$:n$$, $x$ :n $$ ; $x$",
        "select E'\\':n', e'\\\\'",
        "select U&'\\0041:n', N':n', B'1', X'ff'",
        "select 1::n, name::n::name, '1'::n",
        "select f(n := 1, n=>2)",
        "select a[1 : n], a[n : name], a[:], a[1:2], a[n :]",
        "select json_object('n' : 1)",
        "select a$n:: n",
        "select j ? 'n', j ?| array['n'], j @> '{}', a <-> b, @ -1, a -> 'n' ->> 0, a#>>'{}'",
        "select \"näme😀\", 'ä😀:n'",
    ] {
        assert_eq!(sql(POSTGRES, text), text);
    }
    for text in [
        "select ':n', \":n\", `:n`, [:n], [a''b;:n]",
        "select 1 -- :n '\r\n, 2 /* :n ' */ + 1",
        "select '\\' /* :n */, x'00'",
        "select j -> '$.n', j ->> '$.a:n', 1 % 2, ~1, 1 | 2 & 3 << 1",
    ] {
        assert_eq!(sql(SQLITE, text), text);
    }
}

#[test]
fn a_parameter_is_found_wherever_it_touches_its_neighbours() {
    for (text, wanted) in [
        ("select(:n)+:n", "select(($1))+($1)"),
        ("select :n::bigint", "select ($1)::bigint"),
        (
            "select a=:n,b>=:n,c<>:n,d||:name",
            "select a=($1),b>=($1),c<>($1),d||($2)",
        ),
        ("select-:n", "select-($1)"),
        (
            "select a[:n], a[1 : :n], a[:n : :n]",
            "select a[($1)], a[1 : ($1)], a[($1) : ($1)]",
        ),
        ("select f(a :=:n, b=>:n)", "select f(a :=($1), b=>($1))"),
        (
            "select json_object('a' : :n)",
            "select json_object('a' : ($1))",
        ),
        (
            "select '😀é', :n, \"ß\", :name",
            "select '😀é', ($1), \"ß\", ($2)",
        ),
        (
            "select\t'é\r\n😀'\t,:n\r\n,\t:name\r\n",
            "select\t'é\r\n😀'\t,($1)\r\n,\t($2)",
        ),
        ("select :n -- :n\r\n,:name", "select ($1) -- :n\r\n,($2)"),
        (
            "select /* 😀\n */ :n\n  limit:n",
            "select /* 😀\n */ ($1)\n  limit($1)",
        ),
        ("select :n:name", "select ($1)($2)"),
    ] {
        assert_eq!(sql(POSTGRES, text), wanted);
    }
    assert_eq!(
        sql(SQLITE, "select '😀', :n\r\nlimit:n"),
        "select '😀', (?1)\r\nlimit(?1)"
    );
}

#[test]
fn the_statement_begins_and_ends_with_sql() {
    for text in [
        "select 1",
        "select 1;",
        "\n select 1 ; \r\n",
        "select 1 -- the end",
        "select 1; -- the end",
        "-- the start\n/* it's */ select 1 /* ; */ -- the end;\n",
        "select 1\n;\n-- :n ' $$ \"\n/* ' */",
    ] {
        for kind in [POSTGRES, SQLITE] {
            let statement = rewrite_statement(kind, text, at(1), &two()).unwrap();
            assert_eq!(statement.sql, "select 1", "{text}");
        }
    }
    assert_eq!(sql(POSTGRES, "select 1 -- a;\n+ 1"), "select 1 -- a;\n+ 1");
}

#[test]
fn reads_are_accepted_in_every_spelling() {
    for text in [
        "SELECT 1",
        "Values (1)",
        "tAble t",
        "with a as (select 1) select * from a",
        "(select 1) union (select 2)",
        "select/**/1",
    ] {
        assert_eq!(sql(POSTGRES, text), text);
    }
}

#[test]
fn what_is_not_one_read_is_refused_with_its_line() {
    for (text, line, part) in [
        ("", 5, "there is no SQL"),
        ("\n-- nothing\n/* here */", 5, "there is no SQL"),
        (" ;", 5, "there is no SQL"),
        (
            "\ninsert into t values (1)",
            6,
            "begins with \"insert\": it is not a read",
        ),
        ("DELETE from t", 5, "not a read"),
        ("explain analyze select 1", 5, "not a read"),
        ("selectt 1", 5, "not a read"),
        ("\"select\" 1", 5, "not a read"),
        ("'select'", 5, "not a read"),
        ("(insert into t values (1))", 5, "not a read"),
        ("()", 5, "not a read"),
        ("do $$ begin end $$", 5, "not a read"),
        ("copy t to program 'x'", 5, "not a read"),
        ("begin", 5, "not a read"),
        ("set x = 1", 5, "not a read"),
        ("pragma x", 5, "not a read"),
        ("\\timing\nselect 1", 5, "not a read"),
        ("select 1 \\gx", 5, "`\\`"),
        ("select 1;\n\nselect 2", 7, "a second statement"),
        ("select 1;\n-- c\n;", 7, "a second `;`"),
        ("select ';' ; drop table t; --", 5, "a second statement"),
        ("select 1)\n_q; --", 5, "`)` without its `(`"),
        ("select (1\n, (2)", 5, "`(` is never closed"),
        ("select a[1)", 5, "`)` without its `(`"),
        ("select\n$1", 6, "placeholder \"$1\""),
        ("select 'a", 5, "unterminated"),
        ("select 1 /* a", 5, "comment"),
    ] {
        let fault = fault(POSTGRES, text);
        assert!(
            fault.what.contains(part),
            "{text}: {} should hold {part}",
            fault.what
        );
        assert_eq!(fault.line, line, "{text}");
        assert!(!fault.remedy.is_empty());
    }
}

#[test]
fn what_sqlite_would_silently_take_for_null_is_refused() {
    for (text, part) in [
        ("select ?", "placeholder \"?\""),
        ("select ?1", "placeholder \"?1\""),
        ("select $n", "placeholder \"$n\""),
        ("select :n$x", "placeholder \"$x\""),
        ("select @n", "placeholder \"@\""),
        ("select :1", "a `:` without the name"),
        ("select : n", "a `:` without the name"),
        ("select 1:", "a `:` without the name"),
        ("select :\"n\"", "a `:` without the name"),
        ("select '1'::text", "no `::`"),
        ("select :other", "`:other` is not declared"),
    ] {
        let fault = fault(SQLITE, text);
        assert!(fault.what.contains(part), "{text}: {}", fault.what);
    }
}

#[test]
fn an_undeclared_parameter_is_refused_with_advice() {
    for (text, what, remedy) in [
        (
            "select\n:nane",
            "did you mean `name`?",
            "-- param: nane TYPE",
        ),
        (
            "select\n:Name",
            "`:Name` is not declared, did you mean `name`?",
            "-- param",
        ),
        ("select\n:names", "`:names` is not declared", "-- param"),
        ("select\n:namé", "`:namé` is not declared", "-- param"),
        ("select\na[1:k]", "`:k` is not declared", "`[1 : k]`"),
        ("select\na[:k]", "`:k` is not declared", "`[1 : k]`"),
        (
            "select\njson_object('a':k)",
            "`:k` is not declared",
            "a space after the colon",
        ),
        ("select\na[1:n]", "unclear whether `:n`", "`[1 : :n]`"),
        ("select\na[f(1):n]", "unclear whether `:n`", "`[1 : n]`"),
    ] {
        let fault = fault(POSTGRES, text);
        assert!(fault.what.contains(what), "{text}: {}", fault.what);
        assert!(fault.remedy.contains(remedy), "{text}: {}", fault.remedy);
        assert_eq!(fault.line, 6, "{text}");
    }
}

#[test]
fn deep_nesting_neither_fails_nor_exhausts_the_stack() {
    let deep = 100_000;
    let text = format!("select {}1{}", "(".repeat(deep), ")".repeat(deep));
    assert_eq!(sql(POSTGRES, &text), text);
    let comment = format!("select 1 {}{} + 1", "/*".repeat(deep), "*/".repeat(deep));
    assert_eq!(sql(POSTGRES, &comment), comment);
}
