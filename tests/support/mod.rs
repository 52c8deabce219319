//! What the tests stand on: scripted peers, and the program in a sandbox.

pub(crate) mod browser;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod script;
pub(crate) mod status_page;
