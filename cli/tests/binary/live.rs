//! Capture goes on, and loses nothing, while somebody asks for the impossible and the disk fills up: live, in a
//! network and a mount namespace of its own.

use std::process::Command;

use serde_json::{Value, json};

use crate::home::{Home, Ran, has, program, skipped};

/// Requests of the load, ten milliseconds apart.
const REQUESTS: usize = 400;

/// A server and its client, in one process: each request has a target of its own.
const LOAD: &str = r#"
import http.client, http.server, sys, threading, time
class Orders(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Orders)
threading.Thread(target=server.serve_forever, daemon=True).start()
connection = None
for number in range(int(sys.argv[1])):
    if number % 20 == 0:
        connection = http.client.HTTPConnection("127.0.0.1", 8080)
    connection.request("GET", f"/orders/{number}")
    connection.getresponse().read()
    time.sleep(0.01)
"#;

/// `$0` is the program, `$1` how many requests are made. The disk is small, and full for a part of the time.
const SCRIPT: &str = r#"
set -u
ip link set lo up
mount -t tmpfs -o size=24m none disk || exit 9
"$0" up -i lo --filter 'tcp port 8080' --listen 127.0.0.1:8470 --data disk/d 2>up.log &
up=$!
until grep -q Serving up.log; do kill -0 $up || exit 8; sleep 0.05; done
python3 load.py "$1" &
load=$!
ask() { "$0" query "$1" --data disk/d -o json >>answers 2>>refusals; echo $? >>codes; }
ask "COPY calls TO 'stolen.csv'"
ask "SELECT * FROM 'http://127.0.0.1:9/x.parquet'"
ask "SELECT count(*) FROM generate_series(1, 10000000000)"
ask "SELECT repeat('x', 4000000000)"
ask "$(cat deep.sql)"
ask "SELECT endpont FROM calls"
ask "SELECT * FROM calls WHERE protocol = 'htp'"
ask "DROP TABLE calls"
dd if=/dev/zero of=disk/ballast bs=64k 2>/dev/null
wait $load
ls -l disk/ballast >ballast
rm disk/ballast
n=0
until "$0" query "SELECT count(DISTINCT target) AS n FROM calls WHERE target LIKE '/orders/%'" --data disk/d -o jsonl 2>/dev/null | grep -q "{\"n\":$1}"; do
  n=$((n + 1)); [ $n -gt 150 ] && break; sleep 0.1
done
"$0" query "SELECT count(*) AS n, count(DISTINCT target) AS m, count(DISTINCT call_id) AS i, count(*) FILTER (WHERE outcome = 'ok') AS ok FROM calls WHERE target LIKE '/orders/%'" --data disk/d -o json >counted
"$0" query "SELECT stage, reason, count FROM losses" --data disk/d -o json >losses
kill -INT $up
wait $up; echo $? >code
"$0" query "SELECT count(*) AS n FROM calls WHERE target LIKE '/orders/%'" --data disk/d -o json >after
"#;

#[test]
fn capture_goes_on_while_queries_are_refused_and_the_disk_is_full() {
    for needed in ["unshare", "ip", "python3"] {
        if !has(needed) && Command::new(needed).arg("-V").output().is_err() {
            return skipped("live capture", &format!("there is no {needed}"));
        }
    }
    let allowed =
        Command::new("unshare").args(["--mount", "--net", "ip", "link", "set", "lo", "up"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return skipped("live capture", "no namespace can be made here (needs root)");
    }
    let home = Home::new();
    std::fs::create_dir(home.path("disk")).unwrap();
    home.file("load.py", LOAD);
    home.file("deep.sql", format!("SELECT {}1{}", "(".repeat(2_000), ")".repeat(2_000)));
    home.file("script.sh", SCRIPT);
    let mut command = Command::new("unshare");
    home.dress(&mut command);
    command.args(["--mount", "--net", "sh", "-c", ". ./script.sh"]).arg(program()).arg(REQUESTS.to_string());
    let ran = Ran::of("live".to_owned(), &command.output().unwrap());
    let read = |name: &str| std::fs::read_to_string(home.path(name)).unwrap_or_default();
    assert_eq!(ran.code, Some(0), "{ran}\n{}", read("up.log"));
    assert_eq!(read("codes"), "1\n".repeat(8), "{}{}", read("answers"), read("refusals"));
    assert_eq!(read("refusals").lines().count(), 8, "one line each: {}", read("refusals"));
    assert!(read("ballast").contains("ballast"), "the disk was never filled");
    let rows = |name: &str| -> Value {
        serde_json::from_str(&read(name))
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", read(name), read("up.log")))
    };
    let all = json!([{"n": REQUESTS, "m": REQUESTS, "i": REQUESTS, "ok": REQUESTS}]);
    assert_eq!(rows("counted"), all, "{}\n{}", read("losses"), read("up.log"));
    assert_eq!(rows("losses"), json!([]), "{}", read("up.log"));
    assert_eq!(rows("after"), json!([{"n": REQUESTS}]));
    assert_eq!(read("code"), "0\n", "{}", read("up.log"));
    assert!(!read("up.log").contains("panicked"), "{}", read("up.log"));
}
