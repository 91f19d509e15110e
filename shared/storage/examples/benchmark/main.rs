//! Compares the engine with plain SQLite on one disk:
//!
//! `cargo run --release -p bespoke-storage --example benchmark -- FOLDER [SIZES_MB...]`
//!
//! The output is the section about storage of docs/performance.md. `--write` writes it into that file, and
//! `--processes` measures only the rows about processes.

#![allow(clippy::print_stdout, reason = "the output is the purpose of this program")]

mod crowd;
mod data;
mod measured;
mod page;
mod size;

use std::path::PathBuf;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// The default sizes of the database, in megabytes.
const SIZES_MB: [u64; 4] = [1, 10, 100, 1_000];

fn main() -> Result<()> {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "worker") {
        return runtime()?.block_on(crowd::work(&arguments[1..]));
    }
    let write = arguments.iter().any(|argument| argument == "--write");
    let processes = arguments.iter().any(|argument| argument == "--processes");
    arguments.retain(|argument| !argument.starts_with("--"));
    let root = arguments.first().map_or_else(std::env::temp_dir, PathBuf::from);
    let sizes: Vec<u64> = arguments
        .iter()
        .skip(1)
        .map(|size| size.parse())
        .collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { SIZES_MB.to_vec() } else { sizes };
    let folder = root.join(format!("storage-benchmark-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = if processes {
        crowd::processes_at(&folder).map(|all| page::processes(&all).join("\n"))
    } else {
        measure(&folder, &sizes)
    };
    std::fs::remove_dir_all(&folder)?;
    let page = measured?;
    println!("{page}");
    if write {
        page::put(&page)?;
    }
    Ok(())
}

fn measure(folder: &std::path::Path, sizes: &[u64]) -> Result<String> {
    let runtime = runtime()?;
    let mut lines = Vec::new();
    for size_mb in sizes {
        eprintln!("{size_mb} MB");
        lines.push(runtime.block_on(size::measure(&folder.join(size_mb.to_string()), *size_mb))?);
    }
    eprintln!("writers");
    let writers = runtime.block_on(crowd::measure(&folder.join("crowd")))?;
    Ok(page::of(&lines, &writers))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
