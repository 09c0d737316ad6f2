//! Who is suspected first. Callee first: a workload whose callers suffer is to blame as far as its own dependencies
//! do not explain it; evidence below the threshold of an alarm counts too, for a cause is often seen less often than
//! its effects. Loss of packets and a busy neighbour have rankings of their own, for they follow no call.

use std::collections::BTreeMap;

use super::Suspect;
use super::scene::Scene;

/// How much of a workload's trouble its worst dependency can explain.
const EXPLAINS: f64 = 0.9;
/// Suspects that are told.
const MOST_SUSPECTS: usize = 5;
/// How much more a workload is suspected that was changed shortly before.
const CHANGED: f64 = 1.5;

/// Suspects among `services`, first suspect first.
pub(crate) fn rank(scene: &Scene<'_>, services: &[u32]) -> Vec<(u32, Suspect)> {
    let mut blame: BTreeMap<u32, (f64, String)> = BTreeMap::new();
    for &service in services {
        let found = own_blame(scene, service);
        if found.0 > 0.0 {
            blame.insert(service, found);
        }
    }
    blame_for_loss(scene, services, &mut blame);
    blame_neighbours(scene, services, &mut blame);
    let mut ranked: Vec<(u32, f64, String)> =
        blame.into_iter().map(|(service, (score, why))| (service, score, why)).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(MOST_SUSPECTS);
    let name = |service: u32| scene.world.names.text(scene.world.services[service as usize].name).to_owned();
    ranked
        .into_iter()
        .map(|(service, score, why)| (service, Suspect { service: name(service), score, why }))
        .collect()
}

/// What a workload's callers see, less what its dependencies explain.
fn own_blame(scene: &Scene<'_>, index: u32) -> (f64, String) {
    let world = scene.world;
    let service = &world.services[index as usize];
    let (mut seen, mut n_suffering, mut n_live) = (0.0f64, 0.0, 0.0f64);
    let mut since = None;
    for &edge in &service.callers {
        let edge = &world.edges[edge as usize];
        if scene.now.since(edge.heard).as_secs() > 60 && scene.edge_badness(edge) == 0.0 {
            continue;
        }
        n_live += 1.0;
        let badness = scene.edge_badness(edge);
        seen = seen.max(badness);
        if badness >= 0.3 {
            n_suffering += 1.0;
            let begun = scene.edge_since(edge);
            since = Some(since.map_or(begun, |since: wirewise_model::Timestamp| since.min(begun)));
        }
    }
    seen = seen.max(scene.series_badness(&service.series)).max(service.refused.sum() / scene.threshold);
    if seen <= 0.0 {
        return (0.0, String::new());
    }
    let mut explained = 0.0f64;
    let mut by = None;
    for &edge in &service.callees {
        let edge = &world.edges[edge as usize];
        let badness = scene.edge_badness(edge);
        if badness > explained {
            (explained, by) = (badness, Some(edge.server));
        }
    }
    let explained = (explained / seen.min(1.0)).min(1.0);
    let breadth = 0.5 + 0.5 * n_suffering / n_live.max(1.0);
    let mut score = seen * breadth * (1.0 - EXPLAINS * explained);
    let recently = |at| scene.now.since(at).as_secs() < 900;
    let is_changed = service.change.is_some_and(|change| recently(change.at));
    if is_changed {
        score *= CHANGED;
    }
    let mut why = format!("{n_suffering:.0} of its {n_live:.0} callers suffer");
    match by.filter(|_| explained >= 0.5) {
        Some(by) => why.push_str(&format!(
            ", which its dependency {} explains",
            world.names.text(world.services[by as usize].name)
        )),
        None => why.push_str(", and none of its own dependencies explains it"),
    }
    if is_changed {
        why.push_str("; it was changed shortly before");
    }
    (score, why)
}

/// Where packets are lost around several workloads, the one that most of the lossy edges touch is suspected.
fn blame_for_loss(scene: &Scene<'_>, services: &[u32], blame: &mut BTreeMap<u32, (f64, String)>) {
    let lossy = scene.lossy_edges();
    if lossy.is_empty()
        || !lossy.iter().any(|edge| services.contains(&edge.server) || services.contains(&edge.client))
    {
        return;
    }
    let mut touched: BTreeMap<u32, f64> = BTreeMap::new();
    for edge in &lossy {
        for end in [edge.client, edge.server] {
            *touched.entry(end).or_default() += 1.0;
        }
    }
    for (service, n) in touched {
        let known = &scene.world.services[service as usize];
        let live = |&&edge: &&u32| scene.world.edges[edge as usize].loss_windows > 0;
        let all =
            (known.callers.iter().filter(live).count() + known.callees.iter().filter(live).count()).max(1);
        let score = 2.0 + 2.0 * n / lossy.len() as f64 + n / all as f64;
        blame.insert(service, (score, format!("{n:.0} of {} lossy edges touch it", lossy.len())));
    }
}

/// Where several workloads of one node suffer and one on it is unusually busy, that one is suspected.
fn blame_neighbours(scene: &Scene<'_>, services: &[u32], blame: &mut BTreeMap<u32, (f64, String)>) {
    for edge in scene.alarmed_edges("surge") {
        // Retries are a surge too, but of calls that fail.
        if edge.series.errors.sum() >= 0.5 * scene.threshold {
            continue;
        }
        for end in [edge.client, edge.server] {
            let suffering = scene.neighbours_suffer(end);
            let is_near =
                services.contains(&end) || scene.neighbours(end).iter().any(|near| services.contains(near));
            if suffering >= 3 && is_near {
                let own = if end == edge.client { 0.5 } else { 0.0 };
                let score = 4.0 + own + suffering as f64 * 0.1;
                let why = format!("it is unusually busy, and {suffering} workloads on its node suffer");
                blame.insert(end, (score, why));
            }
        }
    }
}
