//! The window of time over which numbers count, by its name.

use serde::{Deserialize, Serialize};

/// The window of time over which numbers count.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum Window {
    /// The latest minute.
    #[serde(rename = "1m")]
    Minute,
    /// The latest five.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// The latest hour.
    #[serde(rename = "1h")]
    Hour,
    /// The time since the process started.
    #[default]
    #[serde(rename = "start")]
    Start,
}

impl Window {
    /// Every one, from the shortest.
    pub const ALL: [Window; 4] = [
        Window::Minute,
        Window::FiveMinutes,
        Window::Hour,
        Window::Start,
    ];

    /// Returns the name in addresses and answers.
    pub fn name(self) -> &'static str {
        match self {
            Window::Minute => "1m",
            Window::FiveMinutes => "5m",
            Window::Hour => "1h",
            Window::Start => "start",
        }
    }

    /// Returns the window of that name.
    pub fn from_name(name: &str) -> Option<Window> {
        Window::ALL.into_iter().find(|window| window.name() == name)
    }
}
