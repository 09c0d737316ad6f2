//! `bench shapes`: generated calls through the table of shapes, the words of failed ones beside Drain3, and the curves of
//! cost against calls and against distinct behaviour, which it draws into `docs/shapes.svg` and tells in
//! `docs/shapes.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{install, place};

const COUNT: u64 = 10_000_000;
/// Routes of the sixty workloads in the long run.
const ROUTES: u64 = 1_000;
/// Worlds of other sizes, each seen with as many calls.
const WORLDS: [u64; 5] = [125, 250, 500, 1_000, 2_000];
const CALLS_OF_A_WORLD: u64 = 1_000_000;
/// Failed calls that both sides group.
const LINES: u64 = 100_000;
/// Calls that a CPU second shall take in.
const GOAL: f64 = 200_000.0;
/// Sentences that a CPU second embeds: what each call would cost.
const EMBEDDED_A_SECOND: f64 = 100.0;

/// How far a run was, by its line of JSON.
struct Point {
    calls: f64,
    cpu: f64,
    shapes: f64,
    embeddings: f64,
    true_shapes: f64,
    routes: f64,
}

pub(crate) fn shapes(count: Option<u64>) -> Result<()> {
    let count = count.unwrap_or(COUNT);
    let python = install::python_with("python-drain3", &["drain3"])?;
    place::show_and_run(place::cargo().args([
        "build",
        "--package",
        "wirewise-shape",
        "--example",
        "bench_shapes",
    ]))?;
    let ours = place::target().join("debug/examples/bench_shapes");
    let long = run(&ours, count, ROUTES)?;
    let worlds = WORLDS
        .iter()
        .map(|routes| run(&ours, CALLS_OF_A_WORLD.min(count), *routes)?.pop().context("no line of a run"))
        .collect::<Result<Vec<Point>>>()?;

    let home = place::tools().join(format!("bench/shapes-{}", std::process::id()));
    std::fs::create_dir_all(&home)?;
    let grouped = grouped(&ours, &python, &home);
    std::fs::remove_dir_all(&home)?;
    let told = report(&long, &worlds, &grouped?)?;
    print!("{told}");
    let docs = place::root().join("docs");
    std::fs::write(docs.join("shapes.svg"), drawn(&long, &worlds))?;
    std::fs::write(docs.join("shapes.md"), page(&told))?;
    Ok(())
}

fn run(ours: &Path, count: u64, routes: u64) -> Result<Vec<Point>> {
    let lines = output(Command::new(ours).arg("calls").arg(count.to_string()).arg(routes.to_string()))?;
    lines
        .lines()
        .map(|line| {
            ensure!(number(line, "rest_calls")? == 0.0, "the table was too small: {line}");
            Ok(Point {
                calls: number(line, "calls")?,
                cpu: number(line, "cpu_seconds")?,
                shapes: number(line, "shapes")?,
                embeddings: number(line, "embeddings")?,
                true_shapes: number(line, "true_shapes")?,
                routes: number(line, "routes")?,
            })
        })
        .collect()
}

/// What ours and Drain3 say of the same failed calls.
fn grouped(ours: &Path, python: &Path, home: &Path) -> Result<(String, String)> {
    let (lines, script) = (home.join("lines"), home.join("shapes.py"));
    let (count, routes) = (LINES.to_string(), ROUTES.to_string());
    std::fs::write(&lines, output(Command::new(ours).args(["lines", &count, &routes]))?)?;
    std::fs::write(&script, include_str!("shapes.py"))?;
    Ok((
        output(Command::new(ours).args(["errors", &count, &routes]))?,
        output(Command::new(python).arg(&script).arg(&lines))?,
    ))
}

fn report(long: &[Point], worlds: &[Point], grouped: &(String, String)) -> Result<String> {
    let last = long.last().context("no line of the long run")?;
    let mut out = String::new();
    writeln!(
        out,
        "shapes: {:.0} calls of 60 workloads and {:.0} routes, 3% errors of 200 kinds: {:.0} calls a CPU second (goal {GOAL:.0})\n",
        last.calls,
        last.routes,
        last.calls / last.cpu
    )?;
    let head = "| routes | calls | CPU s | shapes | true shapes | embeddings | calls an embedding |\n|--:|--:|--:|--:|--:|--:|--:|\n";
    let row = |out: &mut String, point: &Point| {
        writeln!(
            out,
            "| {:.0} | {:.0} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} |",
            point.routes,
            point.calls,
            point.cpu,
            point.shapes,
            point.true_shapes,
            point.embeddings,
            point.calls / point.embeddings
        )
    };
    out.push_str(head);
    for point in long {
        row(&mut out, point)?;
    }
    out.push_str("\nThe same number of calls in worlds of other sizes:\n\n");
    out.push_str(head);
    for point in worlds {
        row(&mut out, point)?;
    }
    writeln!(
        out,
        "\nThe words of {LINES} failed calls:\n\n| | CPU s | lines a CPU second | groups | accuracy |\n|--|--:|--:|--:|--:|"
    )?;
    for (name, line) in [("wirewise (the whole call)", &grouped.0), ("Drain3 (the words alone)", &grouped.1)]
    {
        let cpu = number(line, "cpu_seconds")?;
        writeln!(
            out,
            "| {name} | {cpu:.2} | {:.0} | {:.0} | {:.3} |",
            number(line, "lines")? / cpu,
            number(line, "groups")?,
            number(line, "accuracy")?
        )?;
    }
    Ok(out)
}

