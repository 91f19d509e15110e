//! Test that no import cycle of the workspace has more than three files, and that the storage engine imports only lower layers.
//!
//! A cycle is a set of files each of which needs all others, so its files can only be understood together. A few files
//! may form one, for example a type and its error. More than three indicate a missing layer.
//!
//! The layers of the storage engine and of the database crate are checked in addition: a file may import only files of
//! its own layer and of lower ones.
//!
//! `module_tree` reads the files of a crate and finds the imports between them. `cycles` finds the cycles.

mod cycles;
mod module_tree;

use std::path::Path;

use self::cycles::cycles;
use self::module_tree::ModuleTree;
use crate::workspace::targets;

/// Maximum number of modules in an import cycle.
const FILES_MAX: usize = 3;

/// The layers of the storage engine from bottom to top, by folders or files of its source.
const STORAGE_LAYERS: &[&[&str]] = &[
    &["ablation", "clock", "disk", "limits", "trace", "version"],
    &["error", "random"],
    &["aws", "format", "tasks"],
    &["store"],
    &["copy"],
    &["sync"],
    &["commit"],
    &["maintenance"],
    &["engine"],
    &["fuzzing", "simulation"],
];

/// The layers of the database crate from bottom to top, as in the table of `docs/architecture.md`.
const DATABASE_LAYERS: &[&[&str]] = &[
    &["day", "error", "migrations"],
    &["cache"],
    &["connection"],
    &["accounts", "content", "mail", "objects"],
    &["backup", "keys", "purge", "usage"],
    &["database", "guard"],
    &["import"],
    &["lib"],
];

#[test]
fn import_cycles_are_small() {
    let mut problems = Vec::new();
    for target in targets() {
        let name = format!("{} ({})", target.name, target.kind);
        let tree = ModuleTree::read(&target.root);
        for cycle in cycles(tree.imports()).iter().filter(|cycle| cycle.len() > FILES_MAX) {
            let files: Vec<_> = cycle.iter().map(|file| tree.name(*file)).collect();
            let count = cycle.len();
            problems.push(format!("{name}: a cycle of {count} files: {}", files.join(", ")));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Returns the imports of a crate that lead from a layer to a higher one.
fn upward_imports(root: &str, layers: &[&[&str]]) -> Vec<String> {
    let tree = ModuleTree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(root));
    let layer = |file: usize| {
        let name = tree.name(file);
        let module = name.split(['/', '.']).next().unwrap();
        let layer = layers.iter().position(|layer| layer.contains(&module));
        layer.unwrap_or_else(|| panic!("{name} of {root} has no layer"))
    };
    let edges = tree.imports().iter().enumerate();
    edges
        .flat_map(|(from, edges)| edges.iter().map(move |to| (from, *to)))
        .filter(|(from, to)| layer(*from) < layer(*to))
        .map(|(from, to)| format!("{} imports {}", tree.name(from), tree.name(to)))
        .collect()
}

#[test]
fn storage_layers_import_downwards() {
    let upwards = upward_imports("../shared/storage/src/lib.rs", STORAGE_LAYERS);
    assert_eq!(upwards, Vec::<String>::new());
}

#[test]
fn database_layers_import_downwards() {
    let upwards = upward_imports("../shared/database/src/lib.rs", DATABASE_LAYERS);
    assert_eq!(upwards, Vec::<String>::new());
}
