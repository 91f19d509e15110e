//! [`ModuleTree`]: the modules of a crate, and the imports between its files.
//!
//! The nodes are files. A file imports another one if it has a `use`, or a path in its code or in a macro, that leads
//! to an item in the other file. These rules decide where a path leads:
//!
//! - A path begins with `crate`, `self` or `super`, or with a child of the current module. Other paths lead to other
//!   crates.
//! - It leads to the deepest module on it. If an item of that module is a re-export (`pub use`), it leads on to the
//!   source of the re-export, so that a facade does not hide a cycle.
//! - A module that is written inside another file belongs to that file.
//!
//! These do not count as imports: the declaration of a module (`mod child;`), the re-export of an item of a child, and
//! code that is compiled for tests only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree, Visibility};

/// The path of a module in its crate. Empty for the root.
type ModulePath = Vec<String>;

/// The modules of a crate.
pub(super) struct ModuleTree {
    folder: PathBuf,
    files: Vec<PathBuf>,
    /// The file of each module.
    modules: BTreeMap<ModulePath, usize>,
    /// For each module the names that it re-exports, and the paths of their sources.
    re_exports: BTreeMap<ModulePath, BTreeMap<String, Vec<String>>>,
    /// For each file the files that it imports.
    imports: Vec<BTreeSet<usize>>,
}

impl ModuleTree {
    /// Reads the crate with this root file.
    pub(super) fn read(root: &Path) -> Self {
        let mut tree = Self {
            folder: root.parent().unwrap().to_owned(),
            files: Vec::new(),
            modules: BTreeMap::new(),
            re_exports: BTreeMap::new(),
            imports: Vec::new(),
        };
        let mut parsed = Vec::new();
        let folder = tree.folder.clone();
        tree.read_file(root, Vec::new(), &folder, &mut parsed);
        for (module, items) in &parsed {
            tree.collect_re_exports(module, items);
        }
        tree.imports = vec![BTreeSet::new(); tree.files.len()];
        for (module, items) in &parsed {
            let from = tree.modules[module];
            for path in tree.paths_in(module, items) {
                let to = tree.file_of(&path);
                if to != from {
                    tree.imports[from].insert(to);
                }
            }
        }
        tree
    }

    pub(super) fn imports(&self) -> &[BTreeSet<usize>] {
        &self.imports
    }

    /// The path of a file, from the folder of the root file.
    pub(super) fn name(&self, file: usize) -> String {
        let path = &self.files[file];
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }

    /// Adds a file and the files of its modules. `folder` is the folder of its child modules.
    fn read_file(&mut self, path: &Path, module: ModulePath, folder: &Path, parsed: &mut Vec<(ModulePath, Vec<Item>)>) {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.files.push(path.to_owned());
        self.read_module(self.files.len() - 1, module, file.items, folder, parsed);
    }

    fn read_module(
        &mut self,
        file: usize,
        module: ModulePath,
        items: Vec<Item>,
        folder: &Path,
        parsed: &mut Vec<(ModulePath, Vec<Item>)>,
    ) {
        self.modules.insert(module.clone(), file);
        let mut own_items = Vec::new();
        for item in items {
            match item {
                Item::Mod(ItemMod { attrs, .. }) if is_for_tests(&attrs) => {}
                Item::Mod(ItemMod {
                    attrs, ident, content, ..
                }) => {
                    let name = ident.to_string();
                    let child = [module.as_slice(), std::slice::from_ref(&name)].concat();
                    match content {
                        Some((_, items)) => self.read_module(file, child, items, &folder.join(&name), parsed),
                        None => {
                            let path = file_of_module(&attrs, &name, folder);
                            let parent = path.parent().unwrap();
                            let is_folder = path.ends_with("mod.rs") || path != folder.join(format!("{name}.rs"));
                            let children = if is_folder {
                                parent.to_owned()
                            } else {
                                folder.join(&name)
                            };
                            self.read_file(&path, child, &children, parsed);
                        }
                    }
                }
                other => own_items.push(other),
            }
        }
        parsed.push((module, own_items));
    }

    fn collect_re_exports(&mut self, module: &ModulePath, items: &[Item]) {
        for item in items {
            let Item::Use(item) = item else { continue };
            if matches!(item.vis, Visibility::Inherited) || is_for_tests(&item.attrs) {
                continue;
            }
            for (path, name) in imported_paths(&item.tree) {
                let path = self.absolute(module, &path);
                if let (Some(path), Some(name)) = (path, name) {
                    self.re_exports.entry(module.clone()).or_default().insert(name, path);
                }
            }
        }
    }

    /// The path from the root of the crate. `None` for a path into another crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut base = module.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                let child = [module, &[child.to_owned()]].concat();
                self.modules.get(&child)?;
            }
        }
        Some([base.as_slice(), rest].concat())
    }

    /// The file to which an absolute path leads.
    fn file_of(&self, path: &[String]) -> usize {
        let mut path = path.to_vec();
        // A re-export of a re-export is followed too, up to a limit.
        for _ in 0..10 {
            let depth = (0..=path.len())
                .rev()
                .find(|depth| self.modules.contains_key(&path[..*depth]));
            let depth = depth.expect("the root is a module");
            let source = path
                .get(depth)
                .and_then(|name| self.re_exports.get(&path[..depth])?.get(name));
            match source {
                Some(source) => path = [source.as_slice(), &path[depth + 1..]].concat(),
                None => return self.modules[&path[..depth]],
            }
        }
        self.modules[&Vec::new()]
    }

    /// The absolute paths of all imports in a module.
    fn paths_in(&self, module: &[String], items: &[Item]) -> Vec<Vec<String>> {
        let mut collector = Collector {
            tree: self,
            module,
            paths: Vec::new(),
        };
        for item in items {
            collector.visit_item(item);
        }
        collector.paths
    }
}

