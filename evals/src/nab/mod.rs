//! The Numenta Anomaly Benchmark: its data read, its scoring done by our own hand, and two detectors scored: the
//! published windowed Gaussian, to check the scoring by, and the rate detector.

mod data;
mod score;

use std::path::Path;

use anyhow::{Result, ensure};
use wirewise_score::{RateModel, WindowedGaussian};

use data::Series;

/// What was published for the windowed Gaussian on the standard profile, and how near ours must come.
const PUBLISHED: f64 = 39.6;
const WITHIN: f64 = 0.5;
/// What is aimed at.
const GOAL: f64 = 58.0;

pub(crate) fn run(directory: &Path) -> Result<()> {
    let corpus = data::read(directory)?;
    let weights = data::standard_profile(directory)?;
    let gaussian = score::best(&corpus, &weights, gaussian);
    println!("NAB, standard profile, {} series, {} windows", corpus.len(), score::n_windows(&corpus));
    println!(
        "  windowed Gaussian  {:6.2}  (published {PUBLISHED}) at threshold {}",
        gaussian.score, gaussian.threshold
    );
    ensure!(
        (gaussian.score - PUBLISHED).abs() <= WITHIN,
        "the windowed Gaussian scores {:.2} instead of {PUBLISHED}: the scoring is not the benchmark's",
        gaussian.score
    );
    let rate = score::best(&corpus, &weights, rate);
    println!("  rate detector      {:6.2}  (goal {GOAL}) at threshold {:.3}", rate.score, rate.threshold);
    println!("  missed windows {}, false detections {}", rate.missed, rate.false_detections);
    println!("  by folder, raw score of detections less misses and false ones:");
    for (folder, raw, most) in score::by_folder(&corpus, &weights, rate_of, rate.threshold) {
        println!("    {folder:24} {raw:7.2} of {most}");
    }
    Ok(())
}

fn rate_of(series: &Series) -> Vec<f64> {
    rate(series)
}

/// The published detector's score: one less the tail probability, rounded to the twelve digits that the published
/// results were written with. Without that, the best threshold lies between values that those files cannot tell apart.
fn gaussian(series: &Series) -> Vec<f64> {
    let mut detector = WindowedGaussian::default();
    let score = |z: f64| ((1.0 - 0.5 * score::erfc(z / std::f64::consts::SQRT_2)) * 1e12).round() / 1e12;
    series.values.iter().map(|&value| detector.push(value).map_or(0.0, score)).collect()
}

fn rate(series: &Series) -> Vec<f64> {
    let mut model = RateModel::default();
    series.times.iter().zip(&series.values).map(|(&at, &value)| model.push(at, value).score).collect()
}
