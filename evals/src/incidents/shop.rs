//! A shop of 60 workloads: who they are, where their instances run, which endpoints they have and whom those call.
//! Drawn from a seed, so that no parameter can be made for one graph.

use super::chance::Chance;

pub(crate) const WORKLOADS: usize = 60;
const NODES: usize = 8;

/// What a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Takes the outside's requests.
    Front,
    Service,
    Database(&'static str),
    /// Resolves names.
    Names,
    /// Outside of the cluster, over TLS.
    Outside,
    /// Reads and writes in bulk now and then.
    Batch,
}

#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) node: usize,
    pub(crate) version: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) operation: &'static str,
    pub(crate) path: String,
    /// Its own time in seconds: median, and deviation of the logarithm.
    pub(crate) own: (f64, f64),
    /// Share of calls that fail of themselves.
    pub(crate) fails: f64,
    pub(crate) bytes: f64,
    pub(crate) calls: Vec<Call>,
}

/// A call that an endpoint makes.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) to: usize,
    pub(crate) endpoint: usize,
    pub(crate) probability: f64,
    /// Whether the caller can do without it.
    pub(crate) optional: bool,
    /// Whether the caller tries once more.
    pub(crate) retries: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) protocol: &'static str,
    pub(crate) tls: bool,
    pub(crate) pods: Vec<Pod>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) versions: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Shop {
    pub(crate) workloads: Vec<Workload>,
    pub(crate) names: usize,
    pub(crate) nodes: Vec<String>,
}

impl Shop {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let mut workloads = Vec::new();
        // Callees first, so that a call always goes to a workload of a smaller number: no cycles.
        let databases = ["postgres", "postgres", "redis", "redis", "mongodb", "mysql", "redis", "postgres"];
        for (number, protocol) in databases.into_iter().enumerate() {
            workloads.push(database(chance, number, protocol));
        }
        let names = workloads.len();
        workloads.push(simple(chance, "coredns", Role::Names, "dns", 2));
        for number in 0..3 {
            workloads.push(outside(chance, number));
        }
        while workloads.len() < WORKLOADS - 7 {
            let number = workloads.len();
            workloads.push(service(chance, number, &workloads));
        }
        for number in 0..5 {
            workloads.push(simple(chance, &format!("batch-{number}"), Role::Batch, "", 1));
        }
        for number in 0..2 {
            let mut front = service(chance, workloads.len(), &workloads[..WORKLOADS - 7]);
            front.name = format!("front-{number}");
            front.role = Role::Front;
            workloads.push(front);
        }
        Self { workloads, names, nodes: (0..NODES).map(|node| format!("node-{node}")).collect() }
    }

    pub(crate) fn fronts(&self) -> impl Iterator<Item = usize> {
        let is_front = |&index: &usize| self.workloads[index].role == Role::Front;
        (0..self.workloads.len()).filter(is_front).collect::<Vec<_>>().into_iter()
    }
}

pub(crate) fn pod(chance: &mut Chance, name: &str, version: usize) -> Pod {
    Pod { name: format!("{name}-{:06x}", chance.next() & 0xff_ffff), node: chance.below(NODES), version }
}

fn simple(chance: &mut Chance, name: &str, role: Role, protocol: &'static str, pods: usize) -> Workload {
    let endpoint = Endpoint {
        operation: "query",
        path: String::new(),
        own: (0.0006, 0.4),
        fails: 0.0005,
        bytes: 120.0,
        calls: Vec::new(),
    };
    Workload {
        name: name.to_owned(),
        role,
        protocol,
        tls: false,
        pods: (0..pods).map(|_| pod(chance, name, 0)).collect(),
        endpoints: vec![endpoint],
        versions: vec!["1.0".to_owned()],
    }
}

fn database(chance: &mut Chance, number: usize, protocol: &'static str) -> Workload {
    let name = format!("{protocol}-{number}");
    let endpoints = (0..2 + chance.below(4))
        .map(|query| Endpoint {
            operation: if query % 2 == 0 { "SELECT" } else { "UPDATE" },
            path: format!("table_{query}"),
            own: (chance.factor(0.0008, 0.012), chance.between(0.3, 0.8)),
            fails: chance.between(0.0, 0.001),
            bytes: chance.factor(200.0, 5000.0),
            calls: Vec::new(),
        })
        .collect();
    let pods = 1 + chance.below(2);
    Workload { endpoints, ..simple(chance, &name, Role::Database(protocol), protocol, pods) }
}

fn outside(chance: &mut Chance, number: usize) -> Workload {
    let name = format!("api-{number}.example.com");
    let mut workload = simple(chance, &name, Role::Outside, "http1", 1);
    workload.tls = true;
    workload.endpoints[0] = Endpoint {
        operation: "POST",
        path: "/v1/charges".to_owned(),
        own: (chance.factor(0.06, 0.2), 0.4),
        fails: chance.between(0.001, 0.01),
        bytes: 2000.0,
        calls: Vec::new(),
    };
    workload
}

fn service(chance: &mut Chance, number: usize, below: &[Workload]) -> Workload {
    let name = format!("svc-{number}");
    let endpoints = (0..1 + chance.below(4))
        .map(|path| {
            let n_calls = 1 + chance.below(3);
            Endpoint {
                operation: if path % 3 == 2 { "POST" } else { "GET" },
                path: format!("/{name}/{path}/{{id}}"),
                own: (chance.factor(0.002, 0.04), chance.between(0.25, 0.6)),
                fails: chance.factor(0.0001, 0.008),
                bytes: chance.factor(300.0, 30_000.0),
                calls: (0..n_calls).map(|_| call(chance, below)).collect(),
            }
        })
        .collect();
    let pods = 1 + chance.below(4);
    let protocol = if chance.hit(0.3) { "grpc" } else { "http1" };
    let tls = chance.hit(0.25);
    Workload { endpoints, tls, ..simple(chance, &name, Role::Service, protocol, pods) }
}

fn call(chance: &mut Chance, below: &[Workload]) -> Call {
    let callable = |index: &usize| !matches!(below[*index].role, Role::Names | Role::Batch | Role::Front);
    let candidates: Vec<usize> = (0..below.len()).filter(callable).collect();
    // Half of the calls go to one of the last dozen, so that the graph is deep and not a star.
    let to = if chance.hit(0.5) {
        candidates[candidates.len() - 1 - chance.below(candidates.len().min(12))]
    } else {
        candidates[chance.below(candidates.len())]
    };
    Call {
        to,
        endpoint: chance.below(below[to].endpoints.len()),
        probability: chance.between(0.3, 1.0),
        optional: chance.hit(0.25),
        retries: usize::from(chance.hit(0.3)),
    }
}
