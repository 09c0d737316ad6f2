//! Nothing that was acknowledged is lost, and nothing is there twice: after a kill, after a power cut, on a full disk,
//! and with damage that nobody foresaw.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::json;

use super::faults::{Faults, Random};
use super::*;
use crate::TailLimits;
use crate::disk::Disk;

/// Rows of each batch below: the batch `n` holds the calls from `n * ROWS` on.
const ROWS: u64 = 20;

fn numbered(sequence: u64) -> Batch {
    let numbers = sequence * ROWS..(sequence + 1) * ROWS;
    let mut batch = batch("live", sequence, numbers.clone());
    batch.flows = vec![flow(sequence)];
    batch
}

/// Small enough that files are made, and merged, all the time.
fn busy() -> StoreOptions {
    StoreOptions {
        tail: TailLimits { rows: 150, ..TailLimits::default() },
        threads: 1,
        upkeep: true,
        ..quiet()
    }
}

/// How many whole batches there are. Every acknowledged one must be whole, none may be cut or there twice.
async fn n_whole(store: &Store, acknowledged: u64) -> u64 {
    let sql = "SELECT count(*), count(DISTINCT call_id), count(DISTINCT request_frames[1]), coalesce(max(request_frames[1]), -1) FROM calls";
    let row = rows_of(store, "live", sql).await.remove(0);
    let [rows, ids, frames, last] = row.each_ref_as_i64();
    // Batches come in order, so that they are all of them up to the last.
    assert_eq!((rows, ids, frames), (ids, frames, rows), "a row is there twice");
    assert_eq!(rows as u64 % ROWS, 0, "a batch is there in part");
    let n_batches = rows as u64 / ROWS;
    assert_eq!(last, n_batches as i64 * ROWS as i64 * 2 - 1, "a batch is missing below the last");
    assert!(n_batches >= acknowledged, "{acknowledged} batches were acknowledged, {n_batches} are there");
    assert_eq!(number(store, "SELECT count(DISTINCT flow_id) FROM flows").await as u64, n_batches);
    assert_eq!(number(store, "SELECT count(*) FROM payloads").await as u64, n_batches * ROWS * 2);
    n_batches
}

trait Numbers {
    fn each_ref_as_i64(&self) -> [i64; 4];
}

impl Numbers for Vec<Value> {
    fn each_ref_as_i64(&self) -> [i64; 4] {
        [0, 1, 2, 3].map(|index| self[index].as_i64().unwrap())
    }
}

/// Sending the last ones again adds nothing.
async fn send_again(store: &Store, n_batches: u64) {
    for sequence in n_batches.saturating_sub(3)..n_batches {
        assert!(store.append(numbered(sequence)).await.unwrap().duplicate);
    }
    assert_eq!(n_whole(store, n_batches).await, n_batches);
}

const CHILD: &str = "WIREWISE_STORE_APPENDS_IN";

