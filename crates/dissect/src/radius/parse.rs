//! A packet of RADIUS (RFC 2865, 3 and 5): twenty bytes of header, then attributes of type, length and value.

/// Bytes of the header.
pub(super) const HEADER: usize = 20;
/// The most that a packet may have (RFC 2865, 3; RFC 7930 lets some have more).
const LONGEST: usize = 65_535;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    AccessRequest,
    AccessAccept,
    AccessReject,
    AccountingRequest,
    AccountingResponse,
    AccessChallenge,
    StatusServer,
    StatusClient,
    DisconnectRequest,
    DisconnectAck,
    DisconnectNak,
    CoaRequest,
    CoaAck,
    CoaNak,
}

impl Code {
    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::AccessRequest,
            2 => Self::AccessAccept,
            3 => Self::AccessReject,
            4 => Self::AccountingRequest,
            5 => Self::AccountingResponse,
            11 => Self::AccessChallenge,
            12 => Self::StatusServer,
            13 => Self::StatusClient,
            40 => Self::DisconnectRequest,
            41 => Self::DisconnectAck,
            42 => Self::DisconnectNak,
            43 => Self::CoaRequest,
            44 => Self::CoaAck,
            45 => Self::CoaNak,
            _ => return None,
        })
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AccessRequest => "Access-Request",
            Self::AccessAccept => "Access-Accept",
            Self::AccessReject => "Access-Reject",
            Self::AccountingRequest => "Accounting-Request",
            Self::AccountingResponse => "Accounting-Response",
            Self::AccessChallenge => "Access-Challenge",
            Self::StatusServer => "Status-Server",
            Self::StatusClient => "Status-Client",
            Self::DisconnectRequest => "Disconnect-Request",
            Self::DisconnectAck => "Disconnect-ACK",
            Self::DisconnectNak => "Disconnect-NAK",
            Self::CoaRequest => "CoA-Request",
            Self::CoaAck => "CoA-ACK",
            Self::CoaNak => "CoA-NAK",
        }
    }

    /// Whether it asks for an answer.
    pub(super) const fn is_request(self) -> bool {
        match self {
            Self::AccessRequest
            | Self::AccountingRequest
            | Self::StatusServer
            | Self::StatusClient
            | Self::DisconnectRequest
            | Self::CoaRequest => true,
            Self::AccessAccept
            | Self::AccessReject
            | Self::AccountingResponse
            | Self::AccessChallenge
            | Self::DisconnectAck
            | Self::DisconnectNak
            | Self::CoaAck
            | Self::CoaNak => false,
        }
    }

    /// What this answers, where the request was not heard.
    pub(super) const fn answers(self) -> Self {
        match self {
            Self::AccountingResponse => Self::AccountingRequest,
            Self::DisconnectAck | Self::DisconnectNak => Self::DisconnectRequest,
            Self::CoaAck | Self::CoaNak => Self::CoaRequest,
            _ => Self::AccessRequest,
        }
    }
}

/// A packet, as far as it is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) code: Code,
    /// As it stands on the wire.
    pub(super) number: u8,
    pub(super) id: u8,
    pub(super) authenticator: [u8; 16],
    /// Its length, as it says.
    pub(super) length: usize,
    attributes: &'a [u8],
}

impl<'a> Packet<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[number, id, high, low], rest) = bytes.split_first_chunk()?;
        let (&authenticator, rest) = rest.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(HEADER..=LONGEST).contains(&length) {
            return None;
        }
        // Bytes beyond the length are padding (RFC 2865, 3).
        let attributes = rest.get(..length - HEADER).unwrap_or(rest);
        Some(Self { code: Code::of(number)?, number, id, authenticator, length, attributes })
    }

    pub(super) fn attributes(&self) -> Attributes<'a> {
        Attributes(self.attributes)
    }

    /// Whether its attributes fill it to the last byte.
    pub(super) fn is_exact(&self) -> bool {
        let walked: usize = self.attributes().map(|(_, value)| value.len() + 2).sum();
        HEADER + walked == self.length
    }
}

/// Types and values, until one does not fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[kind, length], rest) = self.0.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::from(length).checked_sub(2)?)?;
        self.0 = rest;
        Some((kind, value))
    }
}
