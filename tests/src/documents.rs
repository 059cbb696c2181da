//! The documents of the workspace, and where what they show is tried.

use std::path::{Path, PathBuf};

use crate::program::binary;
use crate::wait::skip;

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
}

/// A file of the workspace.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join(path)).expect(path)
}

/// A path as one word of any shell.
pub fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    assert!(
        !path.contains('\''),
        "a path that sh, zsh and fish quote differently: {path}"
    );
    format!("'{path}'")
}

/// A folder with the program under its own name, until the value is dropped.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
}

impl Folder {
    /// `name` distinguishes those of one process.
    pub fn new(name: &str) -> Folder {
        let name = format!("docs-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder");
        std::os::unix::fs::symlink(binary(), path.join("ip-mptcp")).expect("a link");
        Folder { path }
    }

    /// The search path with the folder in front.
    pub fn search_path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}", self.path.display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A program that is installed here; otherwise the test is reported as skipped.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}
