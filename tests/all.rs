//! One integration binary: the pages, and the source text itself.

/// The pages: tables made from the code, examples run through it.
mod docs;
/// The source text: layers, dead files, leftovers.
mod tidy;
