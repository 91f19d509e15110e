//! Formats the results ([`of`]), and writes them into the section about storage of docs/performance.md ([`put`]).

use super::Result;
use super::crowd::{Processes, Writers};
use super::size::{BUCKET_MS, Line};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance.md");
const BEGIN: &str = "<!-- storage: begin -->";
const END: &str = "<!-- storage: end -->";

/// The name of a row, and the function for its cells.
type Cell<'a> = (&'a str, &'a dyn Fn(&Line) -> String);

/// Replaces the section in the file by `text`.
pub(crate) fn put(text: &str) -> Result<()> {
    let page = std::fs::read_to_string(PAGE)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no place for it")?;
    let (_, after) = rest.split_once(END).ok_or("the page has no place for it")?;
    std::fs::write(PAGE, format!("{before}{BEGIN}\n{text}\n{END}{after}"))?;
    Ok(())
}

pub(crate) fn of(lines: &[Line], writers: &Writers) -> String {
    let mut rows = vec![row("Database, MB", lines, |line| line.size_mb.to_string())];
    rows.push(format!("|---|{}", "---:|".repeat(lines.len())));
    let kb = |bytes: u64| number(bytes as f64 / 1e3);
    let cells: [Cell<'_>; 17] = [
        ("Packed, of its file", &|line| {
            format!("{:.0} %", line.whole_bytes as f64 * 100.0 / line.file_bytes as f64)
        }),
        ("Sent per commit, mean, KB", &|line| kb(line.mean_sent)),
        ("Sent per commit, most, KB", &|line| kb(line.most_sent)),
        ("... whole file written back, KB", &|line| kb(line.whole_bytes)),
        ("Calls per commit, questions included", &|line| {
            format!("{:.2}", line.calls)
        }),
        ("Commit, ms", &|line| number(line.commit_ms)),
        ("... plain SQLite, ms", &|line| number(line.plain_commit_ms)),
        ("Processor per commit, ms", &|line| number(line.commit_processor_ms)),
        ("... packing the whole file, ms", &|line| number(line.whole_ms)),
        ("Catch-up with 1 / 10 / 100 commits, ms", &|line| {
            line.catch_up_ms
                .iter()
                .map(|ms| number(*ms))
                .collect::<Vec<_>>()
                .join(" / ")
        }),
        ("Cold start, ms", &|line| number(line.cold_ms)),
        ("... copying the file, ms", &|line| number(line.copy_ms)),
        ("Read of a user and its sets, us", &|line| number(line.read_us)),
        ("... plain SQLite, us", &|line| number(line.plain_read_us)),
        ("At a bucket: commit, ms", &|line| number(line.slow_commit_ms)),
        ("At a bucket: strict read, ms", &|line| number(line.slow_read_ms)),
        ("At a bucket: cold start, ms", &|line| number(line.slow_cold_ms)),
    ];
    rows.extend(cells.iter().map(|(name, cell)| row(name, lines, cell)));
    format!(
        "{}\n\n\"At a bucket\" is the same directory with {BUCKET_MS} ms more for each call.\n\n{}",
        rows.join("\n"),
        crowd(writers)
    )
}

fn row(name: &str, lines: &[Line], cell: impl Fn(&Line) -> String) -> String {
    let cells: Vec<_> = lines.iter().map(cell).collect();
    format!("| {name} | {} |", cells.join(" | "))
}

fn crowd(writers: &Writers) -> String {
    let Writers {
        one,
        many,
        plain_one,
        plain_many,
        processes,
    } = writers;
    let mut rows = vec![
        "| Acknowledged writes a second | One | Many | Many / one | Slowest, of its share | Write, p50 / p99, ms |"
            .to_owned(),
        "|---|---:|---:|---:|---:|---:|".to_owned(),
        format!(
            "| 16 tasks of one process, directory | {one:.0} | {many:.0} | {:.2} | | |",
            many / one
        ),
        format!(
            "| 16 threads, plain SQLite | {plain_one:.0} | {plain_many:.0} | {:.2} | | |",
            plain_many / plain_one
        ),
    ];
    rows.extend(self::processes(processes));
    rows.join("\n")
}

pub(crate) fn processes(cases: &[Processes]) -> Vec<String> {
    let row = |Processes {
                   label,
                   one,
                   all,
                   p50_ms,
                   p99_ms,
                   slowest_share,
               }: &Processes| {
        format!(
            "| {label} | {one:.0} | {all:.0} | {:.2} | {slowest_share:.2} | {} / {} |",
            all / one,
            number(*p50_ms),
            number(*p99_ms)
        )
    };
    cases.iter().map(row).collect()
}

/// Formats a number with three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
