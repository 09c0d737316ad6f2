//! The table of results, with intervals.

use wirewise_score::Kind;

use super::Outcome;

/// Seconds within which a fault must be found.
const SOON: f64 = 30.0;
/// What is aimed at.
const GOALS: (f64, f64, f64) = (0.95, 0.85, 0.85);

pub(crate) fn print_faults(kinds: &[Kind], rows: &[Vec<Outcome>]) {
    println!(
        "incidents: found within {SOON:.0} s of the first affected record, right service first, right kind; 95% intervals (Wilson)"
    );
    println!(
        "  {:16} {:>4} {:>22} {:>22} {:>22} {:>9} {:>12}",
        "kind", "runs", "found", "service", "kind", "median s", "at once"
    );
    for (kind, row) in kinds.iter().zip(rows) {
        print_row(kind.name(), row);
    }
    let all: Vec<Outcome> = rows.iter().flatten().copied().collect();
    print_row("all", &all);
    println!(
        "  {:16} {:>4} {:>21.0}% {:>21.0}% {:>21.0}%",
        "goal",
        "",
        100.0 * GOALS.0,
        100.0 * GOALS.1,
        100.0 * GOALS.2
    );
}

fn print_row(name: &str, row: &[Outcome]) {
    let count = |is: fn(&Outcome) -> bool| row.iter().filter(|outcome| is(outcome)).count();
    let found = count(|outcome| outcome.delay.is_some_and(|delay| delay <= SOON));
    let mut delays: Vec<f64> = row.iter().filter_map(|outcome| outcome.delay).collect();
    delays.sort_by(f64::total_cmp);
    let median = delays.get(delays.len() / 2).map_or_else(|| "-".to_owned(), |delay| format!("{delay:.0}"));
    println!(
        "  {name:16} {:>4} {:>22} {:>22} {:>22} {median:>9} {:>12}",
        row.len(),
        interval(found, row.len()),
        interval(count(|outcome| outcome.right_service), row.len()),
        interval(count(|outcome| outcome.right_kind), row.len()),
        count(|outcome| outcome.service_at_once),
    );
}

pub(crate) fn print_quiet(n_false: &[u64]) {
    let (days, total) = (n_false.len() as f64, n_false.iter().sum::<u64>() as f64);
    // Poisson's interval by its normal approximation on the square root.
    let (low, high) = ((total.sqrt() - 0.98).max(0.0).powi(2) / days, (total + 1.0).sqrt() + 0.98);
    println!(
        "  quiet days {days:.0}: {total:.0} false incidents, {:.2} a day ({low:.2} to {:.2}; goal at most 1), at most {} on one day",
        total / days,
        high * high / days,
        n_false.iter().max().copied().unwrap_or_default()
    );
}

/// `18/20 90% (70-97)`, by Wilson.
fn interval(hits: usize, n: usize) -> String {
    if n == 0 {
        return "-".to_owned();
    }
    let (z, n_runs) = (1.96f64, n as f64);
    let share = hits as f64 / n_runs;
    let middle = (share + z * z / (2.0 * n_runs)) / (1.0 + z * z / n_runs);
    let half = z / (1.0 + z * z / n_runs)
        * (share * (1.0 - share) / n_runs + z * z / (4.0 * n_runs * n_runs)).sqrt();
    format!(
        "{hits}/{n} {:.0}% ({:.0}-{:.0})",
        100.0 * share,
        100.0 * (middle - half),
        100.0 * (middle + half)
    )
}
