//! What stands in a ring's block: `tpacket3_hdr`, then `sockaddr_ll`, then the frame (linux/if_packet.h).
//! Numbers are the host's; offsets count from the frame's own header. Nothing is trusted to lie inside.

use wirewise_model::{Direction, LinkType, Timestamp};

use super::ring::Block;

const HEADER_BYTES: usize = 48;
const VLAN_VALID: u32 = 1 << 4;
const VLAN_TPID_VALID: u32 = 1 << 6;
const OUTGOING: u8 = 4;
/// ARPHRD_ETHER, ARPHRD_LOOPBACK and ARPHRD_IEEE80211_RADIOTAP of linux/if_arp.h.
const ETHERNET: u16 = 1;
const LOOPBACK: u16 = 772;
const RADIOTAP: u16 = 803;

/// One frame of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard<'a> {
    pub(super) at: Timestamp,
    pub(super) interface: u32,
    /// `None` where the interface has no link header that is known, and what it carries is not IP.
    pub(super) link: Option<LinkType>,
    pub(super) direction: Direction,
    /// The tag that the card took off: protocol and control information.
    pub(super) vlan: Option<[u8; 4]>,
    pub(super) bytes: &'a [u8],
    pub(super) original_len: u32,
}

/// The frames of a block, in order.
pub(super) struct Frames<'b> {
    block: &'b Block<'b>,
    at: usize,
    left: u32,
}

impl<'b> Frames<'b> {
    pub(super) fn new(block: &'b Block<'b>) -> Self {
        let word = |offset| block.from(offset).and_then(|bytes| u32_at(bytes, 0)).unwrap_or(0);
        Self { block, at: word(16) as usize, left: word(12) }
    }
}

impl<'b> Iterator for Frames<'b> {
    type Item = Heard<'b>;

    fn next(&mut self) -> Option<Heard<'b>> {
        self.left = self.left.checked_sub(1)?;
        let bytes = self.block.from(self.at)?;
        let heard = parse(bytes)?;
        self.at = self.at.checked_add(u32_at(bytes, 0)? as usize)?;
        Some(heard)
    }
}

fn parse(bytes: &[u8]) -> Option<Heard<'_>> {
    let header = bytes.get(..HEADER_BYTES + 12)?;
    let kept = u32_at(header, 12)? as usize;
    let original_len = u32_at(header, 16)?;
    let status = u32_at(header, 20)?;
    let (mac, network) = (usize::from(u16_at(header, 24)?), usize::from(u16_at(header, 26)?));
    let address = &header[HEADER_BYTES..];
    let (hardware, packet_type) = (u16_at(address, 8)?, address[10]);
    let whole = bytes.get(mac..mac.checked_add(kept)?)?;
    let mut heard = Heard {
        at: Timestamp::from_parts(i64::from(u32_at(header, 4)?), i64::from(u32_at(header, 8)?)),
        interface: u32_at(address, 4)?,
        link: None,
        direction: if packet_type == OUTGOING { Direction::Out } else { Direction::In },
        vlan: None,
        bytes: whole,
        original_len: original_len.max(kept as u32),
    };
    match hardware {
        ETHERNET | LOOPBACK => {
            heard.link = Some(LinkType::ETHERNET);
            if status & VLAN_VALID != 0 {
                let protocol = if status & VLAN_TPID_VALID != 0 { u16_at(header, 36)? } else { 0x8100 };
                let tag = u32_at(header, 32)? as u16;
                let ([a, b], [c, d]) = (protocol.to_be_bytes(), tag.to_be_bytes());
                heard.vlan = Some([a, b, c, d]);
            }
        }
        RADIOTAP => heard.link = Some(LinkType(127)),
        _ => {
            // Tunnels, tun, ppp: from the network header on, where it is IP.
            let link_bytes = network.saturating_sub(mac).min(whole.len());
            heard.bytes = &whole[link_bytes..];
            heard.original_len = heard.original_len.saturating_sub(link_bytes as u32);
            heard.link = match [address[2], address[3]] {
                [0x08, 0x00] | [0x86, 0xdd] => Some(LinkType::RAW),
                _ => None,
            };
        }
    }
    Some(heard)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}
