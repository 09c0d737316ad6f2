//! One TCP connection as Linux speaks it: options of the handshake, timestamps, segments of at most one Ethernet
//! frame, and bare acknowledgements of what was answered.

use anyhow::Result;
use wirewise_testkit::packet::{TcpSegment, tcp};

use super::dice;
use super::pcap::Pcap;

/// Payload of a full segment on Ethernet, with timestamps.
const SEGMENT: usize = 1448;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Client,
    Server,
}

/// One end.
struct End {
    address: String,
    /// The next sequence number.
    next: u32,
    /// Where its clock of timestamps began.
    clock: u32,
    /// Datagrams sent, for the identification of IPv4.
    sent: u32,
    /// The last timestamp that it had from the other end.
    echo: u32,
}

/// A connection.
pub(super) struct Tcp {
    ends: [End; 2],
}

impl Tcp {
    /// The handshake of the connection of that number, to a port of one of some servers.
    pub(super) fn open(writer: &mut Pcap, connection: u64, port: u16) -> Result<Self> {
        let end = |address: String, seed: u64| End {
            address,
            next: dice(seed) as u32,
            clock: dice(!seed) as u32,
            sent: dice(seed) as u32 >> 16,
            echo: 0,
        };
        // 50,000 pods; a connection more of each takes a port more.
        let client = format!(
            "10.1.{}.{}:{}",
            connection / 200 % 250,
            connection % 200 + 1,
            33_000 + connection / 50_000
        );
        let server = format!("10.2.0.{}:{port}", connection % 40 + 1);
        let mut tcp = Self { ends: [end(client, 2 * connection), end(server, 2 * connection + 1)] };
        tcp.send(writer, Who::Client, "S", &[])?;
        tcp.send(writer, Who::Server, "SA", &[])?;
        tcp.send(writer, Who::Client, "A", &[])?;
        Ok(tcp)
    }

    /// Bytes of the application.
    pub(super) fn say(&mut self, writer: &mut Pcap, who: Who, bytes: &[u8]) -> Result<()> {
        let mut pieces = bytes.chunks(SEGMENT).peekable();
        while let Some(piece) = pieces.next() {
            let flags = if pieces.peek().is_none() { "PA" } else { "A" };
            self.send(writer, who, flags, piece)?;
        }
        Ok(())
    }

    /// A bare acknowledgement of all that was heard.
    pub(super) fn acknowledge(&mut self, writer: &mut Pcap, who: Who) -> Result<()> {
        self.send(writer, who, "A", &[])
    }

    pub(super) fn close(mut self, writer: &mut Pcap) -> Result<()> {
        self.send(writer, Who::Client, "FA", &[])?;
        self.send(writer, Who::Server, "FA", &[])?;
        self.send(writer, Who::Client, "A", &[])
    }

    fn send(&mut self, writer: &mut Pcap, who: Who, flags: &str, bytes: &[u8]) -> Result<()> {
        let [client, server] = &mut self.ends;
        let (from, to) = match who {
            Who::Client => (client, server),
            Who::Server => (server, client),
        };
        let mut segment = tcp(&from.address, &to.address).seq(from.next).flags(flags).window(502);
        if flags.contains('A') {
            segment = segment.ack(to.next);
        }
        let stamp = from.clock.wrapping_add(writer.millis());
        let frame = Self::options(segment, flags.contains('S'), stamp, from.echo)
            .payload(bytes)
            .ip()
            .id(from.sent)
            .ethernet();
        to.echo = stamp;
        from.sent = from.sent.wrapping_add(1);
        let taken = bytes.len() as u32 + u32::from(flags.contains(['S', 'F']));
        from.next = from.next.wrapping_add(taken);
        writer.frame(&frame)
    }

    /// As Linux orders them: of a SYN the segment size, SACK, timestamps and the scale; of the rest the timestamps.
    fn options(segment: TcpSegment, opens: bool, stamp: u32, echo: u32) -> TcpSegment {
        let [stamp, echo] = [stamp, echo].map(u32::to_be_bytes);
        let timestamps = [&[8, 10][..], &stamp, &echo].concat();
        if opens {
            segment.mss(1460).options(&[4, 2]).options(&timestamps).options(&[1]).window_scale(7)
        } else {
            segment.options(&[1, 1]).options(&timestamps)
        }
    }
}
