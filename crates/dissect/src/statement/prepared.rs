//! Statements that were prepared on a connection, by the name or number that it gave them.

use std::sync::Arc;

use super::Statement;

/// Statements that are remembered. Past it the oldest is forgotten; calls that execute it then have no text.
const MOST: usize = 256;
/// Bytes that they may take together.
const MOST_BYTES: usize = 64 << 10;
/// Names are cut to this: no server that is read here has longer ones (NAMEDATALEN of PostgreSQL).
const LONGEST_NAME: usize = 63;

/// What was prepared.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    known: Vec<(Box<[u8]>, Arc<Statement>)>,
    weight: usize,
}

fn short(name: &[u8]) -> &[u8] {
    &name[..name.len().min(LONGEST_NAME)]
}

impl Prepared {
    /// Remembers a statement under that name, in the place of another.
    pub(crate) fn insert(&mut self, name: &[u8], statement: Arc<Statement>) {
        self.remove(name);
        self.weight += statement.weight();
        self.known.push((short(name).into(), statement));
        while self.known.len() > MOST || (self.weight > MOST_BYTES && self.known.len() > 1) {
            let (_, oldest) = self.known.remove(0);
            self.weight -= oldest.weight();
        }
    }

    /// The statement of that name.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        let name = short(name);
        self.known.iter().rev().find(|(known, _)| **known == *name).map(|(_, statement)| statement)
    }

    /// Forgets it.
    pub(crate) fn remove(&mut self, name: &[u8]) {
        if let Some(at) = self.known.iter().position(|(known, _)| **known == *short(name)) {
            let (_, statement) = self.known.remove(at);
            self.weight -= statement.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_statements_are_forgotten() {
        let mut prepared = Prepared::default();
        let long = Arc::new(Statement { target: "x".repeat(2000), ..Statement::default() });
        for at in 0..1000_u32 {
            prepared.insert(&at.to_be_bytes(), Arc::clone(&long));
        }
        assert!(prepared.weight <= MOST_BYTES && prepared.known.len() <= MOST);
        assert!(prepared.get(&999_u32.to_be_bytes()).is_some());
        assert!(prepared.get(&0_u32.to_be_bytes()).is_none());
        for at in 0..1000_u32 {
            prepared.remove(&at.to_be_bytes());
        }
        assert_eq!((prepared.weight, prepared.known.len()), (0, 0));
    }
}
