//! The PostgreSQL server of a run: the one that the user names, or a private one.
//!
//! The private one comes from the script that serves the tests too. It makes a cluster in a
//! temporary folder, under an unprivileged user if need be, on a free port of 127.0.0.1 and without
//! fsync (which reads don't notice); runs this very program again with the server's URL in
//! [`TEST_VARIABLE`]; and stops and removes the cluster however that ends, Ctrl-C included.
//!
//! Nothing here installs PostgreSQL: the script would, so it is only called when there is one.

use std::error::Error;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Names the user's server.
pub const VARIABLE: &str = "DATABASE_URL";

/// Names the server of the tests, as `make test`, `make servers` and the script set it.
pub const TEST_VARIABLE: &str = "ORDERD_TEST_DATABASE_URL";

/// The script starts no broker when this names one. Any text will do, nobody connects to it.
const BROKER_VARIABLE: &str = "ORDERD_TEST_KAFKA";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../orderd/tests/servers/with-servers");

/// Where packages put each version of PostgreSQL in a folder of its own.
const PACKAGES: &str = "/usr/lib/postgresql";

/// The URL of a server to measure: that of [`VARIABLE`], else that of [`TEST_VARIABLE`]. If neither
/// is set it doesn't return: the program starts again with a private server.
///
/// # Errors
/// If there is neither a variable nor a PostgreSQL on this machine.
pub fn url_or_restart_with_one() -> Result<String, Box<dyn Error>> {
    if let Some(url) = variable(VARIABLE).or_else(|| variable(TEST_VARIABLE)) {
        return Ok(url);
    }
    if !is_installed(&std::env::var_os("PATH").unwrap_or_default(), Path::new(PACKAGES)) {
        return Err(format!(
            "there is no PostgreSQL to compare with: name a server in {VARIABLE}, or install \
             PostgreSQL (initdb and postgres in PATH or in {PACKAGES}/*/bin)"
        )
        .into());
    }
    let failure = Command::new(SCRIPT)
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(BROKER_VARIABLE, "none")
        .exec();
    Err(format!("{SCRIPT} can't be started: {failure}").into())
}

/// The URL of the tests' server.
///
/// # Panics
/// If the variable isn't set.
pub fn test_url() -> String {
    variable(TEST_VARIABLE).unwrap_or_else(|| {
        panic!("{TEST_VARIABLE} is not set: `make test` and `make servers` provide it")
    })
}

#[expect(clippy::disallowed_methods, reason = "this is the owner of the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_installed(path: &OsStr, packages: &Path) -> bool {
    let has =
        |folder: &Path| ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file());
    let versions = packages.read_dir().into_iter().flatten().flatten();
    std::env::split_paths(path).any(|folder| has(&folder))
        || versions.into_iter().any(|version| has(&version.path().join("bin")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: without a database one sentence; so it must be noticed that there is none.
    #[test]
    fn postgres_is_found_in_the_path_or_among_the_packages_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, packages) = (folder.path().join("empty"), folder.path().join("packages"));
        let bin = packages.join("15/bin");
        std::fs::create_dir_all(&empty).unwrap();
        std::fs::create_dir_all(&bin).unwrap();
        assert!(!is_installed(empty.as_os_str(), &packages));
        for program in ["initdb", "postgres"] {
            std::fs::write(bin.join(program), "").unwrap();
        }
        assert!(is_installed(empty.as_os_str(), &packages));
        assert!(is_installed(bin.as_os_str(), &empty));
        assert!(!is_installed(empty.as_os_str(), &empty));
    }
}
