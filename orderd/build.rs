//! Builds again when a migration is added: the macro that embeds them can't tell by itself.
//!
//! `ORDERD_DRILL_WITHOUT_FENCE=1` while building takes the compare-and-set out of both stores, so
//! that the kill drill can show that it finds the loss. No cargo feature, since `--all-features`
//! would then build a daemon that loses orders.

const WITHOUT_FENCE: &str = "ORDERD_DRILL_WITHOUT_FENCE";

fn main() {
    println!("cargo::rerun-if-changed=../migrations");
    println!("cargo::rerun-if-env-changed={WITHOUT_FENCE}");
    println!("cargo::rustc-check-cfg=cfg(drill_without_fence)");
    if std::env::var_os(WITHOUT_FENCE).is_some_and(|value| value == "1") {
        println!("cargo::rustc-cfg=drill_without_fence");
        println!("cargo::warning={WITHOUT_FENCE}: this build loses orders on purpose");
    }
}
