//! What incidents are judged by: the world and its alarms at one moment, and the questions that are asked of them.

use std::collections::BTreeMap;

use wirewise_model::Timestamp;

use crate::alarm::Alarm;
use crate::evidence::Evidence;
use crate::finding::Class;
use crate::graph::Edge;
use crate::series::Series;
use crate::world::World;

/// Evidence of lost packets, in nats, that makes an edge lossy beside one that is told of.
const LOSSY: f64 = 5.0;

/// Edges, by their ends, with the worst score and the earliest beginning of a symptom on them.
pub(crate) type Troubled = BTreeMap<(u32, u32), (f64, Timestamp)>;

/// Collects the edges on which a symptom's alarm is on.
pub(crate) fn troubled(world: &World, alarms: &BTreeMap<u64, Alarm>) -> Troubled {
    let mut found = Troubled::new();
    for alarm in alarms.values().filter(|alarm| alarm.is_on && alarm.class == Class::Symptom) {
        let Some(edge) = alarm.target.edge(world) else { continue };
        let edge = &world.edges[edge as usize];
        let (score, since) = found.entry((edge.client, edge.server)).or_insert((0.0, alarm.since));
        *score = score.max(alarm.score.min(2.5));
        *since = (*since).min(alarm.since);
    }
    found
}

/// What incidents are judged by.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) alarms: &'a BTreeMap<u64, Alarm>,
    /// Of each edge with a symptom's alarm on it: the worst score, and the earliest beginning.
    pub(crate) troubled: &'a Troubled,
    pub(crate) now: Timestamp,
    /// Evidence that raises an alarm.
    pub(crate) threshold: f64,
    /// What could not be seen lately, in words.
    pub(crate) coverage: &'a str,
}

impl<'a> Scene<'a> {
    /// Evidence of a series over the threshold.
    pub(crate) fn series_badness(&self, series: &Series) -> f64 {
        series.errors.sum().max(series.latency.sum()) / self.threshold
    }

    /// Evidence of an edge over the threshold, its endpoints' and its silence's alarms included.
    pub(crate) fn edge_badness(&self, edge: &Edge) -> f64 {
        let own = self.series_badness(&edge.series);
        self.troubled.get(&(edge.client, edge.server)).map_or(own, |(score, _)| score.max(own))
    }

    /// When an edge's trouble began.
    pub(crate) fn edge_since(&self, edge: &Edge) -> Timestamp {
        let of = |evidence: &Evidence| if evidence.sum() > 0.0 { evidence.since() } else { Timestamp::MAX };
        let own = of(&edge.series.errors).min(of(&edge.series.latency));
        self.troubled.get(&(edge.client, edge.server)).map_or(own, |(_, since)| own.min(*since))
    }

    /// Edges on which a detector's alarm is on.
    pub(crate) fn alarmed_edges(&self, word: &'static str) -> impl Iterator<Item = &'a Edge> {
        let world = self.world;
        self.alarms
            .values()
            .filter(move |alarm| alarm.is_on && alarm.word == word)
            .filter_map(move |alarm| alarm.target.edge(world))
            .map(move |edge| &world.edges[edge as usize])
    }

    /// Edges on which packets are lost, felt or not, where a loss that is felt was told of.
    pub(crate) fn lossy_edges(&self) -> Vec<&'a Edge> {
        if self.alarmed_edges("packet_loss").next().is_none() {
            return Vec::new();
        }
        self.world.edges.iter().filter(|edge| edge.loss.sum() >= LOSSY).collect()
    }

    /// Other workloads with an instance on a node where this one has one.
    pub(crate) fn neighbours(&self, service: u32) -> Vec<u32> {
        let lately = |heard: Timestamp| self.now.since(heard).as_secs() <= 60;
        let nodes: Vec<_> = self.world.services[service as usize]
            .pods
            .iter()
            .filter(|pod| lately(pod.heard) && pod.node.0 != 0)
            .map(|pod| pod.node)
            .collect();
        let is_near = |other: &u32| {
            *other != service
                && self.world.services[*other as usize]
                    .pods
                    .iter()
                    .any(|pod| lately(pod.heard) && nodes.contains(&pod.node))
        };
        (0..self.world.services.len() as u32).filter(is_near).collect()
    }

    /// How many workloads suffer whose suffering instance shares a node with this one, other than those that call it or
    /// that it calls: calls explain those.
    pub(crate) fn neighbours_suffer(&self, service: u32) -> usize {
        let nodes: Vec<_> = self.world.services[service as usize]
            .pods
            .iter()
            .map(|pod| pod.node)
            .filter(|node| node.0 != 0)
            .collect();
        self.neighbours(service)
            .into_iter()
            .filter(|&near| {
                self.world.find_edge(near, service).is_none() && self.world.find_edge(service, near).is_none()
            })
            .filter(|&near| {
                self.world.services[near as usize].pods.iter().any(|pod| {
                    nodes.contains(&pod.node)
                        && pod.series.latency.sum().max(pod.series.errors.sum()) >= 0.4 * self.threshold
                })
            })
            .count()
    }
}
