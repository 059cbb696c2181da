//! No file of the tool reaches up: `use` lines and paths go down the layers, and nowhere in
//! a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ip_mptcp_tests::documents::workspace;
use syn::visit::{self, Visit};

/// The layers from the ground up, and what is in them: files or folders of `cli/src`. A file
/// may use files of its own layer, as long as there is no circle, and of those below.
const LAYERS: &[(&str, &[&str])] = &[
    ("bytes and text", &["text", "built"]),
    ("errors", &["errno", "near", "error"]),
    ("system calls", &["sys"]),
    ("output", &["output"]),
    ("kernel clients", &["kernel", "zone"]),
    ("grammar", &["grammar"]),
    ("what a run shares", &["args", "session"]),
    ("spelling", &["iproute2", "help"]),
    ("state", &["host", "state"]),
    ("commands", &["command"]),
    ("run", &["dispatch", "batch", "run", "lib", "main"]),
];

/// A module of the tool: the names below `crate`, joined by `::`; empty for `lib.rs`.
type Module = String;

/// What a file says of others.
#[derive(Default)]
struct File {
    /// Paths that it names, from the crate on.
    paths: BTreeSet<Vec<String>>,
    /// Names that it hands on (`pub use`), and where they come from.
    handed_on: BTreeMap<String, Vec<String>>,
}

/// Collects the paths of one file, but for its tests.
struct Reader<'f> {
    module: Vec<String>,
    file: &'f mut File,
}

impl Reader<'_> {
    /// The path from the crate on; none where it is about another crate or the file itself.
    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let mut module = self.module.clone();
        match first.as_str() {
            "crate" => return Some(rest.to_vec()),
            "self" => {}
            "super" => {
                module.pop();
            }
            _ => return None,
        }
        let supers = rest.iter().take_while(|name| *name == "super").count();
        module.truncate(module.len() - supers);
        module.extend_from_slice(&rest[supers..]);
        Some(module)
    }

    fn use_tree(&mut self, before: &[String], tree: &syn::UseTree, handed_on: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (name, path) = match tree {
            syn::UseTree::Path(path) => {
                return self.use_tree(&with(&path.ident), &path.tree, handed_on)
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(before, tree, handed_on);
                }
                return;
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                (before.last().cloned().unwrap_or_default(), before.to_vec())
            }
            syn::UseTree::Name(name) => (name.ident.to_string(), with(&name.ident)),
            syn::UseTree::Rename(name) => (name.rename.to_string(), with(&name.ident)),
            syn::UseTree::Glob(_) => ("*".to_owned(), before.to_vec()),
        };
        if handed_on {
            // Of a module below, mostly, which is named without `self`.
            let path = self.resolve(&path).unwrap_or_else(|| {
                let mut whole = self.module.clone();
                whole.extend(path);
                whole
            });
            self.file.handed_on.insert(name, path);
        } else if let Some(path) = self.resolve(&path) {
            self.file.paths.insert(path);
        } else {
            // Names of modules below may stand alone.
            let mut whole = self.module.clone();
            whole.extend(path);
            self.file.paths.insert(whole);
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let handed_on = !matches!(item.vis, syn::Visibility::Inherited);
        self.use_tree(&[], &item.tree, handed_on);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let resolved = self.resolve(&names).unwrap_or_else(|| {
            let mut whole = self.module.clone();
            whole.extend(names);
            whole
        });
        if resolved.len() > 1 {
            self.file.paths.insert(resolved);
        }
        visit::visit_path(self, path);
    }

    // Macros hide what they make; what is written in their arguments is looked at as text.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let text = item.tokens.to_string().replace(' ', "");
        for (at, _) in text.match_indices("crate::") {
            let rest = &text[at..];
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                .unwrap_or(rest.len());
            let names: Vec<String> = rest[..end].split("::").map(str::to_owned).collect();
            if let Some(path) = self.resolve(&names) {
                self.file.paths.insert(path);
            }
        }
    }
}

/// All files below `folder`, by their module.
fn read(folder: &Path, module: &[String], files: &mut BTreeMap<Module, File>) {
    for entry in fs::read_dir(folder).expect("the folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|n| n.to_str()).expect("a name");
        let mut module = module.to_vec();
        if path.is_dir() {
            module.push(name.to_owned());
            read(&path, &module, files);
            continue;
        }
        if !matches!(name, "mod" | "lib") {
            module.push(name.to_owned());
        }
        let source = fs::read_to_string(&path).expect("a source");
        let parsed = syn::parse_file(&source).unwrap_or_else(|why| panic!("{path:?}: {why}"));
        let file = files.entry(module.join("::")).or_default();
        Reader { module, file }.visit_file(&parsed);
    }
}

