//! Live capture end to end, in network namespaces that the tests make and take away themselves.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and tell its parent")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wirewise_agent::{LiveOptions, ShipError, Sink, live};
use wirewise_capture::Netns;
use wirewise_model::{Outcome, Stage, Vantage};
use wirewise_redact::{Batch, Key, Open};

const DEADLINE: Duration = Duration::from_secs(20);

struct Namespace {
    name: String,
}

impl Namespace {
    fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wwagent-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        if let Err(reason) = ip(&["netns", "add", &name]) {
            assert!(
                std::env::var("WIREWISE_REQUIRE").as_deref() != Ok("all"),
                "a network namespace is required: {reason}"
            );
            eprintln!("SKIPPED(network namespaces): {reason}");
            return None;
        }
        ip(&["-n", &name, "link", "set", "lo", "up"]).unwrap();
        Some(Self { name })
    }

    fn netns(&self) -> Netns {
        Netns::new(&self.name)
    }

    fn options(&self) -> LiveOptions {
        LiveOptions::new("node-1", Key::from_bytes([7; 32]))
    }

    fn capture(&self) -> wirewise_capture::LiveOptions {
        wirewise_capture::LiveOptions {
            netns: vec![self.netns()],
            blocks: 16,
            ..wirewise_capture::LiveOptions::default()
        }
    }

    fn listen(&self) -> TcpListener {
        self.netns().within(|| TcpListener::bind("127.0.0.1:0")).unwrap().unwrap()
    }

    fn connect(&self, to: SocketAddr) -> TcpStream {
        self.netns().within(|| TcpStream::connect(to)).unwrap().unwrap()
    }

    /// Requests on a connection of their own, answered by a server of this test.
    fn talk(&self, listener: &TcpListener, requests: usize) {
        let mut client = self.connect(listener.local_addr().unwrap());
        let (mut server, _) = listener.accept().unwrap();
        let (request, response) =
            (b"GET /a HTTP/1.1\r\nhost: a.test\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        for _ in 0..requests {
            client.write_all(request).unwrap();
            server.read_exact(&mut vec![0; request.len()]).unwrap();
            server.write_all(response).unwrap();
            client.read_exact(&mut vec![0; response.len()]).unwrap();
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.name]).ok();
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Keeps what comes; waits for `gate` before each batch, where there is one.
#[derive(Clone, Default)]
struct Kept {
    batches: Arc<Mutex<Vec<Batch>>>,
    open: Arc<Mutex<Open>>,
    gate: Arc<Mutex<Option<Receiver<()>>>>,
}

impl Sink for Kept {
    fn ship(&mut self, batch: Batch) -> Result<(), ShipError> {
        if let Some(gate) = &*self.gate.lock().unwrap() {
            gate.recv().ok();
        }
        self.batches.lock().unwrap().push(batch);
        Ok(())
    }

    fn overlay(&mut self, open: Open) {
        *self.open.lock().unwrap() = open;
    }
}

fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !until() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn every_call_is_shipped_once_and_the_books_balance() {
    let Some(namespace) = Namespace::new() else { return };
    let (service, own) = (namespace.listen(), namespace.listen());
    let capture =
        wirewise_capture::LiveOptions { own: vec![own.local_addr().unwrap()], ..namespace.capture() };
    let options = namespace.options();
    let kept = Kept::default();
    let handle = live(&capture, options, kept.clone()).unwrap();
    namespace.talk(&service, 300);
    namespace.talk(&own, 7);
    wait("calls are seen while capture goes on", || !kept.batches.lock().unwrap().is_empty());
    let report = handle.stop(DEADLINE);
    assert!(report.drained);
    assert_eq!(report.status.error, None);

    let batches = kept.batches.lock().unwrap();
    let http: Vec<_> =
        batches.iter().flat_map(|batch| &batch.calls).filter(|call| call.protocol == "http1").collect();
    assert_eq!(http.len(), 300);
    for call in &http {
        assert_eq!(
            (call.outcome, call.heard.vantage, call.heard.node.as_deref()),
            (Outcome::Ok, Vantage::Server, Some("node-1"))
        );
        assert_eq!(
            call.server,
            wirewise_model::Endpoint::new([127, 0, 0, 1].into(), service.local_addr().unwrap().port())
        );
    }
    for (batch, sequence) in batches.iter().zip(0..) {
        assert_eq!((batch.dataset.as_str(), batch.sequence), ("live", sequence));
        assert_eq!(batch.capture.complete, sequence as usize + 1 == batches.len());
        assert_eq!(batch.capture.id, report.capture);
    }
    let ledger = &report.status.ledger;
    ledger.check().unwrap();
    let (capture, wire) = (ledger.stage(Stage::Capture).unwrap(), ledger.stage(Stage::Wire).unwrap());
    assert_eq!((capture.passed_on, capture.lost()), (wire.taken_in, 0));
    assert_eq!(ledger.stage(Stage::Calls).unwrap().passed_on, report.status.calls);
    assert_eq!(*kept.open.lock().unwrap(), Open::default());
}

