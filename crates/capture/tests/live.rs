//! The kernel's rings, tried for real: in network namespaces that the tests make and take away themselves.
//! Nothing of the machine's own interfaces is ever heard.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use wirewise_capture::{CaptureError, Change, LiveOptions, LiveSource, Netns, OwnedFrame};
use wirewise_model::{Direction, Ledger, LinkType};

/// A namespace of this test, taken away when it ends.
struct Namespace {
    name: String,
}

impl Namespace {
    /// `None` where this host does not allow it, having said so.
    fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wwtest-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        if let Err(reason) = ip(&["netns", "add", &name]) {
            assert!(
                std::env::var("WIREWISE_REQUIRE").as_deref() != Ok("all"),
                "a network namespace is required: {reason}"
            );
            eprintln!("SKIPPED(network namespaces): {reason}");
            return None;
        }
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"]);
        Some(namespace)
    }

    fn ip(&self, arguments: &[&str]) {
        let all = [&["-n", &self.name], arguments].concat();
        ip(&all).expect("ip runs in a namespace of our own");
    }

    fn netns(&self) -> Netns {
        Netns::new(&self.name)
    }

    fn udp(&self, address: &str) -> UdpSocket {
        self.netns().within(|| UdpSocket::bind(address)).unwrap().unwrap()
    }

    fn options(&self) -> LiveOptions {
        LiveOptions { netns: vec![self.netns()], ..LiveOptions::default() }
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

/// Hears until `count` frames came or were dropped, or nothing more came for too long.
fn hear(source: &mut LiveSource, count: u64) -> Vec<OwnedFrame> {
    hear_until(source, |source, _| source.books().unwrap().taken_in >= count)
}

/// Hears until it is enough, or nothing more came for too long.
fn hear_until(
    source: &mut LiveSource,
    mut enough: impl FnMut(&mut LiveSource, &[OwnedFrame]) -> bool,
) -> Vec<OwnedFrame> {
    let mut frames = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !enough(source, &frames) && Instant::now() < deadline {
        source.hear(Duration::from_millis(50), |frame| frames.push(OwnedFrame::from(frame))).unwrap();
    }
    // What should not come would come now.
    source.hear(Duration::from_millis(30), |frame| frames.push(OwnedFrame::from(frame))).unwrap();
    let mut ledger = Ledger::default();
    ledger.add(&source.books().unwrap());
    assert_eq!(ledger.check(), Ok(()));
    frames
}

#[test]
fn a_burst_on_loopback_is_heard_once_or_counted_as_dropped() {
    let Some(namespace) = Namespace::new() else { return };
    let (sender, receiver) = (namespace.udp("127.0.0.1:0"), namespace.udp("127.0.0.1:0"));
    let mut source = LiveSource::open(&namespace.options()).unwrap();
    let to = receiver.local_addr().unwrap();
    let sent = 100_000;
    let mut heard = 0;
    let mut bytes_right = true;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..sent {
                sender.send_to(&u64::to_be_bytes(n), to).unwrap();
            }
        });
        let deadline = Instant::now() + Duration::from_secs(30);
        while source.books().unwrap().taken_in < sent && Instant::now() < deadline {
            source
                .hear(Duration::from_millis(50), |frame| {
                    heard += 1;
                    bytes_right &= frame.number.0 == heard && frame.link == LinkType::ETHERNET;
                    bytes_right &= frame.bytes.len() == 14 + 20 + 8 + 8;
                })
                .unwrap();
        }
    });
    let books = source.books().unwrap();
    assert!(bytes_right);
    assert_eq!((books.taken_in, books.passed_on, books.lost()), (sent, heard, sent - heard));
    eprintln!("burst of {sent}: {heard} heard, {} dropped by the kernel", books.lost());
}

#[test]
fn what_a_full_ring_drops_stands_in_the_books() {
    let Some(namespace) = Namespace::new() else { return };
    let (sender, receiver) = (namespace.udp("127.0.0.1:0"), namespace.udp("127.0.0.1:0"));
    let options = LiveOptions { blocks: 2, block_bytes: 1 << 16, ..namespace.options() };
    let mut source = LiveSource::open(&options).unwrap();
    for _ in 0..5_000 {
        sender.send_to(&[0; 1_000], receiver.local_addr().unwrap()).unwrap();
    }
    let heard = hear(&mut source, 5_000).len() as u64;
    let books = source.books().unwrap();
    assert_eq!((books.taken_in, books.passed_on), (5_000, heard));
    assert!(heard > 0 && books.lost() > 4_000, "{books:?}");
    assert!(source.freezes() > 0);
}

