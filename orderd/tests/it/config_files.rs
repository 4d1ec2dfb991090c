//! Settings from files: what wins over what, what is refused, and how it is shown.

use crate::daemon;
use std::path::Path;
use std::process::Output;
use std::process::Stdio;

/// Runs `orderd` in `folder` with these variables.
fn run_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = daemon::orderd(arguments);
    command.current_dir(folder).envs(variables.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

#[track_caller]
fn printed(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let ended = run_in(folder, arguments, variables);
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success(), "{stderr}");
    String::from_utf8(ended.stdout).unwrap()
}

/// The sentence with which `orderd` refuses to go on.
#[track_caller]
fn refused(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let ended = run_in(folder, arguments, variables);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stdout.is_empty(), "{ended:?}");
    String::from_utf8(ended.stderr).unwrap()
}

/// The value of a setting and its place, in what `--print-config` prints.
fn shown<'t>(text: &'t str, flag: &str) -> (&'t str, &'t str) {
    let line = text.lines().find_map(|line| line.strip_prefix(flag)?.strip_prefix(" = "));
    let line = line.unwrap_or_else(|| panic!("no {flag} in:\n{text}"));
    let (value, place) = line.split_once(" # ").unwrap();
    (value.trim(), place)
}

const PRINT: &[&str] = &["serve", "--print-config"];

/// Row 21: flags, environment, `.env`, one TOML file, defaults; each wins over those behind it.
#[test]
fn each_place_wins_over_those_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let print = |arguments: &[&str], variables: &[(&str, &str)]| {
        let text = printed(folder, &[PRINT, arguments].concat(), variables);
        let (value, place) = shown(&text, "cache-capacity");
        (value.to_owned(), place.to_owned())
    };
    let is = |value: &str, place: &str| (value.to_owned(), place.to_owned());
    assert_eq!(print(&[], &[]), is("10000", "default"));
    std::fs::write(folder.join("orderd.toml"), "cache_capacity = 1\n").unwrap();
    assert_eq!(print(&[], &[]), is("1", "./orderd.toml"));
    std::fs::write(folder.join(".env"), "ORDERD_CACHE_CAPACITY=2\nPOSTGRES_PASSWORD=x\n").unwrap();
    assert_eq!(print(&[], &[]), is("2", "./.env"));
    let variable = ("ORDERD_CACHE_CAPACITY", "3");
    assert_eq!(print(&[], &[variable]), is("3", "the variable ORDERD_CACHE_CAPACITY"));
    let flag = ["--cache-capacity", "4"];
    assert_eq!(print(&flag, &[variable]), is("4", "the command line"));
    std::fs::write(folder.join("other.toml"), "cache-capacity = 5\n").unwrap();
    std::fs::remove_file(folder.join(".env")).unwrap();
    assert_eq!(print(&["--config", "other.toml"], &[]), is("5", "other.toml"));
}

/// Issue: `--print-config` shows each value and its source; what it prints is a file of settings.
#[test]
fn what_is_printed_can_be_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let arguments = ["--kafka-brokers", "a:1,b:2", "--demo", "--demo-interval", "150ms"];
    let text = printed(folder, &[PRINT, &arguments].concat(), &[]);
    assert_eq!(shown(&text, "kafka-brokers").0, r#"["a:1", "b:2"]"#);
    assert_eq!(shown(&text, "demo").0, "true");
    std::fs::write(folder.join("kept.toml"), &text).unwrap();
    let again = printed(folder, &[PRINT, &["--config", "kept.toml"]].concat(), &[]);
    let without_places = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" # ").next().unwrap().trim().to_owned()).collect()
    };
    assert_eq!(without_places(&again), without_places(&text));
}

/// Issue: nothing secret is printed, wherever it came from.
#[test]
fn a_secret_is_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("orderd.toml"), "write-token = \"hunter2\"\n").unwrap();
    let url = ("DATABASE_URL", "postgresql://orders:hunter2@localhost/orders");
    let text = printed(folder, PRINT, &[url]);
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("# database-url is set, by the variable DATABASE_URL\n"), "{text}");
    assert!(text.contains("# write-token is set, by ./orderd.toml\n"), "{text}");
    std::fs::write(folder.join(".env"), "A='hunter2\n").unwrap();
    let sentence = refused(folder, PRINT, &[]);
    assert!(sentence.contains(".env") && !sentence.contains("hunter2"), "{sentence}");
}

