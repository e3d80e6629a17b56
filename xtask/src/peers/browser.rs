//! A browser: what people meet the dashboard with.

use std::path::Path;

use super::apt;
use super::setup::write_launcher;
use crate::process::find;

/// The names under which systems have Chromium, or a browser made of it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Finds Chromium and makes it `bin/chromium`; as root on Debian it installs what is missing, with a font to write with.
pub fn install(folder: &Path) -> Result<(), String> {
    if found().is_none() {
        apt::install(&["chromium", "fonts-liberation"])
            .map_err(|why| format!("Chromium is missing: install it from your system ({why})"))?;
    }
    let browser = found().ok_or("Chromium was installed, yet it is not on the PATH")?;
    // What the system has is a script that looks at its own path, so it is called by that and not by a link.
    write_launcher(&folder.join("bin/chromium"), Path::new("/usr/bin/env"), &browser)
}

fn found() -> Option<std::path::PathBuf> {
    NAMES.iter().find_map(|name| find(name))
}
