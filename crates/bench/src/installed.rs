//! Programs of others that are compared or needed, if they are installed.

use std::path::{Path, PathBuf};

/// An installed program.
#[derive(Debug)]
pub(crate) struct Installed {
    pub path: PathBuf,
    /// The first line that it prints about its version.
    pub version: String,
}

impl Installed {
    /// Looks for the program of this name. `None` if it is missing.
    pub(crate) fn find(name: &str) -> Option<Self> {
        // Debian installs servers in a directory that is not in every user's PATH.
        [PathBuf::from(name), Path::new("/usr/sbin").join(name)]
            .into_iter()
            .find_map(|path| {
                let output = std::process::Command::new(&path).arg("-v").output().ok()?;
                let text = [output.stdout, output.stderr].concat();
                let text = String::from_utf8_lossy(&text);
                let version = text.lines().next().unwrap_or(name).to_owned();
                Some(Self { path, version })
            })
    }
}
