//! A file of one kind of deployment, as it is embedded.

use std::borrow::Cow;

/// One file of a kind.
pub(super) struct DeployTemplate {
    /// The path below the kind's folder, with `/`.
    pub(super) path: String,
    pub(super) content: Cow<'static, [u8]>,
}
