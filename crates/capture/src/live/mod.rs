//! Live capture: AF_PACKET sockets with TPACKET_V3 rings, one for each network namespace.
//!
//! A socket hears every interface of its namespace, so one that comes later is heard from its first frame; a
//! filter in the kernel leaves out the interfaces that were not asked for, the product's own traffic, and the
//! second sight that loopback gives of each packet. What the kernel drops because the ring is full stands in
//! the books. The card's VLAN tag is put back where it was; frames longer than the MTU (GRO) come whole.

mod heard;
mod netlink;
mod netns;
mod ring;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use wirewise_model::{Books, Frame, InterfaceId, PacketNumber, Reason, Stage};

use crate::filter::{Expression, Selection, compile};
use crate::{CaptureError, sys};
use heard::Frames;
use netlink::{Link, Netlink};
pub use netns::Netns;
use ring::{Geometry, Ring};

const KERNEL_DROP: Reason = Reason::loss("kernel_drop");
const NOT_IP: Reason = Reason::skip("link_without_ip");

/// Namespaces that are heard at once: interface ids have 8 bits for them, and each has a ring of 64 MiB.
const MAX_NAMESPACES: usize = 64;

/// What to hear.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Interfaces by name; none is all of them.
    pub interfaces: Vec<String>,
    /// Namespaces; none is the one of the calling thread.
    pub netns: Vec<Netns>,
    /// A capture filter, as [`crate::check_filter`] understands it.
    pub filter: Option<String>,
    /// Where this product itself listens: its own traffic is not heard.
    pub own: Vec<SocketAddr>,
    /// Blocks of a ring. When all are full the kernel drops, and counts.
    pub blocks: u32,
    /// Bytes of a block: a power of two of at least a page. No frame can be longer.
    pub block_bytes: u32,
    /// How long the kernel waits for a block to fill before it hands it over.
    pub retire: Duration,
}

impl Default for LiveOptions {
    /// 64 blocks of 1 MiB, handed over after 10 ms: no drop at 140,000 packets a second on two busy cores.
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            netns: Vec::new(),
            filter: None,
            own: Vec::new(),
            blocks: 64,
            block_bytes: 1 << 20,
            retire: Duration::from_millis(10),
        }
    }
}

/// An interface that is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// As frames name it: the kernel's index, with the namespace's place in the options in the upper 8 bits.
    pub id: InterfaceId,
    /// Its name.
    pub name: String,
    /// Its namespace, where one was asked for.
    pub netns: Option<String>,
    /// Whether it is up.
    pub up: bool,
}

/// Something that happened to an interface since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It came, or went up.
    Up(InterfaceInfo),
    /// It went down; frames come again when it is up.
    Down(InterfaceInfo),
    /// It is gone; one of the same name will be heard when it comes.
    Gone(InterfaceInfo),
}

/// One namespace's ring.
struct Ear {
    place: u32,
    netns: Option<String>,
    ring: Ring,
    netlink: Netlink,
    links: Vec<Link>,
}

/// Rings that are open, and what they said so far.
pub struct LiveSource {
    ears: Vec<Ear>,
    interfaces: Vec<String>,
    expression: Expression,
    own: Vec<SocketAddr>,
    local: BTreeSet<IpAddr>,
    number: u64,
    cut_frames: u64,
    freezes: u64,
    books: Books,
    /// Where a frame is put together whose VLAN tag the card took off.
    tagged: Vec<u8>,
}

