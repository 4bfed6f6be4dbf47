//! Values of a visitor that are as long as any may be, over HTTP: their own rows, or a refusal in
//! words. It owns the length alone; values that the database refuses are in `bad_values`.

use crate::end_to_end::{File, original, start};
use crate::servers::{Redis, postgres, wait_until as until};
use crate::unslow::Unslow;

/// The most characters of a value.
const LONGEST: usize = 8192;

const WORD: File<'_> = (
    "queries/word.sql",
    "-- param: word text\nselect length(:word) as n, substr(:word, 8192) as last, :word as word",
);

/// A letter as it stands in an address, and in a value.
const LETTERS: [(&str, &str); 2] = [("a", "a"), ("%C3%A9", "é")];

fn address(letter: &str, count: usize, last: &str) -> String {
    format!("/q/word.json?word={}{last}", letter.repeat(count - 1))
}

/// Asks for values of the greatest length, which differ in the last letter only.
fn assert_own_rows(unslow: &Unslow, again: &str) {
    for (letter, character) in LETTERS {
        for last in ["b", "c"] {
            let address = address(letter, LONGEST, last);
            let mut answer = unslow.get(&address);
            assert_eq!(answer.status, 200, "{letter}: {}", answer.text());
            until("it is kept", || {
                answer = unslow.get(&address);
                answer.header("cache-status").contains(again)
            });
            let row = &answer.json()["rows"][0];
            assert_eq!(row["n"], LONGEST);
            assert_eq!(row["last"], last);
            assert_eq!(row["word"], character.repeat(LONGEST - 1) + last);
        }
    }
}

/// Asks for values that are too long.
fn assert_refused(unslow: &Unslow) {
    for (letter, _) in LETTERS {
        let answer = unslow.get(&address(letter, LONGEST + 1, letter));
        assert_eq!(answer.status, 400, "{letter}: {}", answer.text());
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(said.contains("word") && said.contains("8192"), "{said}");
    }
    // Four bytes each, so that the address is longer than the HTTP library reads any.
    let answer = unslow.get(&address("%F0%9F%90%8C", LONGEST, "b"));
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("65534"), "{}", answer.text());
    assert_eq!(unslow.numbers("word")["load_errors"], 0);
    assert_eq!(unslow.get("/q/word.json?word=a").status, 200);
}

#[test]
fn a_value_of_the_greatest_length_gets_its_own_rows_and_a_longer_one_is_refused_by_name() {
    let redis = Redis::start();
    let database = postgres().database();
    let long = "\n[server]\nlimit_request_line = 64KiB\n";
    let ini = original(postgres(), &database, &redis) + long + "[cache]\nmemory = 0\n";
    let unslow = start(&ini, &[WORD]);
    assert_own_rows(&unslow, "detail=redis");
    assert_refused(&unslow);
    // The same on SQLite, from memory.
    let unslow = start(long, &[WORD]);
    assert_own_rows(&unslow, "unslow; hit");
    assert_refused(&unslow);
    // The limit that is set without a wish refuses the address before the value is read.
    let unslow = start("", &[WORD]);
    let answer = unslow.get(&address("a", LONGEST, "b"));
    assert_eq!(answer.status, 414, "{}", answer.text());
    assert!(answer.text().contains("4094"), "{}", answer.text());
}
