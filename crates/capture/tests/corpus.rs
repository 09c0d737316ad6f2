//! Every capture of the shared corpus is read whole: as many packets as its manifest says, books balanced.

use std::path::Path;

use wirewise_capture::{FileSource, FrameSource};
use wirewise_model::Ledger;

#[test]
fn packet_counts_equal_the_manifest() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    let Ok(manifest) = std::fs::read_to_string(folder.join("MANIFEST.tsv")) else {
        let missing = format!("no capture corpus at {}", folder.display());
        assert!(std::env::var("WIREWISE_REQUIRE").as_deref() != Ok("all"), "{missing}");
        eprintln!("SKIPPED(captures): {missing}");
        return;
    };
    let mut lines = manifest.lines();
    let header: Vec<&str> = lines.next().expect("a header").split('\t').collect();
    let column = |name| header.iter().position(|&column| column == name).expect("a known column");
    let (file, packets, sha256) = (column("file"), column("packets"), column("sha256"));
    let mut differing = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let mut source = FileSource::open(&folder.join(fields[file])).expect(fields[file]);
        let mut last = 0;
        while let Some(frame) = source.next().expect(fields[file]) {
            // Not always the next: custom blocks have numbers too.
            assert!(frame.number.0 > last, "{}", fields[file]);
            assert!(frame.bytes.len() <= frame.original_len as usize);
            last = frame.number.0;
        }
        let books = source.books();
        let mut ledger = Ledger::default();
        ledger.add(&books);
        ledger.check().expect(fields[file]);
        assert_eq!(source.digest(), fields[sha256], "{}", fields[file]);
        let expected: u64 = fields[packets].parse().expect("a number");
        if books.passed_on != expected {
            differing.push((fields[file].to_owned(), expected, books, source.warnings().to_vec()));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}
