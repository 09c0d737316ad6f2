//! From books, which only grow, to lines of the `losses` table, which say what came since the last line.

use std::borrow::Cow;
use std::collections::HashMap;

use wirewise_model::{Ledger, Stage, Timestamp};
use wirewise_redact::Loss;

/// Remembers what was told.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    told: HashMap<(Stage, &'static str), u64>,
}

impl Losses {
    /// What was lost since the last time, by stage and reason.
    pub(crate) fn since(&mut self, ledger: &Ledger, at: Timestamp, node: Option<&str>) -> Vec<Loss> {
        let mut losses = Vec::new();
        for books in &ledger.stages {
            for (reason, &count) in books.reasons.iter().filter(|(reason, _)| reason.loss) {
                let told = self.told.entry((books.stage, reason.name)).or_default();
                // What still waits may stand under a reason and leave it again.
                let Some(more) = count.checked_sub(*told).filter(|&more| more > 0) else { continue };
                *told = count;
                losses.push(Loss {
                    at,
                    node: node.map(str::to_owned),
                    stage: Cow::Borrowed(books.stage.name()),
                    reason: Cow::Borrowed(reason.name),
                    count: more,
                });
            }
        }
        losses
    }
}

#[cfg(test)]
mod tests {
    use wirewise_model::{Books, Reason};

    use super::*;

    #[test]
    fn tells_each_loss_once_and_no_skips() {
        let mut losses = Losses::default();
        let mut tell = |drops, arp| {
            let mut books = Books::new(Stage::Capture);
            books.drop(Reason::loss("kernel_drop"), drops);
            books.drop(Reason::skip("arp"), arp);
            let mut ledger = Ledger::default();
            ledger.add(&books);
            let losses = losses.since(&ledger, Timestamp::from_nanos(1), Some("n1"));
            losses
                .iter()
                .map(|loss| (loss.stage.to_string(), loss.reason.to_string(), loss.count))
                .collect::<Vec<_>>()
        };
        let lost = |count| vec![("capture".to_owned(), "kernel_drop".to_owned(), count)];
        assert_eq!(tell(0, 5), []);
        assert_eq!(tell(3, 5), lost(3));
        assert_eq!(tell(3, 9), []);
        assert_eq!(tell(10, 9), lost(7));
    }
}