/// Issue: unknown settings are refused with the nearest name.
#[test]
fn an_unknown_setting_is_refused_with_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let variable = refused(folder, PRINT, &[("ORDERD_CACHE_CAPACTY", "3")]);
    let both = |text: &str, wrong: &str, right: &str| text.contains(wrong) && text.contains(right);
    assert!(both(&variable, "ORDERD_CACHE_CAPACTY", "ORDERD_CACHE_CAPACITY"), "{variable}");
    std::fs::write(folder.join("orderd.toml"), "databse_url = \"x\"\n").unwrap();
    let key = refused(folder, PRINT, &[]);
    assert!(both(&key, "databse_url", "database-url") && key.contains("orderd.toml"), "{key}");
    std::fs::write(folder.join(".env"), "ORDERD_LISTN=127.0.0.1:1\n").unwrap();
    let line = refused(folder, PRINT, &[]);
    assert!(both(&line, "ORDERD_LISTN", "ORDERD_LISTEN") && line.contains(".env"), "{line}");
}

/// Issue: a bad value names the setting, and where it stands.
#[test]
fn a_wrong_value_of_a_file_names_its_setting_and_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = folder.join("orderd.toml");
    std::fs::write(&file, "cache-capacity = \"many\"\n").unwrap();
    let value = refused(folder, PRINT, &[]);
    assert!(value.contains("--cache-capacity") && value.contains("./orderd.toml"), "{value}");
    let variable = refused(folder, PRINT, &[("ORDERD_CACHE_CAPACITY", "lots")]);
    assert!(variable.contains("the variable ORDERD_CACHE_CAPACITY"), "{variable}");
    let flag = refused(folder, &[PRINT, &["--cache-capacity", "few"]].concat(), &[]);
    assert!(flag.contains("few") && !flag.contains("orderd.toml"), "{flag}");
    for (text, wanted) in [
        ("cache-capacity = { a = 1 }", "cache-capacity"),
        ("demo = 2026-11-20", "demo"),
        ("listen = ", "line 1"),
        ("cache-capacity = 1\ncache-capacity = 2", "line 2"),
    ] {
        std::fs::write(&file, text).unwrap();
        let sentence = refused(folder, PRINT, &[]);
        assert!(sentence.contains(wanted) && sentence.contains("orderd.toml"), "{sentence}");
    }
    let missing = refused(folder, &[PRINT, &["--config", "none.toml"]].concat(), &[]);
    assert!(missing.contains("none.toml"), "{missing}");
}

/// Row 21: `check-config` says whether the settings are right, and starts nothing.
#[test]
fn check_config_judges_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let right = printed(folder, &["check-config"], &[]);
    assert_eq!(right, "the settings are right\n");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "nothing is opened");
    let wrong = run_in(folder, &["check-config", "--database-url", "mysql://x"], &[]);
    assert_eq!(wrong.status.code(), Some(1));
    let stderr = String::from_utf8(wrong.stderr).unwrap();
    assert!(stderr.contains("--database-url"), "{stderr}");
}

/// Issue: a target of `produce` may stand in a file like any other setting.
#[test]
fn what_must_be_given_may_be_given_by_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join(".env"), "ORDERD_URL=http://127.0.0.1:1\n").unwrap();
    let none = ["produce", "--count", "0", "--rate", "0"];
    assert_eq!(printed(folder, &none, &[]), "");
    std::fs::write(folder.join(".env"), "DATABASE_URL=mysql://x\n").unwrap();
    let ended = run_in(folder, &["migrate"], &[]);
    assert_eq!(ended.status.code(), Some(1), "it is tried");
}

/// Issue: `completions` for the usual shells, which know every command.
#[test]
fn each_shell_gets_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(folder.path(), &["completions", shell], &[]);
        assert!(script.contains("check-config") && script.contains("cache-capacity"), "{shell}");
    }
}