#[test]
fn a_filter_and_the_own_port_leave_out_the_rest() {
    let Some(namespace) = Namespace::new() else { return };
    let listen = || namespace.netns().within(|| TcpListener::bind("127.0.0.1:0")).unwrap().unwrap();
    let (own, other) = (listen(), listen());
    let talk = |listener: &TcpListener, text: &[u8]| {
        let to: SocketAddr = listener.local_addr().unwrap();
        let mut client = namespace.netns().within(|| TcpStream::connect(to)).unwrap().unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(text).unwrap();
        let mut buffer = vec![0; text.len()];
        server.read_exact(&mut buffer).unwrap();
    };
    let (udp, sink) = (namespace.udp("127.0.0.1:0"), namespace.udp("127.0.0.1:0"));
    let mut all = LiveSource::open(&LiveOptions {
        own: vec![own.local_addr().unwrap()],
        filter: Some("tcp or udp".into()),
        ..namespace.options()
    })
    .unwrap();
    let filter = Some(format!("udp and dst port {}", sink.local_addr().unwrap().port()));
    let mut some = LiveSource::open(&LiveOptions { filter, ..namespace.options() }).unwrap();
    talk(&own, b"a question about traffic");
    talk(&other, b"an order of shoes");
    for _ in 0..3 {
        udp.send_to(b"to the sink", sink.local_addr().unwrap()).unwrap();
        sink.send_to(b"and back", udp.local_addr().unwrap()).unwrap();
    }
    let contains = |frames: &[OwnedFrame], text: &[u8]| {
        frames.iter().filter(|frame| frame.bytes.windows(text.len()).any(|window| window == text)).count()
    };
    let some = hear(&mut some, 3);
    assert_eq!((some.len(), contains(&some, b"to the sink")), (3, 3));
    // Six datagrams, SYN, SYN+ACK, ACK, the data and its ACK at least; what closes may come later.
    let all = hear(&mut all, 11);
    assert_eq!(contains(&all, b"to the sink") + contains(&all, b"and back"), 6);
    assert_eq!((contains(&all, b"an order of shoes"), contains(&all, b"a question")), (1, 0));
}

/// A UDP datagram to everybody on VLAN 7.
fn tagged_datagram() -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[0x81, 0, 0, 7, 8, 0]].concat();
    frame.extend([0x45, 0, 0, 34, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 78, 0, 1, 10, 78, 0, 255]);
    frame.extend([0, 7, 0, 7, 0, 14, 0, 0]);
    frame.extend(b"tagged");
    frame
}

/// Puts a frame on an interface of the calling thread's namespace, as it is.
#[allow(unsafe_code)]
fn send_raw(index: u32, frame: &[u8]) {
    // SAFETY: takes no pointers; what it returns is a descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)) };
    // SAFETY: all zeroes is a valid address structure.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = libc::AF_PACKET as u16;
    to.sll_ifindex = index as i32;
    to.sll_protocol = 0x8100_u16.to_be();
    let (address, length) = (std::ptr::from_ref(&to).cast(), size_of::<libc::sockaddr_ll>() as u32);
    // SAFETY: a live slice and a live address, with their lengths.
    let sent =
        unsafe { libc::sendto(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0, address, length) };
    assert_eq!(usize::try_from(sent).ok(), Some(frame.len()), "{}", std::io::Error::last_os_error());
}

/// A cable from `wl` in one namespace to `wr` in the other.
fn join(left: &Namespace, right: &Namespace) {
    let ends = format!("wl netns {} type veth peer name wr netns {}", left.name, right.name);
    let arguments: Vec<&str> = ["link", "add"].into_iter().chain(ends.split(' ')).collect();
    ip(&arguments).unwrap();
}

