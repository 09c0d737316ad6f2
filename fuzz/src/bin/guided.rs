//! One target under libFuzzer. `WIREWISE_FUZZ` names it; arguments are libFuzzer's own. `cargo xtask fuzz` builds and runs it.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wirewise_fuzz::{Target, target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("WIREWISE_FUZZ").expect("WIREWISE_FUZZ names a target");
    target(&name).expect("it is one of the targets")
});

fuzz_target!(|bytes: &[u8]| {
    TARGET.run(bytes);
});
