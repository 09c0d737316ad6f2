//! `bench truth`: the table of agreement with tshark, by protocol. The comparison is a test of the pipeline.

use anyhow::{Context, Result};

use crate::place;

pub(crate) fn truth(_count: Option<u64>) -> Result<()> {
    place::captures().context("there are no real captures beside the project to compare on")?;
    let test =
        ["test", "--quiet", "--workspace", "--test", "captures", "agrees_with_tshark", "--", "--nocapture"];
    place::show_and_run(place::cargo().args(test))
}
