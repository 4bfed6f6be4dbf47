//! A daemon whose folder has a path that is longer than the address of a unix socket.

use crate::daemon_home::{Home, answers, ended, text};

#[test]
fn a_daemon_in_a_folder_with_a_long_path_obeys_its_commands_and_leaves_nothing() {
    let home = Home::deep(142);
    let folder = home.pidfile.parent().unwrap().to_owned();
    let socket = folder.join("visitors.sock");
    let bind = format!("unix:{}", socket.display());
    let start = ["start", "--bind", &bind, "--error-log", "error.log"];
    ended(&home.run(&start), 0, &[&bind]);
    let first = home.holder().expect("it runs");
    let address = socket.to_str().unwrap();
    assert!(answers(address));
    ended(&home.run(&["status"]), 0, &[&bind]);
    ended(&home.run(&["reload", "--bind", &bind]), 0, &[]);
    let upgraded = home.run(&["upgrade"]);
    ended(&upgraded, 0, &[]);
    assert_ne!(home.holder(), Some(first), "{}", text(&upgraded));
    assert!(answers(address));
    let asked = ["status", "--url", &bind];
    ended(&home.run(&asked), 0, &[]);
    ended(&home.run(&["stop"]), 0, &[]);
    let left: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_name_that_no_socket_can_have_is_refused_with_the_bound_and_a_remedy() {
    let mut home = Home::deep(142);
    let name = "n".repeat(120);
    let bind = format!("unix:{name}");
    let refused = home.run(&["run", "--bind", &bind]);
    ended(&refused, 1, &["--bind", "at most 9", "shorter name"]);
    home.pidfile = home.pidfile.with_file_name(name);
    let refused = home.run(&["start", "--bind", "127.0.0.1:0"]);
    ended(&refused, 6, &["--pid", "at most 9", "shorter name"]);
    assert_eq!(home.holder(), None);
}