impl LiveSource {
    /// Opens the rings. This is all that needs privileges; see [`crate::become_caller`].
    pub fn open(options: &LiveOptions) -> Result<Self, CaptureError> {
        let expression = Expression::parse(options.filter.as_deref().unwrap_or(""))?;
        // Before anything is opened: a filter that is too long is the user's to mend.
        compile(&Selection {
            expression: expression.clone(),
            own: &options.own,
            interfaces: Some(&[0; 64]),
        })?;
        let geometry = Geometry {
            blocks: options.blocks.clamp(2, 1 << 16),
            block_bytes: options.block_bytes.next_power_of_two().clamp(1 << 16, 1 << 24),
            retire_millis: u32::try_from(options.retire.as_millis()).unwrap_or(10).clamp(1, 1_000),
        };
        let mut source = Self {
            ears: Vec::new(),
            interfaces: options.interfaces.clone(),
            expression,
            own: options.own.clone(),
            local: BTreeSet::new(),
            number: 0,
            cut_frames: 0,
            freezes: 0,
            books: Books::new(Stage::Capture),
            tagged: Vec::new(),
        };
        if options.netns.is_empty() {
            source.ears.push(listen(0, None, geometry)?);
        }
        for (netns, place) in options.netns.iter().take(MAX_NAMESPACES).zip(0..) {
            source.ears.push(netns.within(|| listen(place, Some(netns.name().to_owned()), geometry))??);
        }
        source.demand_interfaces()?;
        for ear in &source.ears {
            source.attach(ear)?;
            ear.ring.start().map_err(CaptureError::system("start hearing packets"))?;
        }
        source.learn_addresses();
        Ok(source)
    }

