//! Three logs of the same calls: the client's, ours, and tshark's.

use std::time::Duration;

use wirewise_model::Call;

use crate::Scenario;
use crate::log::{Logged, Told};
use crate::witness::{Pair, Rows};

/// How far our durations may be from tshark's.
const APART: Duration = Duration::from_micros(100);

/// What is said of a scenario that went well, or all that is wrong.
pub(crate) fn compare(
    scenario: &Scenario,
    logged: &[Logged],
    heard: &[Call],
    rows: &Rows,
) -> Result<String, Vec<String>> {
    let ours: Vec<&Call> =
        heard.iter().filter(|call| scenario.protocols.contains(&&*call.exchange.protocol)).collect();
    let mut free = ours.clone();
    let mut faults = Vec::new();
    for wanted in logged {
        let found = free.iter().position(|call| is_it(wanted, call));
        match found {
            Some(at) => {
                free.remove(at);
            }
            None => faults.push(format!("not heard: {wanted:?}")),
        }
    }
    let unasked = free.iter().filter(|call| (scenario.unasked)(call)).count();
    let extra = free.iter().filter(|call| !(scenario.unasked)(call));
    faults.extend(extra.map(|call| format!("nobody made it: {}", shown(call))));
    let n_failed = logged.iter().filter(|wanted| wanted.told.outcome.ends_with("error")).count();
    if n_failed == 0 {
        faults.push("the client met no error".to_owned());
    }
    let n_timed = witnessed(&ours, &(scenario.pairs)(rows), rows, &mut faults);
    if faults.is_empty() {
        let calls = logged.len();
        Ok(format!(
            "{calls:4} calls logged and heard ({n_failed} failed), {unasked} more of its library's own, {n_timed} durations as tshark has them"
        ))
    } else {
        Err(faults)
    }
}

/// Whether a call is the one that the client logged: the same words, and within its times.
fn is_it(wanted: &Logged, call: &Call) -> bool {
    let exchange = &call.exchange;
    let took_longer =
        exchange.took().zip(wanted.took()).is_some_and(|(ours, the_clients)| ours > the_clients);
    Told::of(exchange) == wanted.told
        && wanted.from.is_none_or(|from| exchange.started() >= from)
        && wanted.until.is_none_or(|until| exchange.observed_until() <= until)
        && (wanted.from.is_none() || wanted.until.is_none() || exchange.took().is_some())
        && !took_longer
}

/// Compares our first and last packets, and the time between, with those of tshark: the same calls, each once.
fn witnessed(ours: &[&Call], theirs: &[Pair], rows: &Rows, faults: &mut Vec<String>) -> usize {
    let mut left = theirs.to_vec();
    let mut n_alike = 0;
    for call in ours {
        let exchange = &call.exchange;
        let (Some(request), Some(response), Some(took)) =
            (&exchange.request, &exchange.response, exchange.took())
        else {
            continue;
        };
        let pair = Pair { first: request.track.first.packet.0, last: response.track.last.packet.0 };
        let Some(at) = left.iter().position(|their| *their == pair) else {
            faults.push(format!("tshark has no such call: {}", shown(call)));
            continue;
        };
        let their = left.remove(at);
        match rows.took(their) {
            Some(theirs) if took.abs_diff(theirs) <= APART => n_alike += 1,
            theirs => faults.push(format!("tshark says {theirs:?}: {}", shown(call))),
        }
    }
    faults.extend(
        left.iter().map(|pair| format!("tshark has a call of packets {} to {}", pair.first, pair.last)),
    );
    n_alike
}

fn shown(call: &Call) -> String {
    let exchange = &call.exchange;
    let ends = |message: &Option<wirewise_model::Message>| {
        message.as_ref().map(|message| (message.track.first.packet.0, message.track.last.packet.0))
    };
    let notes: Vec<&str> = exchange.notes.iter().map(|note| &*note.0).collect();
    format!(
        "{:?} {} from {} until {} in packets {:?} and {:?}, took {:?}, port {}, error {:?}, notes {notes:?}",
        Told::of(exchange),
        exchange.kind.name(),
        exchange.started().nanos(),
        exchange.observed_until().nanos(),
        ends(&exchange.request),
        ends(&exchange.response),
        exchange.took(),
        call.server.port,
        exchange.error,
    )
}