/// Collects the paths in the code of one module.
struct Collector<'a> {
    tree: &'a ModuleTree,
    module: &'a [String],
    /// Absolute paths.
    paths: Vec<Vec<String>>,
}

impl Collector<'_> {
    fn add(&mut self, path: &[String]) {
        self.paths.extend(self.tree.absolute(self.module, path));
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_re_export = !matches!(item.vis, Visibility::Inherited);
        for (path, _) in imported_paths(&item.tree) {
            let Some(path) = self.tree.absolute(self.module, &path) else {
                continue;
            };
            let is_of_child = path.starts_with(self.module);
            if !(is_re_export && is_of_child) {
                self.paths.push(path);
            }
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let is_test = matches!(item, syn::ImplItem::Fn(function) if is_for_tests(&function.attrs));
        if !is_test {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.add(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        static PATH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(crate|self|super)(\s*::\s*\w+)+").unwrap());
        for found in PATH.find_iter(&call.tokens.to_string()) {
            let segments: Vec<_> = found.as_str().split("::").map(|text| text.trim().to_owned()).collect();
            self.add(&segments);
        }
        visit::visit_macro(self, call);
    }
}

/// Each imported path of a `use`, and the name that it gets. A glob has no name.
fn imported_paths(tree: &UseTree) -> Vec<(Vec<String>, Option<String>)> {
    match tree {
        UseTree::Path(path) => {
            let first = path.ident.to_string();
            let below = imported_paths(&path.tree).into_iter();
            below
                .map(|(path, name)| ([vec![first.clone()], path].concat(), name))
                .collect()
        }
        UseTree::Name(name) if name.ident == "self" => vec![(Vec::new(), None)],
        UseTree::Name(name) => vec![(vec![name.ident.to_string()], Some(name.ident.to_string()))],
        UseTree::Rename(rename) if rename.ident == "self" => vec![(Vec::new(), None)],
        UseTree::Rename(rename) => vec![(vec![rename.ident.to_string()], Some(rename.rename.to_string()))],
        UseTree::Glob(_) => vec![(Vec::new(), None)],
        UseTree::Group(group) => group.items.iter().flat_map(imported_paths).collect(),
    }
}

/// The file of `mod name;` in a module whose children are in `folder`.
fn file_of_module(attributes: &[Attribute], name: &str, folder: &Path) -> PathBuf {
    let explicit_path = attributes.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    if let Some(explicit_path) = explicit_path {
        return folder.join(explicit_path);
    }
    let file = folder.join(format!("{name}.rs"));
    if file.is_file() {
        file
    } else {
        folder.join(name).join("mod.rs")
    }
}

/// Whether an attribute restricts code to tests: `#[test]`, or `#[cfg(...)]` with `test` and without `not`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.meta.require_list().map(|list| list.tokens.to_string());
        let has_word = |word: &str| {
            let words = condition.as_deref().unwrap_or_default();
            words
                .split(|char: char| !char.is_alphanumeric() && char != '_')
                .any(|it| it == word)
        };
        attribute.path().is_ident("test") || attribute.path().is_ident("cfg") && has_word("test") && !has_word("not")
    })
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The imports of a crate with these files, as `from -> to`.
    fn imports(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let tree = ModuleTree::read(&folder.path().join("lib.rs"));
        let edges = tree.imports().iter().enumerate();
        let edges = edges.flat_map(|(from, edges)| edges.iter().map(move |to| (from, *to)));
        let mut edges: Vec<_> = edges
            .map(|(from, to)| format!("{} -> {}", tree.name(from), tree.name(to)))
            .collect();
        edges.sort();
        edges
    }

    #[test]
    fn uses_and_paths_are_imports() {
        let found = imports(&[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            (
                "a.rs",
                "use crate::b::{B, C}; fn f() { crate::c::g(); println!(\"{}\", super::d::D); }",
            ),
            ("b.rs", "use std::fmt::Write; use other::d::D; pub struct B;"),
            ("c.rs", ""),
            ("d.rs", ""),
        ]);
        assert_eq!(found, ["a.rs -> b.rs", "a.rs -> c.rs", "a.rs -> d.rs"]);
    }

    #[test]
    fn re_exports_are_followed_but_do_not_count_as_imports() {
        let found = imports(&[
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a/mod.rs", "mod inner; pub use inner::Inner; pub struct A;"),
            ("a/inner.rs", "use super::A; pub struct Inner;"),
            ("b.rs", "use crate::{A, a::Inner};"),
        ]);
        assert_eq!(
            found,
            ["a/inner.rs -> a/mod.rs", "b.rs -> a/inner.rs", "b.rs -> a/mod.rs"]
        );
    }

    #[test]
    fn tests_and_declarations_do_not_count_as_imports() {
        let found = imports(&[
            (
                "lib.rs",
                "mod a; #[cfg(test)] mod helper; mod inline { mod child; pub fn f() {} }",
            ),
            (
                "a.rs",
                "#[cfg(test)] mod tests { use crate::inline::f; } #[test] fn t() { crate::inline::f() }",
            ),
            ("inline/child.rs", "#[cfg(not(test))] use super::f;"),
        ]);
        assert_eq!(found, ["inline/child.rs -> lib.rs"]);
    }
}
