//! What the tests stand on: a scripted peer, and the program in a sandbox.

pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod script;
