//! One directory, one port, one disk: what happens where somebody else has it, or nobody may.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::home::{Home, Ran, has, is_root, program, skipped};
use crate::scene::orders;

#[test]
fn a_port_that_is_taken_is_told_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = Home::new();
    home.run(&["up", "--no-capture", "--listen", &address]).fails(1, &[&address, "--listen", "in use"]);
    assert!(!home.data().exists());
}

#[test]
fn beyond_loopback_it_asks_for_tls() {
    let home = Home::new();
    home.run(&["up", "--no-capture", "--listen", "0.0.0.0:0"]).fails(1, &["--tls-cert", "127.0.0.1"]);
    home.run(&["up", "--no-capture", "--listen", "0.0.0.0:0", "--tls-cert", "x.pem"])
        .fails(2, &["--tls-key"]);
    home.run(&["up", "--no-capture", "--listen", "127.0.0.1:0", "--tls-cert", "x.pem", "--tls-key", "y.pem"])
        .fails(1, &["x.pem", "No such file"]);
    assert!(!home.data().exists());
}

#[test]
fn commands_go_through_the_process_that_owns_the_directory() {
    let home = Home::new();
    home.import("shop.pcap", &orders(20).pcap());
    let up = home.up(&[]);
    let owner: Value =
        serde_json::from_slice(&std::fs::read(home.data().join("owner.json")).unwrap()).unwrap();
    assert_eq!(owner["url"], up.url.as_str());
    for private in ["token", "owner.json"] {
        let mode = std::fs::metadata(home.data().join(private)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    home.run(&["up", "--no-capture", "--listen", "127.0.0.1:0"]).fails(1, &["is owned by process", &up.url]);
    assert!(home.run(&["doctor"]).done().contains(&up.url));
    // An import goes through it, too, and is seen at once.
    let told = home.import("more.pcap", &orders(30).pcap());
    assert_eq!(told["calls"], 30);
    assert_eq!(
        home.run(&["calls", "--dataset", "more", "-o", "json"]).json().as_array().map(Vec::len),
        Some(30)
    );
    let answer = home.run(&["ask", "what is going on?", "--dataset", "more", "-o", "json"]).json();
    assert_eq!(answer["dataset"], "more");
    let id = home
        .run(&["query", "SELECT call_id FROM calls LIMIT 1", "--dataset", "more", "-o", "json"])
        .json()[0]["call_id"]
        .clone();
    home.run(&["show", id.as_str().unwrap(), "--pcap", "out.pcapng"]).done();

    let mut command = home.command(&["calls", "--dataset", "more"]);
    command.env("WIREWISE_TOKEN", "wrong");
    Ran::of("calls".to_owned(), &command.output().unwrap()).fails(1, &["a token is needed"]);
    let said = up.stop();
    assert!(!said.contains("panicked"), "{said}");
    assert!(!home.data().join("owner.json").exists(), "it says goodbye");
    let counted =
        home.run(&["query", "SELECT count(*) AS n FROM calls", "--dataset", "more", "-o", "json"]).json();
    assert_eq!(counted, json!([{"n": 30}]));
}

#[test]
fn an_owner_that_was_killed_is_not_waited_for() {
    let home = Home::new();
    home.import("shop.pcap", &orders(20).pcap());
    let up = home.up(&[]);
    home.import("more.pcap", &orders(30).pcap());
    up.kill();
    let rows =
        home.run(&["query", "SELECT count(*) AS n FROM calls", "--dataset", "more", "-o", "json"]).json();
    assert_eq!(rows, json!([{"n": 30}]), "what was acknowledged is there");
    home.up(&[]).stop();
}

#[test]
fn an_assistant_that_is_not_there_is_told() {
    let home = Home::new();
    home.import("shop.pcap", &orders(1).pcap());
    home.up(&[]).stop();
    home.run(&["calls", "--url", "http://127.0.0.1:9"]).fails(1, &["http://127.0.0.1:9"]);
    let nobody = Home::new();
    nobody.run(&["calls", "--url", "http://127.0.0.1:9"]).fails(1, &["WIREWISE_TOKEN"]);
}

/// Runs a command as a user who may do nothing: nobody, where this is root.
fn as_nobody(home: &Home, program: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    if !is_root() {
        command = Command::new(program);
    }
    home.dress(&mut command);
    Ran::of(format!("(as nobody) {}", arguments.join(" ")), &command.args(arguments).output().unwrap())
}

#[test]
fn without_privileges_capture_says_what_it_needs_and_all_else_works() {
    if is_root() && !has("setpriv") {
        return skipped("setpriv", "this is root, and there is no setpriv to become somebody else");
    }
    let home = Home::new();
    // Everybody may look into this home, and the program may lie where only root can.
    std::fs::set_permissions(home.directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let copy = home.path("wirewise");
    std::fs::copy(program(), &copy).unwrap();
    home.file("shop.pcap", orders(20).pcap());
    as_nobody(&home, &copy, &["up", "--listen", "127.0.0.1:0"])
        .fails(1, &["not permitted", "sudo", "cap_net_raw", "--no-capture"]);
    assert!(!home.data().exists(), "what could not begin made nothing");
    as_nobody(&home, &copy, &["import", "shop.pcap"]).done();
    let told = as_nobody(&home, &copy, &["doctor"]).done();
    assert!(told.contains("--   live capture"), "{told}");
    let rows = as_nobody(&home, &copy, &["calls", "-o", "json"]).json();
    assert_eq!(rows.as_array().map(Vec::len), Some(20));
}

#[test]
fn a_directory_that_cannot_be_written_is_told_with_the_way_out() {
    if is_root() && !has("setpriv") {
        return skipped("setpriv", "this is root, who may write everywhere, and there is no setpriv");
    }
    let home = Home::new();
    std::fs::set_permissions(home.directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let copy = home.path("wirewise");
    std::fs::copy(program(), &copy).unwrap();
    home.file("shop.pcap", orders(20).pcap());
    std::fs::create_dir(home.path("closed")).unwrap();
    std::fs::set_permissions(home.path("closed"), std::fs::Permissions::from_mode(0o555)).unwrap();
    as_nobody(&home, &copy, &["import", "shop.pcap", "--data", "closed/data"])
        .fails(1, &["closed/data", "--data"]);
    as_nobody(&home, &copy, &["up", "--no-capture", "--listen", "127.0.0.1:0", "--data", "closed/data"])
        .fails(1, &["closed/data", "--data"]);
    home.file("file", "not a directory");
    home.run(&["import", "shop.pcap", "--data", "file"]).fails(1, &["file", "--data"]);
    home.run(&["import", "shop.pcap", "--data", "file/data"]).fails(1, &["file/data", "--data"]);
}

/// A disk of a few megabytes, in a mount namespace of its own.
#[test]
fn a_full_disk_is_told_and_nothing_acknowledged_is_lost() {
    let mounts = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !mounts.is_ok_and(|output| output.status.success()) {
        return skipped("mount namespace", "no small disk can be mounted here (needs root and unshare)");
    }
    let home = Home::new();
    home.file("shop.pcap", orders(12_000).pcap());
    std::fs::create_dir(home.path("disk")).unwrap();
    home.file(
        "script.sh",
        "mount -t tmpfs -o size=1m none disk || exit 9\n\
         \"$0\" import shop.pcap --data disk/d >/dev/null 2>full; echo $? >code\n\
         \"$0\" query 'SELECT count(*) AS n, count(DISTINCT call_id) AS m FROM calls' --data disk/d -o json >kept 2>&1\n\
         mount -o remount,size=200m disk\n\
         \"$0\" import shop.pcap --data disk/d -o json >again 2>&1\n\
         \"$0\" query 'SELECT count(*) AS n, count(DISTINCT call_id) AS m FROM calls' --data disk/d -o json >all 2>&1\n",
    );
    let mut command = Command::new("unshare");
    home.dress(&mut command);
    command.args(["--mount", "sh", "-c", ". ./script.sh"]).arg(program());
    let ran = Ran::of("a full disk".to_owned(), &command.output().unwrap());
    ran.done();
    let read = |name: &str| std::fs::read_to_string(home.path(name)).unwrap();
    assert_eq!(read("code"), "1\n", "{}", read("full"));
    assert!(
        read("full").contains("no space left in") && read("full").contains("free some"),
        "{}",
        read("full")
    );
    assert!(!read("full").contains("panicked"), "{}", read("full"));
    // What was acknowledged before, once each; and the rest when there is room.
    let kept = read("kept");
    if !kept.contains("no data at") {
        let rows: Value = serde_json::from_str(&kept).unwrap_or_else(|error| panic!("{error}: {kept}"));
        assert_eq!(rows[0]["n"], rows[0]["m"], "{kept}");
        assert!(rows[0]["n"].as_u64().unwrap() < 12_000, "the disk was not full: {kept}");
    }
    let all: Value =
        serde_json::from_str(&read("all")).unwrap_or_else(|error| panic!("{error}: {}", read("all")));
    assert_eq!(all, json!([{"n": 12_000, "m": 12_000}]), "{}", read("again"));
}