/// What the killed process does: appends, flushes and merges until it is killed, telling every acknowledgement.
async fn append_until_killed(dir: &Path) -> ! {
    let store = Arc::new(Store::open(dir, busy()).await.unwrap());
    let keeper = store.clone();
    tokio::spawn(async move {
        loop {
            keeper.flush().await.unwrap();
            keeper.maintain().await.unwrap();
        }
    });
    let known = rows_of(&store, "live", "SELECT count(*) FROM calls").await;
    let mut sequence = known[0][0].as_u64().unwrap() / ROWS;
    loop {
        store.append(numbered(sequence)).await.unwrap();
        sequence += 1;
        writeln!(std::io::stdout(), "\nacknowledged {sequence}").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_kill_at_any_moment() {
    const KILLS: u64 = 50;
    if let Some(dir) = std::env::var_os(CHILD) {
        append_until_killed(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.append(numbered(0)).await.unwrap();
    drop(store);
    let (mut acknowledged, mut random) = (1, Random(9));
    let name = "tests::kill::nothing_acknowledged_is_lost_by_a_kill_at_any_moment";
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // After so many acknowledgements: whatever it does at that moment is not finished. None: while it opens.
        let after = random.below(25);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        while heard < after {
            let Some(line) = lines.next() else {
                let mut why = String::new();
                std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut why).unwrap();
                panic!("kill {kill}: the child ended: {why}");
            };
            if let Some(number) = line.unwrap().strip_prefix("acknowledged ") {
                acknowledged = number.parse().unwrap();
                heard += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts as well.
        for line in lines {
            if let Some(number) =
                line.unwrap().strip_prefix("acknowledged ").and_then(|text| text.parse().ok())
            {
                acknowledged = number;
            }
        }
        let store = open(dir.path()).await;
        let n_batches = n_whole(&store, acknowledged).await;
        assert!(n_batches <= acknowledged + 1, "kill {kill}: {n_batches} of {acknowledged}");
        send_again(&store, n_batches).await;
    }
    assert!(acknowledged > KILLS * 5, "only {acknowledged} batches in all");
}

/// Appends with flushes and merges until something fails. Returns how many batches were acknowledged.
async fn append_until_it_fails(disk: &Disk, dir: &Path, most: u64) -> u64 {
    let Ok(store) = Store::open_on(disk.clone(), dir, StoreOptions { upkeep: false, ..busy() }) else {
        return 0;
    };
    for sequence in 0..most {
        // Upkeep may fail where appends do not: a broken disk is found by whoever touches it first.
        if sequence % 3 == 2 {
            let _ = store.flush().await;
        }
        if sequence % 10 == 9 {
            let _ = store.maintain().await;
        }
        if store.append(numbered(sequence)).await.is_err() {
            return sequence;
        }
    }
    store.close().await;
    most
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_power_cut_at_any_operation() {
    const BATCHES: u64 = 40;
    const CUTS: u64 = 80;
    let with = |faults: Faults| Disk { faults: Some(Arc::new(faults)) };
    let dir = tempfile::tempdir().unwrap();
    let whole = with(Faults::default());
    assert_eq!(append_until_it_fails(&whole, dir.path(), BATCHES).await, BATCHES);
    let n_operations = whole.faults.unwrap().done();
    assert!(n_operations > CUTS * 2, "{n_operations} operations");
    let mut random = Random(10);
    let mut n_lost = 0;
    for cut in 0..CUTS {
        let dir = tempfile::tempdir().unwrap();
        let after = n_operations * cut / CUTS + random.below(n_operations / CUTS);
        let disk = with(Faults::power_cut(after));
        let acknowledged = append_until_it_fails(&disk, dir.path(), BATCHES).await;
        disk.faults.as_ref().unwrap().lose_what_was_not_synced(random.below(u64::MAX));
        let store = Store::open(dir.path(), StoreOptions { upkeep: false, ..busy() })
            .await
            .unwrap_or_else(|error| panic!("cut after {after}: {error}"));
        if store.resolve_dataset(Some("live")).is_ok() {
            let n_batches = n_whole(&store, acknowledged).await;
            assert!(n_batches <= acknowledged + 1, "cut after {after}: {n_batches} of {acknowledged}");
            send_again(&store, n_batches).await;
        } else {
            assert_eq!(acknowledged, 0, "cut after {after}");
        }
        n_lost += BATCHES - acknowledged;
        // The sender starts over; all of it is there once in the end.
        for sequence in 0..BATCHES {
            store.append(numbered(sequence)).await.unwrap();
            if sequence % 7 == 0 {
                store.flush().await.unwrap();
            }
        }
        assert_eq!(n_whole(&store, BATCHES).await, BATCHES, "cut after {after}");
        store.maintain().await.unwrap();
        store.close().await;
        let store = open(dir.path()).await;
        assert_eq!(n_whole(&store, BATCHES).await, BATCHES, "cut after {after}");
    }
    assert!(n_lost > BATCHES, "the cuts came too late to matter");
}

/// A process that dies twice: the second time while it cleans up after the first.
#[tokio::test]
async fn a_power_cut_while_opening_loses_nothing_either() {
    let with = |faults: Faults| Disk { faults: Some(Arc::new(faults)) };
    for (first, second) in [(150, 1), (200, 2), (250, 3), (300, 5), (350, 8), (400, 13), (450, 21)] {
        let dir = tempfile::tempdir().unwrap();
        let disk = with(Faults::power_cut(first));
        let acknowledged = append_until_it_fails(&disk, dir.path(), 60).await;
        disk.faults.as_ref().unwrap().lose_what_was_not_synced(first);
        let disk = with(Faults::power_cut(second));
        if let Ok(store) = Store::open_on(disk.clone(), dir.path(), quiet()) {
            let _ = store.append(numbered(acknowledged)).await;
        }
        disk.faults.as_ref().unwrap().lose_what_was_not_synced(second);
        let store = open(dir.path()).await;
        let n_batches = n_whole(&store, acknowledged).await;
        send_again(&store, n_batches).await;
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_lost_by_it() {
    let faults = Arc::new(Faults::default());
    let disk = Disk { faults: Some(faults.clone()) };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_on(disk, dir.path(), StoreOptions { upkeep: false, ..busy() }).unwrap();
    store.append(numbered(0)).await.unwrap();
    let mut acknowledged = 1;
    let mut random = Random(11);
    let mut n_full = 0;
    for round in 0..30 {
        // From none at all over half a record to a few records and files.
        faults.set_room(Some(random.below(1 << (4 + round % 15))));
        let refused = loop {
            match store.append(numbered(acknowledged)).await {
                Ok(ack) => assert!(!ack.duplicate),
                Err(error) => break error,
            }
            acknowledged += 1;
        };
        assert!(matches!(&refused, StoreError::Full { dir: told } if told == dir.path()), "{refused:?}");
        assert!(refused.to_string().starts_with("no space left in"), "{refused}");
        assert_eq!(n_whole(&store, acknowledged).await, acknowledged, "round {round}");
        // Files do not fit either; the log keeps what they would hold.
        faults.set_room(Some(random.below(8_000)));
        if let Err(error) = store.flush().await {
            assert!(matches!(error, StoreError::Full { .. }), "round {round}: {error:?}");
            n_full += 1;
        }
        // Room returns, and it goes on with the batch that was refused.
        faults.set_room(None);
        assert!(!store.append(numbered(acknowledged)).await.unwrap().duplicate);
        acknowledged += 1;
        if round % 3 == 0 {
            store.flush().await.unwrap();
            store.maintain().await.unwrap();
        }
        assert_eq!(n_whole(&store, acknowledged).await, acknowledged, "round {round}");
    }
    assert!(n_full > 5, "files met a full disk {n_full} times only");
    faults.set_room(Some(0));
    // Closing on a full disk: the log keeps what is not in files.
    store.close().await;
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(n_whole(&store, acknowledged).await, acknowledged);
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".parquet")), "{left:?}");
}

/// A tail that cannot become files grows to its bound, then appends say so; it shrinks again by itself.
#[tokio::test]
async fn a_tail_that_cannot_become_files_is_bounded() {
    let faults = Arc::new(Faults::default());
    let disk = Disk { faults: Some(faults.clone()) };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_on(disk, dir.path(), StoreOptions { upkeep: false, ..busy() }).unwrap();
    faults.refuse("parquet");
    let mut acknowledged = 0;
    let refused = loop {
        match store.append(numbered(acknowledged)).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        let error = store.flush().await.unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert!(acknowledged < 1_000, "the tail has no bound");
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    assert_eq!(n_whole(&store, acknowledged).await, acknowledged);
    faults.refuse("nothing");
    store.flush().await.unwrap();
    store.append(numbered(acknowledged)).await.unwrap();
    assert_eq!(n_whole(&store, acknowledged + 1).await, acknowledged + 1);
}

/// The path and bytes of the only log.
fn log_of(dir: &Path) -> (std::path::PathBuf, Vec<u8>) {
    let [path]: [std::path::PathBuf; 1] = std::fs::read_dir(dir.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

#[tokio::test]
async fn a_log_that_is_cut_anywhere_gives_the_records_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut ends = Vec::new();
    let store = open(dir.path()).await;
    for sequence in 0..5 {
        store.append(numbered(sequence)).await.unwrap();
        ends.push(log_of(dir.path()).1.len());
    }
    drop(store);
    let (path, whole) = log_of(dir.path());
    let mut random = Random(12);
    let mut cuts: Vec<usize> = (0..25).map(|_| random.below(whole.len() as u64) as usize).collect();
    cuts.extend(ends.iter().flat_map(|&end| [end - 1, end]));
    cuts.extend([0, 7, 8, 9]);
    for cut in cuts {
        for garbage in [0, 3, 5_000] {
            let mut bytes = whole[..cut].to_vec();
            bytes.extend((0..garbage).map(|_| random.below(256) as u8));
            std::fs::write(&path, &bytes).unwrap();
            let expect = ends.iter().filter(|&&end| end <= cut).count();
            let store = Store::open_existing(dir.path(), quiet()).await.unwrap();
            let found = match store.resolve_dataset(Some("live")) {
                Ok(_) => n_whole(&store, expect as u64).await,
                Err(_) => 0,
            };
            assert_eq!(found as usize, expect, "cut at {cut} of {}", whole.len());
        }
    }
    // And it goes on from there.
    std::fs::write(&path, &whole[..ends[2] + 100]).unwrap();
    let store = open(dir.path()).await;
    assert_eq!(n_whole(&store, 3).await, 3);
    for sequence in 0..6 {
        assert_eq!(store.append(numbered(sequence)).await.unwrap().duplicate, sequence < 3);
    }
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(n_whole(&store, 6).await, 6);
}

/// Damage before what was synced later is no torn end: rows that were acknowledged are gone, and that is said.
#[tokio::test]
async fn a_log_that_is_damaged_within_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut ends = Vec::new();
    for sequence in 0..4 {
        store.append(numbered(sequence)).await.unwrap();
        ends.push(log_of(dir.path()).1.len());
    }
    drop(store);
    let (path, whole) = log_of(dir.path());
    for place in [3, ends[0] + 1, ends[0] + 20, ends[0] + 2_000, ends[1] + 4, ends[2] - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();
        for error in [Store::open(dir.path(), quiet()).await, Store::open_existing(dir.path(), quiet()).await]
        {
            let error = error.expect_err(&format!("byte {place}"));
            assert!(
                matches!(&error, StoreError::Unreadable { path: named, .. } if *named == path),
                "{error:?}"
            );
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "what can still be rescued stays");
    }
    std::fs::write(&path, &whole).unwrap();
    let store = open(dir.path()).await;
    assert_eq!(n_whole(&store, 4).await, 4);
    assert_eq!(rows_of(&store, "live", "SELECT count(*) FROM calls").await, [[json!(4 * ROWS)]]);
}

#[tokio::test]
async fn a_log_of_another_form_is_refused_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.append(numbered(0)).await.unwrap();
    drop(store);
    let (path, mut bytes) = log_of(dir.path());
    for form in [1, 3] {
        bytes.truncate(8);
        bytes[7] = form;
        bytes.extend_from_slice(b"records that this version cannot read");
        std::fs::write(&path, &bytes).unwrap();
        let error = Store::open(dir.path(), quiet()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unreadable { path: named, .. } if *named == path), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_is_named_and_nothing_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.append(numbered(0)).await.unwrap();
    store.close().await;
    let path = dir.path().join("manifest.json");
    let whole = std::fs::read(&path).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"", b"{}", b"\0\0\0\0"] {
        std::fs::write(&path, bytes).unwrap();
        let error = Store::open(dir.path(), quiet()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unreadable { path: named, .. } if *named == path), "{error:?}");
    }
    std::fs::write(&path, whole).unwrap();
    let store = open(dir.path()).await;
    assert_eq!(n_whole(&store, 1).await, 1);
}
