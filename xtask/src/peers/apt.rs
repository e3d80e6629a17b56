//! The system's packages, where we may install them.

use std::process::Command;

use crate::process::{find, run};

/// Installs Debian packages when this runs as root on a Debian; the error says why it does not.
pub fn install(packages: &[&str]) -> Result<(), String> {
    let Some(apt) = find("apt-get") else {
        return Err("there is no apt-get to do it with".to_owned());
    };
    if !rustix::process::geteuid().is_root() {
        return Err(format!("or, on Debian: sudo apt-get install {}", packages.join(" ")));
    }
    println!("installing {}", packages.join(", "));
    let command = || {
        let mut command = Command::new(&apt);
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    run(command().arg("update"))?;
    run(command().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}
