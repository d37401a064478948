//! Reads and rewrites the text of a JSON document in one pass, without a tree of it: what is not replaced stays byte for
//! byte as it was written. `reader` tells where things are, `plain` how much of a text is no more than it seems, `rewrite` copies the text once something is replaced, and `html` says what a browser has to be
//! given in place of a character.

mod html;
mod plain;
mod reader;
mod rewrite;

pub use html::html;
pub use plain::Interest;
pub use reader::{Kind, Malformed, Reader};
pub use rewrite::Rewrite;
