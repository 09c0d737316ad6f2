//! The benchmark's scoring (Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", ICMLA 2015), written
//! from its description. A detection in a window counts the more the earlier it comes, and only the earliest counts; a
//! false one counts against, less so shortly after a window; a window without any counts as missed. One threshold
//! serves all series, the one that scores best. 0 is a detector that says nothing, 100 a perfect one.

use std::collections::BTreeMap;

use super::data::{Series, Weights};

/// The first of each series is not scored: 15 percent, of at most 5000 values.
const PROBATION: f64 = 0.15;
const MOST_PROBATION: usize = 750;
/// Window widths after which a false detection weighs in full.
const FAR: f64 = 3.0;

/// How a detector did.
pub(crate) struct Result {
    pub(crate) score: f64,
    pub(crate) threshold: f64,
    pub(crate) missed: usize,
    pub(crate) false_detections: usize,
}

/// What one value is worth if it is detected.
struct Point {
    score: f64,
    worth: f64,
    window: Option<usize>,
}

pub(crate) fn n_windows(corpus: &[Series]) -> usize {
    corpus.iter().map(|series| series.windows.len()).sum()
}

/// A detector at its best threshold.
pub(crate) fn best(corpus: &[Series], weights: &Weights, detector: impl Fn(&Series) -> Vec<f64>) -> Result {
    let mut points = Vec::new();
    let mut first = 0;
    for series in corpus {
        points.extend(worths(series, &detector(series), weights, first));
        first += series.windows.len();
    }
    points.sort_by(|a, b| b.score.total_cmp(&a.score));
    let least = -(first as f64) * weights.miss;
    let mut windows = vec![-weights.miss; first];
    let (mut raw, mut missed, mut false_detections) = (least, first, 0);
    let mut best = (least, f64::INFINITY, missed, 0);
    for (index, point) in points.iter().enumerate() {
        match point.window {
            None => {
                raw += point.worth;
                false_detections += 1;
            }
            Some(window) => {
                if windows[window] == -weights.miss {
                    missed -= 1;
                }
                if point.worth > windows[window] {
                    raw += point.worth - windows[window];
                    windows[window] = point.worth;
                }
            }
        }
        let is_last_of_threshold = points.get(index + 1).is_none_or(|next| next.score != point.score);
        if is_last_of_threshold && raw > best.0 {
            best = (raw, point.score, missed, false_detections);
        }
    }
    let perfect = first as f64 * weights.hit;
    let (raw, threshold, missed, false_detections) = best;
    Result { score: 100.0 * (raw - least) / (perfect - least), threshold, missed, false_detections }
}

/// Each folder's raw score at a threshold, and the most it could be.
pub(crate) fn by_folder(
    corpus: &[Series],
    weights: &Weights,
    detector: impl Fn(&Series) -> Vec<f64>,
    threshold: f64,
) -> Vec<(String, f64, usize)> {
    let mut folders: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for series in corpus {
        let mut windows = vec![-weights.miss; series.windows.len()];
        let mut raw = 0.0;
        for point in
            worths(series, &detector(series), weights, 0).iter().filter(|point| point.score >= threshold)
        {
            match point.window {
                None => raw += point.worth,
                Some(window) => windows[window] = windows[window].max(point.worth),
            }
        }
        let folder = series.name.split('/').next().unwrap_or_default().to_owned();
        let entry = folders.entry(folder).or_default();
        entry.0 += raw + windows.iter().sum::<f64>();
        entry.1 += windows.len();
    }
    folders.into_iter().map(|(folder, (raw, most))| (folder, raw, most)).collect()
}

/// What each value after probation is worth. Windows are numbered from `first`.
fn worths(series: &Series, scores: &[f64], weights: &Weights, first: usize) -> Vec<Point> {
    let n = series.values.len();
    let probation = ((PROBATION * n as f64) as usize).min(MOST_PROBATION);
    let worth = |index: usize| {
        let inside = series.windows.iter().position(|&(from, to)| (from..=to).contains(&index));
        if let Some(window) = inside {
            let (from, to) = series.windows[window];
            let place = -((to - index + 1) as f64) / (to - from + 1) as f64;
            return Point {
                score: scores[index],
                worth: weights.hit * sigmoid(place) / sigmoid(-1.0),
                window: Some(first + window),
            };
        }
        let before = series.windows.iter().rev().find(|&&(_, to)| to < index);
        let place = before.map_or(FAR, |&(from, to)| (index - to) as f64 / (to - from) as f64);
        Point { score: scores[index], worth: weights.false_detection * sigmoid(place), window: None }
    };
    (probation..n).map(worth).collect()
}

/// 1 far before the end of a window, 0 at it, -1 far behind.
fn sigmoid(place: f64) -> f64 {
    if place >= FAR { -1.0 } else { 2.0 / (1.0 + (5.0 * place).exp()) - 1.0 }
}

/// The complementary error function: Taylor's series near 0, a continued fraction (Lentz) further out.
pub(crate) fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let root_pi = std::f64::consts::PI.sqrt();
    if x < 2.5 {
        let (mut sum, mut term, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 {
            n += 1.0;
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return 1.0 - sum * 2.0 / root_pi;
    }
    let fraction = (1..200).rev().fold(0.0, |fraction, k| f64::from(k) / 2.0 / (x + fraction));
    (-x * x).exp() / ((x + fraction) * root_pi)
}

#[cfg(test)]
mod tests {
    use wirewise_model::Timestamp;

    use super::*;

    fn series() -> Series {
        let times = (0..1000).map(|second| Timestamp::from_parts(second, 0)).collect();
        Series {
            name: "a/b.csv".to_owned(),
            times,
            values: vec![0.0; 1000],
            windows: vec![(400, 499), (800, 899)],
        }
    }

    const STANDARD: Weights = Weights { hit: 1.0, miss: 1.0, false_detection: 0.11 };

    fn check(detections: &[usize]) -> f64 {
        let detector =
            |_: &Series| (0..1000).map(|index| f64::from(u8::from(detections.contains(&index)))).collect();
        best(&[series()], &STANDARD, detector).score
    }

    #[test]
    fn early_detections_count_most_and_false_ones_against() {
        assert!((check(&[400, 800]) - 100.0).abs() < 1e-9);
        assert!((check(&[400]) - 50.0).abs() < 1e-9);
        assert!(check(&[450, 850]) > 90.0 && check(&[450, 850]) < 95.0);
        let with_false = check(&[400, 600, 800]);
        assert!((with_false - (100.0 - 100.0 * 0.11 / 4.0)).abs() < 0.05, "{with_false}");
        // What comes in probation counts neither way.
        assert!((check(&[10, 400, 800]) - 100.0).abs() < 1e-9);
        // Nothing is better than nothing but noise.
        assert_eq!(check(&[200, 210, 220]), 0.0);
    }

    #[test]
    fn erfc_agrees_with_its_table() {
        for (x, expect) in [(0.0, 1.0), (0.5, 0.479_500_122_186_953_5), (3.0, 2.209_049_699_858_544e-5)] {
            assert!((erfc(x) / expect - 1.0).abs() < 1e-12, "{x}");
        }
    }
}
