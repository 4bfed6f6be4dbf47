//! `[tls]`: a whole or nothing.

use super::*;

#[test]
fn half_a_pair_is_refused_and_names_the_other_half() {
    for (ini, place, missing) in [
        ("[tls]\ncert=a\n", "app.ini:2: [tls] cert", "--tls-key"),
        ("[tls]\nkey=a\n", "app.ini:2: [tls] key", "--tls-cert"),
        (
            "[tls]\nredirect_bind=:80\n",
            "app.ini:2: [tls] redirect_bind",
            "UNSLOW_TLS_CERT",
        ),
    ] {
        let error = Start::with_ini(ini).load().unwrap_err().to_string();
        assert!(error.contains(place), "{error}");
        assert!(error.contains(missing), "{error}");
    }
}

#[test]
fn the_files_start_from_the_folder_of_the_ini_and_need_not_be_readable_yet() {
    let start = Start::with_ini("[tls]\ncert=a.pem\nkey=keys/a.key\n");
    let tls = start.settings().tls.unwrap();
    assert_eq!(tls.cert, start.path().join("a.pem"));
    assert_eq!(tls.key, start.path().join("keys/a.key"));
    assert!(tls.redirect_bind.is_empty());
}