/// The file in which what a path names stands: past what is handed on, the deepest.
fn target(files: &BTreeMap<Module, File>, path: &[String]) -> Option<Module> {
    for len in (0..=path.len()).rev() {
        let module = path[..len].join("::");
        let Some(file) = files.get(&module) else {
            continue;
        };
        return match path.get(len).and_then(|name| file.handed_on.get(name)) {
            Some(from) if from[..] != *path => target(files, from),
            _ => Some(module),
        };
    }
    None
}

/// Which files each file uses.
fn arrows(files: &BTreeMap<Module, File>) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut arrows = BTreeMap::new();
    for (module, file) in files {
        let mut used: BTreeSet<Module> = file
            .paths
            .iter()
            .filter_map(|path| target(files, path))
            .collect();
        used.remove(module);
        // What the crate's root hands on is for other crates.
        used.remove("");
        arrows.insert(module.clone(), used);
    }
    arrows
}

fn layer(module: &str) -> usize {
    let module = if module.is_empty() { "lib" } else { module };
    let top = module.split("::").next().expect("a name");
    LAYERS
        .iter()
        .position(|(_, files)| files.contains(&top))
        .unwrap_or_else(|| panic!("{module} is in no layer: give it a place in LAYERS"))
}

/// All that can be reached from a file.
fn reach<'a>(
    arrows: &'a BTreeMap<Module, BTreeSet<Module>>,
    from: &str,
    seen: &mut BTreeSet<&'a str>,
) {
    for next in &arrows[from] {
        if seen.insert(next) {
            reach(arrows, next, seen);
        }
    }
}

/// A file that is moved leaves no rule.
#[test]
fn layer_rules_name_only_existing_files() {
    let mut files = BTreeMap::new();
    read(&workspace().join("cli/src"), &[], &mut files);
    for name in LAYERS.iter().flat_map(|(_, files)| *files) {
        let is_there = *name == "lib"
            || files
                .keys()
                .any(|file| file.split("::").next() == Some(name));
        assert!(is_there, "{name} is in a layer and nowhere else");
    }
}

#[test]
fn no_file_reaches_up_and_none_is_in_a_circle() {
    let mut files = BTreeMap::new();
    read(&workspace().join("cli/src"), &[], &mut files);
    let arrows = arrows(&files);
    let mut wrong = String::new();
    for (module, used) in &arrows {
        for other in used {
            if layer(other) > layer(module) {
                wrong += &format!(
                    "{module} ({}) uses {other} ({}), which is above it\n",
                    LAYERS[layer(module)].0,
                    LAYERS[layer(other)].0
                );
            }
        }
        let mut seen = BTreeSet::new();
        reach(&arrows, module, &mut seen);
        if seen.contains(module.as_str()) {
            let with: Vec<_> = used
                .iter()
                .filter(|other| {
                    let mut back = BTreeSet::new();
                    reach(&arrows, other, &mut back);
                    back.contains(module.as_str())
                })
                .collect();
            wrong += &format!("{module} is in a circle by {with:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// `#[cfg]` of a feature stands at a row of a table of commands, actions, options or
/// keywords, or at the head of a module; `built.rs` has what else asks for one.
#[test]
fn cfg_feature_stands_only_at_table_rows_and_module_heads() {
    let mut wrong = String::new();
    let mut rows = 0;
    let mut files = vec![workspace().join("cli/src")];
    while let Some(file) = files.pop() {
        if file.is_dir() {
            let entries = fs::read_dir(&file).expect("a folder");
            files.extend(entries.map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let text = fs::read_to_string(&file).expect("readable");
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let asks = line.contains("cfg!(") || line.contains("#[cfg(");
            if !asks || !line.contains("feature") || file.ends_with("built.rs") {
                continue;
            }
            let next = lines[at + 1..]
                .iter()
                .find(|next| !next.starts_with("#[") && !next.starts_with("$(#["))
                .unwrap_or(&"");
            let is_row = next.ends_with("Command {")
                || next.ends_with("COMMAND,")
                || next.starts_with("state::")
                || next.starts_with("crate::session::absent(")
                || next.starts_with("keyword(")
                // A row of `options!`.
                || next.starts_with("pub $name:")
                || next.starts_with("$name:");
            let is_module = next.starts_with("mod ") || next.starts_with("pub mod ");
            if line.contains("cfg!(") || !(is_row || is_module) {
                wrong += &format!("{}:{}: {line}\n", file.display(), at + 1);
            }
            rows += 1;
        }
    }
    assert!(
        wrong.is_empty(),
        "a feature is asked for elsewhere:\n{wrong}"
    );
    assert!(rows > 20, "{rows}");
}
