//! Hostile bytes for everything that reads bytes: each protocol of the table, the packet path, and redaction.
//!
//! [`targets`] lists what is fuzzed. It is made from the table of protocols: a protocol that is added there is fuzzed
//! without a line here. The tests replay the corpus and mutate it for a bounded time; `cargo xtask fuzz` lets libFuzzer
//! look for new ways through the code, and keeps what it finds in `corpus/`. `README.md` says how.

mod corpus;
mod direct;
mod frames;
mod harvest;
mod mutate;
mod play;
mod records;
mod script;
mod target;
mod verdict;

pub use corpus::Corpus;
pub use harvest::harvest;
pub use mutate::Mutator;
pub use script::{MARK, Mode, Script, Step};
pub use target::{Target, target, targets};
pub use verdict::Heard;
