//! The benchmark's files: series as CSV, windows and profiles as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wirewise_model::Timestamp;

/// A series with the windows in which something was wrong, by index, both ends inside.
pub(crate) struct Series {
    /// `folder/file.csv`.
    pub(crate) name: String,
    pub(crate) times: Vec<Timestamp>,
    pub(crate) values: Vec<f64>,
    pub(crate) windows: Vec<(usize, usize)>,
}

/// What a detection, a miss and a false detection weigh.
pub(crate) struct Weights {
    pub(crate) hit: f64,
    pub(crate) miss: f64,
    pub(crate) false_detection: f64,
}

pub(crate) fn read(directory: &Path) -> Result<Vec<Series>> {
    let path = directory.join("labels/combined_windows.json");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let windows: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(&text)?;
    windows.into_iter().map(|(name, windows)| series(directory, name, &windows)).collect()
}

fn series(directory: &Path, name: String, windows: &[(String, String)]) -> Result<Series> {
    let path = directory.join("data").join(&name);
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let (time, value) =
            line.split_once(',').with_context(|| format!("no value in {line:?} of {name}"))?;
        times.push(parse_time(time).with_context(|| format!("no time in {line:?} of {name}"))?);
        values.push(value.trim().parse().with_context(|| format!("no number in {line:?} of {name}"))?);
    }
    let place = |time: &str| {
        let time = parse_time(time)?;
        times.iter().position(|&other| other == time)
    };
    let windows = windows
        .iter()
        .map(|(from, to)| Some((place(from)?, place(to)?)))
        .collect::<Option<Vec<_>>>()
        .with_context(|| format!("a window of {name} begins or ends at no value"))?;
    Ok(Series { name, times, values, windows })
}

pub(crate) fn standard_profile(directory: &Path) -> Result<Weights> {
    let path = directory.join("config/profiles.json");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let profiles: serde_json::Value = serde_json::from_str(&text)?;
    let weight = |name: &str| {
        profiles["standard"]["CostMatrix"][name]
            .as_f64()
            .with_context(|| format!("the profile has no {name}"))
    };
    Ok(Weights { hit: weight("tpWeight")?, miss: weight("fnWeight")?, false_detection: weight("fpWeight")? })
}

/// `2014-04-10 07:15:00`, with or without a fraction of zeros.
fn parse_time(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once(' ')?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split('.').next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let days = days_since_epoch(year, month, day);
    Some(Timestamp::from_parts(days * 86_400 + hour * 3600 + minute * 60 + second, 0))
}

/// Days since 1970-01-01 of a Gregorian date, counting years from March so that leap days come last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let check = |text: &str, expect: &str| assert_eq!(parse_time(text).unwrap().rfc3339(), expect);
        check("2014-04-10 07:15:00", "2014-04-10T07:15:00.000000000Z");
        check("2012-02-29 23:59:59.000000", "2012-02-29T23:59:59.000000000Z");
        assert_eq!(parse_time("yesterday"), None);
    }
}