#[test]
fn two_namespaces_tags_long_frames_and_a_link_that_goes_down() {
    let (Some(left), Some(right)) = (Namespace::new(), Namespace::new()) else { return };
    join(&left, &right);
    for (namespace, link, last) in [(&left, "wl", 1), (&right, "wr", 2)] {
        namespace.ip(&["addr", "add", &format!("10.77.0.{last}/24"), "dev", link]);
        namespace.ip(&["link", "set", link, "up"]);
    }
    let (sender, receiver) = (left.udp("10.77.0.1:7000"), right.udp("10.77.0.2:7001"));
    let options = LiveOptions {
        interfaces: vec!["wl".into(), "wr".into()],
        netns: vec![left.netns(), right.netns()],
        filter: Some("ip and (udp or tcp)".into()),
        ..LiveOptions::default()
    };
    let mut source = LiveSource::open(&options).unwrap();
    assert_eq!(source.interfaces().len(), 2);
    for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 77, 0, 1), Ipv4Addr::new(10, 77, 0, 2)] {
        assert!(source.local_addresses().contains(&address.into()), "{address}");
    }

    sender.send_to(b"plain", receiver.local_addr().unwrap()).unwrap();
    let frames = hear(&mut source, 2);
    // Rings are emptied one after the other: order holds within a namespace.
    let mut told: Vec<_> = frames.iter().map(|frame| (frame.interface.0 >> 24, frame.direction)).collect();
    told.sort_by_key(|(namespace, _)| *namespace);
    assert_eq!(told, [(0, Direction::Out), (1, Direction::In)]);
    assert_eq!(frames[0].bytes, frames[1].bytes);

    // Sent with the tag in the frame; the receiving side's kernel takes it off before anybody hears.
    let tagged = tagged_datagram();
    let index = source.interfaces()[0].id.0;
    left.netns().within(|| send_raw(index, &tagged)).unwrap();
    let frames = hear(&mut source, 4);
    assert_eq!(frames.len(), 2);
    for frame in &frames {
        assert_eq!(frame.bytes, tagged, "the tag stands where it was sent");
        assert_eq!(frame.original_len as usize, frame.bytes.len());
    }

    let listener = right.netns().within(|| TcpListener::bind("10.77.0.2:0")).unwrap().unwrap();
    let to = listener.local_addr().unwrap();
    let mut client = left.netns().within(|| TcpStream::connect(to)).unwrap().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| client.write_all(&[7; 300_000]).unwrap());
        server.read_exact(&mut vec![0; 300_000]).unwrap();
    });
    let long = |frames: &[OwnedFrame]| frames.iter().any(|frame| frame.bytes.len() > 1_514);
    let frames = hear_until(&mut source, |_, frames| long(frames));
    assert!(long(&frames), "segments are joined before they are heard");
    assert_eq!(source.cut_frames(), 0);
    drop((client, server));

    right.ip(&["link", "set", "wr", "down"]);
    let changes = source.refresh().unwrap();
    assert!(
        changes.iter().any(|change| matches!(change, Change::Down(link) if link.name == "wr")),
        "{changes:?}"
    );
    right.ip(&["link", "del", "wr"]);
    let changes = source.refresh().unwrap();
    assert!(
        changes.iter().any(|change| matches!(change, Change::Gone(link) if link.name == "wl")),
        "{changes:?}"
    );
    // Another link of the same name, with another index, is heard again.
    join(&left, &right);
    left.ip(&["addr", "add", "10.77.0.1/24", "dev", "wl"]);
    right.ip(&["addr", "add", "10.77.0.2/24", "dev", "wr"]);
    left.ip(&["link", "set", "wl", "up"]);
    right.ip(&["link", "set", "wr", "up"]);
    let changes = source.refresh().unwrap();
    assert!(
        changes.iter().any(|change| matches!(change, Change::Up(link) if link.name == "wr")),
        "{changes:?}"
    );
    source.hear(Duration::ZERO, |_| {}).unwrap();
    sender.send_to(b"again", receiver.local_addr().unwrap()).unwrap();
    let again = |frames: &[OwnedFrame]| frames.iter().filter(|frame| frame.bytes.ends_with(b"again")).count();
    let frames = hear_until(&mut source, |_, frames| again(frames) == 2);
    assert_eq!(again(&frames), 2);
}

#[test]
fn wrong_names_are_told_with_the_right_ones() {
    let Some(namespace) = Namespace::new() else { return };
    let refused = |options: &LiveOptions| LiveSource::open(options).err().expect("refused");
    let error = refused(&LiveOptions { interfaces: vec!["eth7".into()], ..namespace.options() });
    assert_eq!(error.to_string(), "no interface eth7: expected one of lo");
    let error = refused(&LiveOptions { filter: Some("port http".into()), ..namespace.options() });
    assert!(matches!(error, CaptureError::Filter(_)), "{error}");
    let error = refused(&LiveOptions { netns: vec![Netns::new("wwtest-none")], ..LiveOptions::default() });
    assert!(error.to_string().starts_with("cannot enter network namespace wwtest-none: expected"), "{error}");
}
