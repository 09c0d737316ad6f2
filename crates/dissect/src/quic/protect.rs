//! Keys of Initial packets, which everybody can derive, and what they open: RFC 9001, 5.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{Aead, Payload};
use hkdf::Hkdf;
use sha2::Sha256;

use super::parse::{Id, Long, Version};

/// Bytes of a packet's end that show how its head is masked.
const SAMPLE: usize = 16;

/// Who sealed a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealer {
    Client,
    Server,
}

/// Keys of one side's Initial packets.
pub(super) struct Keys {
    pub(super) key: [u8; 16],
    pub(super) iv: [u8; 12],
    pub(super) mask: [u8; 16],
}

/// HKDF-Expand-Label (RFC 8446, 7.1), without context.
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &str) -> [u8; N] {
    let length = (N as u16).to_be_bytes();
    let parts: [&[u8]; 5] = [&length, &[6 + label.len() as u8], b"tls13 ", label.as_bytes(), &[0]];
    let mut made = [0; N];
    secret.expand_multi_info(&parts, &mut made).expect("it is shorter than 255 hashes");
    made
}

impl Keys {
    /// The keys that follow from the id to which the client sent first. `None` where the version is not read.
    pub(super) fn derive(version: Version, id: &Id, sealer: Sealer) -> Option<Self> {
        let (_, initial) = Hkdf::<Sha256>::extract(Some(&version.salt()?), id.bytes());
        let label = match sealer {
            Sealer::Client => "client in",
            Sealer::Server => "server in",
        };
        let secret: [u8; 32] = expand(&initial, label);
        let secret = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        Some(if version == Version::TWO {
            Self {
                key: expand(&secret, "quicv2 key"),
                iv: expand(&secret, "quicv2 iv"),
                mask: expand(&secret, "quicv2 hp"),
            }
        } else {
            Self {
                key: expand(&secret, "quic key"),
                iv: expand(&secret, "quic iv"),
                mask: expand(&secret, "quic hp"),
            }
        })
    }

    /// What hides the first byte and the number of a packet (5.4.3).
    fn mask(&self, sample: [u8; SAMPLE]) -> [u8; 5] {
        let mut block = sample.into();
        Aes128::new(&self.mask.into()).encrypt_block(&mut block);
        [block[0], block[1], block[2], block[3], block[4]]
    }

    fn nonce(&self, number: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, other) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= other;
        }
        nonce
    }

    /// Opens a packet: its number and its frames. `largest` is the largest number of this side so far. `None` where
    /// the keys are not its.
    pub(super) fn open(&self, packet: &Long<'_>, largest: Option<u64>) -> Option<(u64, Vec<u8>)> {
        let sealed = packet.bytes.get(packet.number_at..)?;
        let sample: [u8; SAMPLE] = *sealed.get(4..)?.first_chunk()?;
        let mask = self.mask(sample);
        let mut head = packet.bytes.get(..packet.number_at + 4)?.to_vec();
        head[0] ^= mask[0] & 0x0f;
        let length = usize::from(head[0] & 3) + 1;
        head.truncate(packet.number_at + length);
        let mut truncated = 0;
        for (byte, mask) in head[packet.number_at..].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
            truncated = truncated << 8 | u64::from(*byte);
        }
        let number = number(truncated, length, largest);
        let payload = Payload { msg: sealed.get(length..)?, aad: &head };
        let plain = Aes128Gcm::new(&self.key.into()).decrypt(&self.nonce(number).into(), payload).ok()?;
        Some((number, plain))
    }

    /// Seals a packet whose head ends with a number of two bytes.
    #[cfg(test)]
    pub(super) fn seal(&self, head: &[u8], number: u16, plain: &[u8]) -> Vec<u8> {
        let payload = Payload { msg: plain, aad: head };
        let nonce = self.nonce(u64::from(number));
        let sealed = Aes128Gcm::new(&self.key.into()).encrypt(&nonce.into(), payload).expect("it fits");
        let mask = self.mask(*sealed[2..].first_chunk().expect("it is long enough"));
        let mut packet = head.to_vec();
        packet[0] ^= mask[0] & 0x0f;
        let at = head.len() - 2;
        packet[at] ^= mask[1];
        packet[at + 1] ^= mask[2];
        packet.extend(sealed);
        packet
    }
}

/// The number that is nearest to the one expected (RFC 9000, A.3).
fn number(truncated: u64, length: usize, largest: Option<u64>) -> u64 {
    let Some(largest) = largest else { return truncated };
    let window = 1_u64 << (8 * length);
    let expected = largest + 1;
    let candidate = (expected & !(window - 1)) | truncated;
    if candidate + window / 2 <= expected {
        candidate + window
    } else if candidate > expected + window / 2 && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_rfcs() {
        let id = Id::parse(&[0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]).expect("it is short");
        let told = |version, sealer| {
            let keys = Keys::derive(version, &id, sealer).expect("the version is read");
            [hex::encode(keys.key), hex::encode(keys.iv), hex::encode(keys.mask)]
        };
        // RFC 9001, A.1.
        assert_eq!(
            told(Version(1), Sealer::Client),
            [
                "1f369613dd76d5467730efcbe3b1a22d",
                "fa044b2f42a3fd3b46fb255c",
                "9f50449e04a0e810283a1e9933adedd2"
            ]
        );
        assert_eq!(
            told(Version(1), Sealer::Server),
            [
                "cf3a5331653c364c88f0f379b6067e37",
                "0ac1493ca1905853b0bba03e",
                "c206b8d9b9f0f37644430b490eeaa314"
            ]
        );
        // RFC 9369, A.1.
        assert_eq!(
            told(Version::TWO, Sealer::Client),
            [
                "8b1a0bc121284290a29e0971b5cd045d",
                "91f73e2351d8fa91660e909f",
                "45b95e15235d6f45a6b19cbcb0294ba9"
            ]
        );
    }

    #[test]
    fn numbers_are_the_nearest() {
        assert_eq!(number(0x9b32, 2, Some(0xa82f_30ea)), 0xa82f_9b32);
        assert_eq!(number(0xff, 1, None), 0xff);
        assert_eq!(number(0, 1, Some(0xff)), 0x100);
        assert_eq!(number(0xff, 1, Some(0x100)), 0xff);
    }
}
