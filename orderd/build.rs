//! Builds again when a migration is added: the macro that embeds them can't tell by itself.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
