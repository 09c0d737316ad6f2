//! Commands and answers become exchanges.

use wirewise_model::{Coverage, Exchange, Message, Outcome, Side};

use super::message::{Asked, Reply};
use crate::Out;
use crate::lineup::Met;

pub(super) const NAME: &str = "memcached";

/// Tells what became of a command or an answer.
pub(super) fn tell(client: Side, met: Met<Asked, Reply>, out: &mut Out) {
    let exchange = match met {
        Met::Pair { asked, answer, late } => {
            let mut exchange = exchange(client, asked);
            respond(&mut exchange, answer);
            if late {
                exchange.revision = 1;
                exchange.note("late");
            }
            exchange
        }
        Met::Alone { answer, lost } => {
            let mut exchange = Exchange::new(NAME, client);
            exchange.attribute("db.system.name", NAME);
            exchange.note(if lost { "gap" } else { "mid_stream" });
            if lost {
                exchange.coverage = Coverage::Partial;
            }
            respond(&mut exchange, answer);
            exchange
        }
        Met::Lost(asked) => {
            let mut exchange = exchange(client, asked);
            exchange.note("gap");
            exchange.coverage = Coverage::Partial;
            exchange
        }
        Met::Unanswered { asked, .. } if asked.quiet => return one_way(client, asked, out),
        Met::Unanswered { asked, why, at } => {
            let mut exchange = exchange(client, asked);
            why.close(&mut exchange, at);
            exchange
        }
    };
    out.exchanges.push(exchange);
}

/// A command that was not to be answered, or had nothing to be told.
pub(super) fn one_way(client: Side, asked: Asked, out: &mut Out) {
    let quiet = asked.quiet;
    let mut exchange = exchange(client, asked);
    exchange.outcome = Outcome::OneWay;
    exchange.complete = true;
    if quiet {
        exchange.note("quiet");
    }
    out.exchanges.push(exchange);
}

/// A command under way.
pub(super) fn open(client: Side, asked: &Asked, out: &mut Out) {
    let mut exchange = exchange(client, asked.clone());
    exchange.outcome = Outcome::Open;
    out.exchanges.push(exchange);
}

fn exchange(client: Side, asked: Asked) -> Exchange {
    let mut exchange = Exchange::new(NAME, client);
    exchange.attribute("db.system.name", NAME);
    exchange.attribute("db.operation.name", &*asked.operation);
    if asked.keys > 1 {
        exchange.attribute("db.operation.batch.size", i64::from(asked.keys));
    }
    if let Some((opcode, opaque)) = asked.binary {
        exchange.attribute("memcache.opcode", i64::from(opcode));
        exchange.attribute("memcache.opaque", i64::from(opaque));
    }
    exchange.kind = asked.kind;
    exchange.operation = asked.operation;
    exchange.target = asked.target;
    holed(&mut exchange, asked.holed);
    exchange.request = Some(Message::bare(asked.track));
    exchange
}

fn respond(exchange: &mut Exchange, reply: Reply) {
    exchange.complete = true;
    exchange.outcome = reply.outcome;
    if reply.outcome != Outcome::Ok {
        exchange.attribute("db.response.status_code", &*reply.status);
    }
    exchange.status = Some(reply.status);
    exchange.status_code = reply.code.map(i64::from);
    exchange.error = reply.error;
    if let Some(rows) = reply.rows {
        exchange.attribute("db.response.returned_rows", i64::from(rows));
    }
    holed(exchange, reply.holed);
    exchange.response = Some(Message::bare(reply.track));
}

fn holed(exchange: &mut Exchange, holed: bool) {
    if holed {
        exchange.note("gap");
        exchange.coverage = Coverage::Partial;
    }
}
