//! The mathematical functions on SQLite, with the results that SQLite documents and its own tests
//! expect.

use unslow::settings::DatabaseTarget;

use crate::db_support::{json, open, run};

/// Each expression, and what SQLite's shell prints for it.
const RESULTS: &[(&str, &str)] = &[
    ("ceil(99.9)", "100.0"),
    ("ceiling(-99.01)", "-99.0"),
    ("ceil(17)", "17"),
    ("ceil(-9223372036854775808)", "-9223372036854775808"),
    ("floor(99.9)", "99.0"),
    ("floor(-99.01)", "-100.0"),
    ("floor('17')", "17"),
    ("floor('17.5')", "17.0"),
    ("trunc(99.9)", "99.0"),
    ("trunc(-99.9)", "-99.0"),
    ("ceil('abc')", "NULL"),
    ("ceil(x'31')", "NULL"),
    ("round(ln(2), 12)", "0.693147180560"),
    ("ln(0)", "NULL"),
    ("ln(-5)", "NULL"),
    ("log(100)", "2.0"),
    ("log10(1000)", "3.0"),
    ("log2(8)", "3.0"),
    ("log(2, 64)", "6.0"),
    ("log(-2, 64)", "NULL"),
    ("log(1, 64)", "NULL"),
    ("log(0.5, 64)", "NULL"),
    ("log(2, 0)", "NULL"),
    ("log(null, 64)", "NULL"),
    ("log(2, null)", "NULL"),
    ("log('2', '64')", "6.0"),
    ("round(exp(1), 12)", "2.718281828459"),
    ("sqrt(16)", "4.0"),
    ("sqrt(-1)", "NULL"),
    ("sqrt(null)", "NULL"),
    ("sqrt('x')", "NULL"),
    ("pow(2, 10)", "1024.0"),
    ("power(2, -1)", "0.5"),
    ("pow(0, 0)", "1.0"),
    ("pow(-8, 0.5)", "NULL"),
    ("pow(10, 400)", "Inf"),
    ("mod(16, 7)", "2.0"),
    ("mod(-16, 7)", "-2.0"),
    ("mod(16.5, 0)", "NULL"),
    ("pi()", "3.141592653589793"),
    ("degrees(pi() / 2)", "90.0"),
    ("round(radians(45), 12)", "0.785398163397"),
    ("cos(0)", "1.0"),
    ("sin(0)", "0.0"),
    ("round(tan(pi() / 4), 12)", "1.0"),
    ("round(acos(0) * 2, 12)", "3.141592653590"),
    ("asin(2)", "NULL"),
    ("round(atan(1) * 4, 12)", "3.141592653590"),
    ("round(atan2(1, -1), 12)", "2.356194490192"),
    ("cosh(0)", "1.0"),
    ("sinh(0)", "0.0"),
    ("tanh(0)", "0.0"),
    ("acosh(1)", "0.0"),
    ("acosh(0.5)", "NULL"),
    ("asinh(0)", "0.0"),
    ("atanh(0)", "0.0"),
    ("atanh(2)", "NULL"),
    ("sign(-3)", "-1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn mathematical_functions_are_those_of_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.db");
    std::fs::write(&file, "").unwrap();
    for target in [DatabaseTarget::Demo, DatabaseTarget::SqliteFile(file)] {
        let database = open(target);
        for (expression, expected) in RESULTS {
            let kind = match *expected {
                "NULL" => "null",
                number if number.contains(['.', 'I']) => "real",
                _ => "integer",
            };
            let same = if *expected == "NULL" {
                "is null".to_owned()
            } else {
                format!("= {}", expected.replace("Inf", "9e999"))
            };
            let sql = format!("select typeof({expression}) as kind, ({expression}) {same} as same");
            let rows = run(&database, &sql).await.unwrap();
            let text = format!(r#"{{"kind":"{kind}","same":1}}"#);
            assert_eq!(json(&rows), text, "{expression}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_number_of_arguments_is_refused_by_name() {
    let database = open(DatabaseTarget::Demo);
    let end = run(&database, "select sqrt(1, 2) as x").await.unwrap_err();
    assert!(format!("{end:?}").contains("sqrt"), "{end:?}");
}
