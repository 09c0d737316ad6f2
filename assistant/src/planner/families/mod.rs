//! The families of questions, one file each: which tools are asked, and how what they give is told.

pub(crate) mod changes;
pub(crate) mod connections;
pub(crate) mod counts;
pub(crate) mod coverage;
pub(crate) mod dns;
pub(crate) mod failures;
pub(crate) mod health;
pub(crate) mod latency;
pub(crate) mod lists;
pub(crate) mod network;
pub(crate) mod one_call;
pub(crate) mod overview;
pub(crate) mod rankings;
pub(crate) mod slowness;
pub(crate) mod tls;
pub(crate) mod topology;
pub(crate) mod volume;