fn page(told: &str) -> String {
    format!(
        "# What shapes cost\n\n\
        Written by `cargo xtask bench shapes`. CPU seconds of one thread: masks, key, table, counts, examples and the\n\
        changes that a store would write; making the calls is not in it. An embedding is made for each shape when it is\n\
        first seen, also for one that later becomes part of another. Accuracy is the share of calls whose group holds exactly\n\
        the calls of the true one.\n\n\
        ![CPU seconds against calls, and embeddings against distinct behaviour](shapes.svg)\n\n{told}"
    )
}

/// Two panels: CPU against calls, and embeddings against true shapes.
fn drawn(long: &[Point], worlds: &[Point]) -> String {
    let calls: Vec<(f64, f64)> = long.iter().map(|point| (point.calls / 1e6, point.cpu)).collect();
    let embedding: Vec<(f64, f64)> =
        long.iter().map(|point| (point.calls / 1e6, point.embeddings / EMBEDDED_A_SECOND)).collect();
    let behaviour: Vec<(f64, f64)> =
        worlds.iter().map(|point| (point.true_shapes, point.embeddings / EMBEDDED_A_SECOND)).collect();
    let table: Vec<(f64, f64)> = worlds.iter().map(|point| (point.true_shapes, point.cpu)).collect();
    let mut out = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"330\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"860\" height=\"330\" fill=\"white\"/>\n",
    );
    panel(&mut out, 60.0, "million calls (1,000 routes)", &[("table", calls), ("embedder", embedding)]);
    panel(&mut out, 490.0, "true shapes in a million calls", &[("table", table), ("embedder", behaviour)]);
    out.push_str("</svg>\n");
    out
}

fn panel(out: &mut String, left: f64, across: &str, lines: &[(&str, Vec<(f64, f64)>)]) {
    const COLOURS: [&str; 2] = ["#1f5fa8", "#c0561f"];
    let (width, height, top) = (330.0, 220.0, 40.0);
    let most = |of: fn(&(f64, f64)) -> f64| {
        lines.iter().flat_map(|(_, points)| points).map(of).fold(f64::MIN_POSITIVE, f64::max)
    };
    let (right, high) = (most(|point| point.0), most(|point| point.1) * 1.1);
    let place = |point: &(f64, f64)| (left + point.0 / right * width, top + height - point.1 / high * height);
    // A String takes everything.
    let _ = writeln!(
        out,
        "<path d=\"M{left} {top}V{}H{}\" fill=\"none\" stroke=\"#444\"/>\n<text x=\"{left}\" y=\"24\">CPU seconds</text>\n<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{across}</text>",
        top + height,
        left + width,
        left + width / 2.0,
        top + height + 40.0
    );
    for quarter in 0..=4 {
        let (x, y) = (f64::from(quarter) / 4.0 * right, f64::from(quarter) / 4.0 * high);
        let (at_x, at_y) = place(&(x, y));
        let decimals = usize::from(right < 100.0);
        let _ = writeln!(
            out,
            "<text x=\"{at_x:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{x:.decimals$}</text>\n<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{y:.1}</text>",
            top + height + 18.0,
            left - 6.0,
            at_y + 4.0
        );
    }
    for (index, ((name, points), colour)) in lines.iter().zip(COLOURS).enumerate() {
        let path: Vec<String> = points
            .iter()
            .map(|point| {
                let (x, y) = place(point);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n<text x=\"{:.0}\" y=\"{:.0}\" fill=\"{colour}\">{name}</text>",
            path.join(" "),
            left + 12.0,
            top + 14.0 + 16.0 * index as f64
        );
    }
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("run {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// A number of one flat JSON object.
fn number(object: &str, name: &str) -> Result<f64> {
    let (_, rest) =
        object.split_once(&format!("\"{name}\":")).with_context(|| format!("no {name} in {object}"))?;
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest[..end].trim().parse().with_context(|| format!("{name} is no number in {object}"))
}
