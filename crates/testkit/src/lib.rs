//! What tests of several crates share. The packet builder is always there and pulls nothing in; what needs a
//! runtime or a server stands behind the feature `servers`, what needs records behind `records`.

pub mod packet;

#[cfg(feature = "servers")]
pub mod model_server;

#[cfg(feature = "records")]
pub mod shop;

#[cfg(feature = "records")]
pub mod traffic;
