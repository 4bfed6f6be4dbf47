//! The settings of TLS: the pair, and the plain addresses that send visitors on to it.

use super::setting::{SettingRow, assign_option, new_row, set};
use crate::flags::SettingFlag;
use crate::settings::{bind, files};

pub(super) const ROWS: [SettingRow; 3] = [
    new_row(
        "tls",
        "cert",
        "PEM file of the server's certificate and its chain; turns TLS on",
        |d, g| assign_option(&mut d.tls.cert, Ok(files::read_path(g))),
    )
    .full_flag(SettingFlag {
        long: "tls-cert",
        short: None,
        value: "FILE",
        aliases: &["certfile"],
        repeatable: false,
    }),
    new_row(
        "tls",
        "key",
        "PEM file of the certificate's private key",
        |d, g| assign_option(&mut d.tls.key, Ok(files::read_path(g))),
    )
    .full_flag(SettingFlag {
        long: "tls-key",
        short: None,
        value: "FILE",
        aliases: &["keyfile"],
        repeatable: false,
    }),
    new_row(
        "tls",
        "redirect_bind",
        "Plain addresses that send visitors on to https",
        |d, g| set(&mut d.tls.redirect_bind, bind::read_addresses(g)),
    )
    .full_flag(SettingFlag {
        long: "redirect-bind",
        short: None,
        value: "ADDR",
        aliases: &[],
        repeatable: true,
    }),
];
