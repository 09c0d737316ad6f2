//! The words of an incident: templates filled with facts. No word in them comes from traffic but names.

use super::scene::Scene;
use super::{Incident, Severity, State};
use crate::finding::Finding;

/// One line: severity, service, symptom against baseline.
pub(crate) fn title(incident: &Incident) -> String {
    let worst = worst(incident);
    let symptom = worst.map_or_else(String::new, symptom);
    format!("{}: {}, {}", incident.severity.name(), incident.first_suspect(), symptom)
}

/// What a finding shows, against its baseline.
fn symptom(finding: &Finding) -> String {
    match finding.unit.as_str() {
        "share" => format!(
            "{:.1}% of calls fail instead of {:.1}%",
            100.0 * finding.observed,
            100.0 * finding.baseline
        ),
        "times the usual" => format!("calls take {:.1} times the usual", finding.observed),
        unit => format!("{:.2} {unit} instead of {:.2}", finding.observed, finding.baseline),
    }
}

fn worst(incident: &Incident) -> Option<&Finding> {
    let about_suspect = |finding: &&Finding| finding.subject.server == incident.first_suspect();
    let by_score = |a: &&Finding, b: &&Finding| a.score.total_cmp(&b.score);
    let symptoms = || incident.findings.iter().filter(|finding| finding.class == crate::Class::Symptom);
    symptoms().filter(about_suspect).max_by(by_score).or_else(|| symptoms().max_by(by_score))
}

/// Facts in a template.
pub(crate) fn summary(incident: &Incident) -> String {
    let mut text = format!(
        "{} ({}). First sign {}.",
        title(incident),
        incident.kind.name(),
        incident.first_sign.rfc3339()
    );
    if let Some(suspect) = incident.suspects.first() {
        text.push_str(&format!(" First suspect: {}, for {}.", suspect.service, suspect.why));
    }
    text.push_str(&format!(
        " {} workloads suffer: {}.",
        incident.blast_radius.len(),
        incident.blast_radius.join(", ")
    ));
    match incident.changes.last() {
        Some(change) => text.push_str(&format!(" Changed shortly before: {}.", change.text)),
        None => text.push_str(" Nothing is known to have changed before it."),
    }
    if !incident.coverage.is_empty() {
        text.push_str(&format!(" {}.", incident.coverage));
    }
    match incident.state {
        State::Open => {}
        State::Resolved => text.push_str(" It is over."),
        State::Merged(into) => text.push_str(&format!(" It is part of {into:016x}.")),
    }
    text
}

/// How bad it is: by the worst share of failures, the worst slowdown, and how much of the graph suffers.
pub(crate) fn severity(incident: &Incident, scene: &Scene<'_>) -> Severity {
    let observed = |unit: &str| {
        incident
            .findings
            .iter()
            .filter(|finding| finding.unit == unit && finding.detector != "packet_loss")
            .map(|finding| finding.observed)
            .fold(0.0, f64::max)
    };
    let share_of_graph = incident.blast_radius.len() as f64 / scene.world.services.len().max(1) as f64;
    if observed("share") >= 0.5 || share_of_graph >= 0.3 {
        Severity::Critical
    } else if observed("share") >= 0.2 || observed("times the usual") >= 3.0 || share_of_graph >= 0.1 {
        Severity::Major
    } else {
        Severity::Minor
    }
}
