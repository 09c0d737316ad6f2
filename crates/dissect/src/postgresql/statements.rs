//! Prepared statements and portals of a session.

use std::sync::Arc;

use crate::statement::{Prepared, Statement};

/// Named portals that are remembered; past it the oldest is forgotten, and what is executed in it has no text.
const MOST_PORTALS: usize = 16;
/// A name longer than this is cut by servers (NAMEDATALEN).
const LONGEST_NAME: usize = 63;

/// A portal and what it was bound to, where that is known.
type Portal = (Box<[u8]>, Option<Arc<Statement>>);

/// What a client prepared and bound, by name; those without name apart.
#[derive(Debug, Default)]
pub(super) struct Statements {
    unnamed: Option<Arc<Statement>>,
    named: Prepared,
    portal: Option<Arc<Statement>>,
    portals: Vec<Portal>,
}

fn short(name: &[u8]) -> &[u8] {
    &name[..name.len().min(LONGEST_NAME)]
}

impl Statements {
    pub(super) fn prepare(&mut self, name: &[u8], statement: Arc<Statement>) {
        match name {
            [] => self.unnamed = Some(statement),
            name => self.named.insert(name, statement),
        }
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        match name {
            [] => self.unnamed.as_ref(),
            name => self.named.get(name),
        }
    }

    pub(super) fn close(&mut self, name: &[u8]) {
        self.named.remove(name);
    }

    pub(super) fn bind(&mut self, portal: &[u8], statement: &[u8]) {
        let bound = self.get(statement).cloned();
        if portal.is_empty() {
            self.portal = bound;
            return;
        }
        self.close_portal(portal);
        if self.portals.len() >= MOST_PORTALS {
            self.portals.remove(0);
        }
        self.portals.push((short(portal).into(), bound));
    }

    pub(super) fn bound(&self, portal: &[u8]) -> Option<&Arc<Statement>> {
        if portal.is_empty() {
            return self.portal.as_ref();
        }
        self.portals.iter().find(|(known, _)| **known == *short(portal)).and_then(|(_, bound)| bound.as_ref())
    }

    pub(super) fn close_portal(&mut self, portal: &[u8]) {
        self.portals.retain(|(known, _)| **known != *short(portal));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_portals_are_forgotten() {
        let mut statements = Statements::default();
        statements.prepare(b"s", Arc::new(Statement::default()));
        for at in 0..100_u32 {
            statements.bind(&at.to_be_bytes(), b"s");
        }
        assert_eq!(statements.portals.len(), MOST_PORTALS);
        assert!(statements.bound(&99_u32.to_be_bytes()).is_some());
        assert!(statements.bound(&0_u32.to_be_bytes()).is_none());
    }
}
