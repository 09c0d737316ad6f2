//! The names that stand in a data set, and the nearest of them to one that does not.

use std::collections::BTreeSet;

use strsim::{damerau_levenshtein, jaro_winkler};

/// Likeness from which a name is offered for another.
const ALIKE: f64 = 0.8;

/// Names offered for one that is not known.
const MOST_OFFERED: usize = 3;

/// An endpoint of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownEndpoint {
    /// The server that has it.
    pub server: String,
    /// Its protocol.
    pub protocol: String,
    /// GET, query ...
    pub operation: String,
    /// `/orders/{id}`.
    pub endpoint: String,
}

/// What a data set knows by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Workloads and services, at either end.
    pub services: BTreeSet<String>,
    /// Those that answered calls other than names asked for and pings.
    pub servers: BTreeSet<String>,
    /// Endpoints, busiest first.
    pub endpoints: Vec<KnownEndpoint>,
    /// Hosts asked for.
    pub hosts: BTreeSet<String>,
    /// Protocols heard.
    pub protocols: BTreeSet<String>,
}

impl Names {
    /// The service of that name, whatever its case.
    pub fn service(&self, name: &str) -> Option<&str> {
        self.services.iter().find(|known| known.eq_ignore_ascii_case(name)).map(String::as_str)
    }
}

/// The `known` names nearest to `name`, best first: those that begin like it, hold it, or differ by a slip.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let score = likeness(&wanted, &candidate.to_lowercase());
            (score >= ALIKE).then_some((score, candidate))
        })
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    scored.dedup_by(|left, right| left.1 == right.1);
    scored.into_iter().take(MOST_OFFERED).map(|(_, candidate)| candidate).collect()
}

/// How alike two names are, in lower case: 1 is equal.
pub(crate) fn likeness(wanted: &str, candidate: &str) -> f64 {
    if wanted == candidate {
        return 1.0;
    }
    let (short, long) =
        if wanted.len() <= candidate.len() { (wanted, candidate) } else { (candidate, wanted) };
    if short.chars().count() >= 4 && long.contains(short) {
        return 0.9;
    }
    let letters = wanted.chars().count().max(candidate.chars().count()).max(1);
    let slips = damerau_levenshtein(wanted, candidate);
    let close = 1.0 - slips as f64 / letters as f64;
    // Jaro-Winkler alone finds likeness between any two short words.
    if slips <= 2 && letters >= 4 && slips * 3 <= letters {
        close.max(0.85)
    } else {
        close.max(jaro_winkler(wanted, candidate) - 0.1)
    }
}

/// `; did you mean a, b?`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(name, known);
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["gateway", "orders", "payments", "inventory", "redis"];

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_none() {
        let check = |name, expect: &[&str]| assert_eq!(nearest(name, KNOWN), expect, "{name}");
        check("paymnts", &["payments"]);
        check("payment", &["payments"]);
        check("Payments", &["payments"]);
        check("odrers", &["orders"]);
        check("kafka", &[]);
        check("weather", &[]);
    }
}