    /// Waits for frames at most `timeout`, and hands on what is there. Gives how many that were; zero is a
    /// quiet time. Returns at the latest after one round of the rings, so that the caller can do other things.
    pub fn hear(&mut self, timeout: Duration, mut on: impl FnMut(Frame<'_>)) -> Result<u64, CaptureError> {
        let sockets: Vec<_> = self.ears.iter().map(|ear| ear.ring.socket().as_raw_fd()).collect();
        let events = sys::poll(&sockets, timeout).map_err(CaptureError::system("poll"))?;
        let before = self.number;
        for (ear, events) in self.ears.iter_mut().zip(events) {
            if events & (libc::POLLERR | libc::POLLNVAL) != 0 {
                // ENETDOWN and the like: said once, cleared by reading it, and the ring goes on.
                match sys::pending_error(ear.ring.socket()) {
                    Ok(0) => {}
                    Ok(code) => {
                        let error = io::Error::from_raw_os_error(code);
                        tracing::warn!(netns = ear.netns, %error, "packet socket complains");
                    }
                    Err(source) => return Err(CaptureError::System { call: "getsockopt", source }),
                }
            }
            // One round at most: a flood in one namespace must not starve the others, nor the caller.
            let mut round = 0;
            while round < 64
                && let Some(block) = ear.ring.block()
            {
                round += 1;
                for heard in Frames::new(&block) {
                    self.books.take(1);
                    let Some(link) = heard.link else {
                        self.books.drop(NOT_IP, 1);
                        continue;
                    };
                    let mut frame = Frame {
                        at: heard.at,
                        interface: InterfaceId((ear.place << 24) | (heard.interface & 0x00ff_ffff)),
                        number: PacketNumber(self.number + 1),
                        link,
                        direction: heard.direction,
                        bytes: heard.bytes,
                        original_len: heard.original_len,
                    };
                    if let (Some(tag), Some((addresses, rest))) =
                        (heard.vlan, heard.bytes.split_at_checked(12))
                    {
                        self.tagged.clear();
                        self.tagged.extend_from_slice(addresses);
                        self.tagged.extend_from_slice(&tag);
                        self.tagged.extend_from_slice(rest);
                        frame.bytes = &self.tagged;
                        frame.original_len = frame.original_len.saturating_add(4);
                    }
                    self.number += 1;
                    self.cut_frames += u64::from(frame.original_len as usize > frame.bytes.len());
                    self.books.pass(1);
                    on(frame);
                }
            }
        }
        Ok(self.number - before)
    }

    /// The books, with what the kernel dropped up to now.
    pub fn books(&mut self) -> Result<Books, CaptureError> {
        for ear in &self.ears {
            let statistics = sys::ring_statistics(ear.ring.socket())
                .map_err(CaptureError::system("read ring statistics"))?;
            self.books.take(u64::from(statistics.drops));
            self.books.drop(KERNEL_DROP, u64::from(statistics.drops));
            self.freezes += u64::from(statistics.freezes);
        }
        Ok(self.books.clone())
    }

    /// How often a ring stood still because all its blocks were full, as of the last look at the books.
    pub fn freezes(&self) -> u64 {
        self.freezes
    }

    /// Frames whose tail did not fit a block.
    pub fn cut_frames(&self) -> u64 {
        self.cut_frames
    }

    /// Addresses of the hosts and namespaces that are heard, as of the last [`LiveSource::refresh`].
    pub fn local_addresses(&self) -> &BTreeSet<IpAddr> {
        &self.local
    }

    /// The interfaces that are heard.
    pub fn interfaces(&self) -> Vec<InterfaceInfo> {
        let chosen = |ear: &Ear| {
            let links = ear.links.iter().filter(|link| self.chosen(&link.name));
            links.map(|link| info(ear, link)).collect::<Vec<_>>()
        };
        self.ears.iter().flat_map(chosen).collect()
    }

    /// Looks at interfaces and addresses again: about once a second. Chosen interfaces that came again under
    /// a new index are heard from here on.
    pub fn refresh(&mut self) -> Result<Vec<Change>, CaptureError> {
        let mut changes = Vec::new();
        for index in 0..self.ears.len() {
            let ear = &mut self.ears[index];
            let Ok(links) = ear.netlink.links() else { continue };
            if links == ear.links {
                continue;
            }
            let before = std::mem::replace(&mut ear.links, links);
            let ear = &self.ears[index];
            for link in ear.links.iter().filter(|link| self.chosen(&link.name)) {
                let was_up = before.iter().any(|old| old.index == link.index && old.up);
                match (was_up, link.up) {
                    (false, true) => changes.push(Change::Up(info(ear, link))),
                    (true, false) => changes.push(Change::Down(info(ear, link))),
                    (true, true) | (false, false) => {}
                }
            }
            for old in before.iter().filter(|link| self.chosen(&link.name)) {
                if !ear.links.iter().any(|link| link.index == old.index) {
                    changes.push(Change::Gone(info(ear, old)));
                }
            }
            if !self.interfaces.is_empty() {
                self.attach(ear)?;
            }
        }
        self.learn_addresses();
        Ok(changes)
    }

    fn chosen(&self, name: &str) -> bool {
        self.interfaces.is_empty() || self.interfaces.iter().any(|chosen| chosen == name)
    }

    fn demand_interfaces(&self) -> Result<(), CaptureError> {
        let known = || self.ears.iter().flat_map(|ear| &ear.links).map(|link| link.name.as_str());
        for name in &self.interfaces {
            if !known().any(|known| known == name) {
                let known = known().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ");
                return Err(CaptureError::NoInterface { name: name.clone(), known });
            }
        }
        Ok(())
    }

    fn attach(&self, ear: &Ear) -> Result<(), CaptureError> {
        let chosen: Option<Vec<u32>> = (!self.interfaces.is_empty()).then(|| {
            ear.links.iter().filter(|link| self.chosen(&link.name)).map(|link| link.index).collect()
        });
        let selection =
            Selection { expression: self.expression.clone(), own: &self.own, interfaces: chosen.as_deref() };
        ear.ring.filter(&compile(&selection)?).map_err(CaptureError::system("set the capture filter"))
    }

    fn learn_addresses(&mut self) {
        let addresses = self.ears.iter().filter_map(|ear| ear.netlink.addresses().ok()).flatten();
        let addresses: BTreeSet<IpAddr> = addresses.collect();
        if !addresses.is_empty() {
            self.local = addresses;
        }
    }
}

fn info(ear: &Ear, link: &Link) -> InterfaceInfo {
    InterfaceInfo {
        id: InterfaceId((ear.place << 24) | (link.index & 0x00ff_ffff)),
        name: link.name.clone(),
        netns: ear.netns.clone(),
        up: link.up,
    }
}

/// Makes a ring in the namespace of the calling thread. It hears nothing yet.
fn listen(place: u32, netns: Option<String>, geometry: Geometry) -> Result<Ear, CaptureError> {
    let ring = Ring::new(geometry).map_err(CaptureError::system("open a packet socket"))?;
    let netlink = Netlink::open().map_err(CaptureError::system("open a netlink socket"))?;
    let links = netlink.links().map_err(CaptureError::system("list the interfaces"))?;
    Ok(Ear { place, netns, ring, netlink, links })
}
