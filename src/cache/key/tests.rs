//! That any part that decides an answer makes another key, and other names in Redis.

use super::*;

fn base() -> KeyBase {
    KeyBase::new("unslow", "version", "select 1", "db:5432/x")
}

#[test]
fn the_name_in_redis_has_the_query_as_hash_tag() {
    let name = base().make_key(Vec::new()).redis_name();
    let digest = name
        .strip_prefix("unslow:v2:unnamed:{version}:")
        .expect(&name);
    assert_eq!(digest.len(), 2 * SHOWN);
    assert!(digest.bytes().all(|b| b.is_ascii_hexdigit()));
}

#[test]
fn the_same_parts_give_the_same_key_and_any_other_part_another() {
    let key = base().make_key(b"p".to_vec());
    assert_eq!(key, base().make_key(b"p".to_vec()));
    for other in [
        KeyBase::new("other", "version", "select 1", "db:5432/x"),
        KeyBase::new("unslow", "other", "select 1", "db:5432/x"),
        KeyBase::new("unslow", "version", "select 2", "db:5432/x"),
        KeyBase::new("unslow", "version", "select 1", "db:5432/y"),
    ] {
        assert_ne!(key.digest, other.make_key(b"p".to_vec()).digest);
    }
    assert_ne!(key.digest, base().make_key(b"q".to_vec()).digest);
}

#[test]
fn each_database_has_keys_and_names_of_its_own() {
    let (one, other) = (
        base().for_system("postgres:1/5"),
        base().for_system("postgres:2/5"),
    );
    let keys = [&base(), &one, &other].map(|base| base.make_key(b"p".to_vec()));
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let names = [&keys[a], &keys[b]].map(Key::redis_names);
        assert_ne!(keys[a].digest, keys[b].digest);
        assert_ne!(keys[a].family(), keys[b].family());
        assert_ne!(names[0].generations, names[1].generations);
        assert_ne!(names[0].lease, names[1].lease);
    }
    assert_eq!(
        one.for_system("postgres:2/5").make_key(b"p".to_vec()),
        keys[2]
    );
    assert_eq!(keys[1].query(), "version");
}

#[test]
fn parts_cannot_run_into_each_other() {
    let one = KeyBase::new("n", "q", "ab", "c").make_key(Vec::new());
    let two = KeyBase::new("n", "q", "a", "bc").make_key(Vec::new());
    assert_ne!(one.digest, two.digest);
}

#[test]
fn keys_of_one_digest_with_other_parameters_differ() {
    let key = base().make_key(b"p".to_vec());
    let collision = Key {
        canonical: Bytes::from_static(b"q"),
        ..key.clone()
    };
    assert_ne!(key, collision);
}

#[test]
fn debug_output_holds_no_parameter() {
    assert!(!format!("{:?}", base().make_key(b"secret".to_vec())).contains("secret"));
}
