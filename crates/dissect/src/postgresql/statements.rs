//! Prepared statements and portals of a session.

use std::sync::Arc;

use crate::statement::Statement;

/// Named statements that are remembered. Past it the oldest is forgotten; calls that execute it then have no text,
/// noted `statement_not_seen`.
const MOST: usize = 256;
/// Bytes that they may take together.
const MOST_BYTES: usize = 64 << 10;
/// Named portals that are remembered.
const MOST_PORTALS: usize = 16;
/// A name longer than this is cut by servers (NAMEDATALEN).
const LONGEST_NAME: usize = 63;

type Named<T> = Vec<(Box<[u8]>, T)>;

/// What a client prepared, by name; those without name apart.
#[derive(Debug, Default)]
pub(super) struct Statements {
    unnamed: Option<Arc<Statement>>,
    named: Named<Arc<Statement>>,
    weight: usize,
    portal: Option<Arc<Statement>>,
    portals: Named<Option<Arc<Statement>>>,
}

fn short(name: &[u8]) -> &[u8] {
    &name[..name.len().min(LONGEST_NAME)]
}

impl Statements {
    pub(super) fn prepare(&mut self, name: &[u8], statement: Arc<Statement>) {
        if name.is_empty() {
            self.unnamed = Some(statement);
            return;
        }
        self.close(name);
        self.weight += statement.weight();
        self.named.push((short(name).into(), statement));
        while self.named.len() > MOST || (self.weight > MOST_BYTES && self.named.len() > 1) {
            let (_, oldest) = self.named.remove(0);
            self.weight -= oldest.weight();
        }
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        if name.is_empty() {
            return self.unnamed.as_ref();
        }
        let name = short(name);
        self.named.iter().rev().find(|(known, _)| **known == *name).map(|(_, statement)| statement)
    }

    pub(super) fn close(&mut self, name: &[u8]) {
        if let Some(at) = self.named.iter().position(|(known, _)| **known == *short(name)) {
            let (_, statement) = self.named.remove(at);
            self.weight -= statement.weight();
        }
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
    fn the_oldest_statements_are_forgotten() {
        let mut statements = Statements::default();
        let long = Arc::new(Statement { target: "x".repeat(2000), ..Statement::default() });
        for at in 0..1000_u32 {
            statements.prepare(&at.to_be_bytes(), Arc::clone(&long));
        }
        assert!(statements.weight <= MOST_BYTES && statements.named.len() <= MOST);
        assert!(
            statements.get(&999_u32.to_be_bytes()).is_some()
                && statements.get(&0_u32.to_be_bytes()).is_none()
        );
        for at in 0..100_u32 {
            statements.bind(&at.to_be_bytes(), &999_u32.to_be_bytes());
        }
        assert_eq!(statements.portals.len(), MOST_PORTALS);
    }
}