const SERVER: &str = "WIREWISE_TEST_SERVES";

/// Answers one connection after the other, in a process of its own: this test again.
fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    for connection in listener.incoming() {
        let mut connection = connection.unwrap();
        let mut request = [0; 64];
        while connection.read(&mut request).is_ok_and(|count| count > 0) {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    }
}

#[test]
fn ends_are_named_by_the_process_that_owns_the_socket() {
    if std::env::var_os(SERVER).is_some() {
        return serve();
    }
    let Some(namespace) = Namespace::new() else { return };
    let test = std::env::current_exe().unwrap();
    let mut server = Command::new("ip")
        .args(["netns", "exec", &namespace.name])
        .arg(&test)
        .args(["--exact", "ends_are_named_by_the_process_that_owns_the_socket", "--nocapture"])
        .env(SERVER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    let address =
        said.find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned)).unwrap();
    let kept = Kept::default();
    let handle = live(&namespace.capture(), namespace.options(), kept.clone()).unwrap();
    let mut client = namespace.connect(address.parse().unwrap());
    client.write_all(b"GET /a HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    assert!(client.read(&mut [0; 64]).unwrap() > 0);
    let http = || {
        let batches = kept.batches.lock().unwrap();
        let call = batches.iter().flat_map(|batch| &batch.calls).find(|call| call.protocol == "http1");
        call.map(|call| call.peers.server.process.clone())
    };
    wait("the call is seen", || http().is_some());
    server.kill().unwrap();
    server.wait().unwrap();
    let name = test.file_name().unwrap().to_str().unwrap();
    let process = http().unwrap().expect("the owner is known");
    assert!(name.starts_with(&process), "{process} owns the socket of {name}");
    assert!(handle.stop(DEADLINE).drained);
}

#[test]
fn what_is_under_way_shows_in_the_overlay() {
    let Some(namespace) = Namespace::new() else { return };
    let kept = Kept::default();
    let handle = live(&namespace.capture(), namespace.options(), kept.clone()).unwrap();
    let listener = namespace.listen();
    let mut client = namespace.connect(listener.local_addr().unwrap());
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: a.test\r\n\r\n").unwrap();
    wait("the request shows", || {
        let open = kept.open.lock().unwrap();
        open.calls.iter().any(|call| call.outcome == Outcome::Open && call.target == "/slow")
            && !open.flows.is_empty()
    });
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    wait("the call is over", || {
        let batches = kept.batches.lock().unwrap();
        batches
            .iter()
            .flat_map(|batch| &batch.calls)
            .any(|call| call.target == "/slow" && call.outcome == Outcome::Ok)
    });
    wait("it is not under way any more", || kept.open.lock().unwrap().calls.is_empty());
    assert!(handle.stop(DEADLINE).drained);
}

#[test]
fn a_store_that_stands_still_costs_counted_calls_and_never_capture() {
    let Some(namespace) = Namespace::new() else { return };
    let (open_gate, gate) = sync_channel::<()>(0);
    let kept = Kept::default();
    *kept.gate.lock().unwrap() = Some(gate);
    let handle =
        live(&namespace.capture(), LiveOptions { queued_batches: 1, ..namespace.options() }, kept.clone())
            .unwrap();
    let service = namespace.listen();
    let mut talked = 0;
    let lost = |status: &wirewise_agent::LiveStatus| {
        status.ledger.stage(Stage::Calls).map_or(0, |books| books.lost())
    };
    wait("calls are lost", || {
        namespace.talk(&service, 200);
        talked += 200;
        lost(&handle.status()) > 0
    });
    drop(open_gate);
    wait("the loss is told", || {
        let batches = kept.batches.lock().unwrap();
        batches.iter().flat_map(|batch| &batch.losses).any(|loss| loss.reason == "ship_queue_full")
    });
    let report = handle.stop(DEADLINE);
    assert!(report.drained);
    report.status.ledger.check().unwrap();
    let batches = kept.batches.lock().unwrap();
    let stored: u64 = batches.iter().map(|batch| batch.calls.len() as u64).sum();
    assert_eq!(stored + lost(&report.status), report.status.calls);
    assert!(report.status.calls >= talked, "{talked} requests, {:?}", report.status);
    assert_eq!(report.status.ledger.stage(Stage::Capture).unwrap().lost(), 0);
    assert!(batches.iter().zip(0..).all(|(batch, sequence)| batch.sequence == sequence));
}
