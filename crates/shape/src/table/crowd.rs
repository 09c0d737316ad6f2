//! Ends of which nothing but the address is known: who is called by many of them, or calls many, has to do with a
//! crowd, and its shapes say `{ip}`.
//!
//! A door to the world would else have as many shapes as visitors. Names are never put together.

use std::collections::{BTreeSet, HashMap};

use crate::mask;
use crate::parts::Parts;

/// What stands for an address in a crowd.
const ANYONE: &str = "{ip}";
/// Different addresses that are a crowd.
const CROWD: usize = 32;

#[derive(Debug)]
enum Seen {
    Few(BTreeSet<Box<str>>),
    Crowd,
}

/// Which workloads have to do with a crowd.
#[derive(Debug, Default)]
pub(super) struct Crowds {
    /// Addresses that call a server.
    clients_of: HashMap<Box<str>, Seen>,
    /// Addresses that a client with a name calls. Of clients without one nothing is learnt here, so that what is
    /// known follows from the parts that are kept.
    servers_of: HashMap<Box<str>, Seen>,
}

impl Crowds {
    /// Takes in the ends of `parts`, and says whether that made a crowd. Workloads past `most` are not learnt of.
    pub(super) fn learn(&mut self, parts: &Parts, most: usize) -> bool {
        let clients =
            is_address(&parts.client) && note(&mut self.clients_of, &parts.server, &parts.client, most);
        let servers = is_address(&parts.server)
            && !is_address(&parts.client)
            && note(&mut self.servers_of, &parts.client, &parts.server, most);
        clients || servers
    }

    /// The parts with the addresses of crowds replaced.
    pub(super) fn canonical(&self, parts: &mut Parts) {
        let has_crowd = |seen: &HashMap<Box<str>, Seen>, of: &str| matches!(seen.get(of), Some(Seen::Crowd));
        let clients = is_address(&parts.client) && has_crowd(&self.clients_of, &parts.server);
        let servers = is_address(&parts.server)
            && !is_address(&parts.client)
            && has_crowd(&self.servers_of, &parts.client);
        if clients {
            ANYONE.clone_into(&mut parts.client);
        }
        if servers {
            ANYONE.clone_into(&mut parts.server);
        }
    }
}

fn is_address(name: &str) -> bool {
    name == ANYONE || mask::is_address(name)
}

fn note(seen: &mut HashMap<Box<str>, Seen>, of: &str, address: &str, most: usize) -> bool {
    if !seen.contains_key(of) {
        if seen.len() >= most {
            return false;
        }
        seen.insert(Box::from(of), Seen::Few(BTreeSet::new()));
    }
    let Some(now) = seen.get_mut(of) else { return false };
    let Seen::Few(few) = now else { return false };
    if address != ANYONE {
        if !few.contains(address) {
            few.insert(Box::from(address));
        }
        if few.len() < CROWD {
            return false;
        }
    }
    *now = Seen::Crowd;
    true
}
