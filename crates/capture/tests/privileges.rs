//! Root that sudo called becomes its caller for good. Runs in a process of its own, this test again.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::process::Command;

use wirewise_capture::{CaptureError, LiveOptions, LiveSource, Netns, Privileges, become_caller, caller};

const CHILD: &str = "WIREWISE_TEST_BECOMES_CALLER";

#[test]
fn sudo_s_caller_is_who_it_becomes_in_every_thread() {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    if Privileges::probe().uid != 0 {
        assert!(std::env::var("WIREWISE_REQUIRE").as_deref() != Ok("all"), "root is required");
        eprintln!("SKIPPED(root): only root can become another user");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sudo_s_caller_is_who_it_becomes_in_every_thread", "--nocapture"])
        .envs([(CHILD, "1"), ("SUDO_UID", "65534"), ("SUDO_GID", "65534")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn child() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (waiting, waits) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        waiting.send(()).unwrap();
        stopped.recv().ok();
        std::fs::read_to_string("/proc/thread-self/status").unwrap()
    });
    waits.recv().unwrap();
    assert_eq!(caller().unwrap().uid, 65_534);
    let became = become_caller().unwrap().expect("there is a caller");
    assert_eq!((became.uid, became.gid), (65_534, 65_534));
    drop(stop);
    let status = other.join().unwrap();
    assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    let after = Privileges::probe();
    assert_eq!((after.uid, after.caller, after.capabilities), (65_534, None, vec![]));
    assert!(after.packets.is_err());
    // Cannot hear a thing: the socket itself is refused, whatever namespace this is.
    let options = LiveOptions {
        interfaces: vec!["lo".into()],
        filter: Some("less 0".into()),
        ..LiveOptions::default()
    };
    let error = LiveSource::open(&options).err().expect("refused");
    assert!(matches!(error, CaptureError::NotPermitted { .. }), "{error}");
    assert!(error.to_string().contains("run under sudo"), "{error}");
    assert!(matches!(Netns::new("1").within(|| ()), Err(CaptureError::Netns { .. })));
    assert_eq!(become_caller().unwrap(), None);
}
