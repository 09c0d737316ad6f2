//! Status codes of gRPC, and what they say of a call.

use wirewise_model::Outcome;

/// How a call with that `grpc-status` came out. A server is to blame for what OpenTelemetry's conventions call an
/// error of a server span; of the others the client asked for too much, or gave up.
pub(super) fn outcome(code: i64) -> Outcome {
    match code {
        0 => Outcome::Ok,
        1 | 3 | 5..=11 | 16 => Outcome::ClientError,
        _ => Outcome::ServerError,
    }
}

/// The name of a code.
pub(super) fn name(code: i64) -> Option<&'static str> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    usize::try_from(code).ok().and_then(|code| NAMES.get(code)).copied()
}

/// `grpc-timeout` in milliseconds: at most eight digits and a unit.
pub(super) fn timeout_ms(value: &str) -> Option<f64> {
    let (digits, unit) = value.trim().split_at_checked(value.trim().len().checked_sub(1)?)?;
    let to_ms = match unit {
        "H" => 3_600_000.0,
        "M" => 60_000.0,
        "S" => 1000.0,
        "m" => 1.0,
        "u" => 1e-3,
        "n" => 1e-6,
        _ => return None,
    };
    let fits = !digits.is_empty() && digits.len() <= 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { digits.parse::<f64>().ok().map(|number| number * to_ms) } else { None }
}

/// `grpc-message`, percent-decoded; what is not well formed stands as it is, as the protocol wants it.
pub(super) fn message(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail.first_chunk::<2>().filter(|_| first == b'%').and_then(|pair| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            Some(digit(pair[0])? << 4 | digit(pair[1])?)
        });
        match escaped {
            Some(byte) => {
                bytes.push(byte as u8);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
