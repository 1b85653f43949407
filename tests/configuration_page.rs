//! docs/CONFIGURATION.md is generated from the table of settings. `make header` generates it again.

use std::fs;

#[test]
fn the_page_of_settings_matches_the_table_of_settings() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md");
    let page = rtcmsg::configuration_md();
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(path, &page).expect("docs/CONFIGURATION.md can be written");
    }
    let checked_in = fs::read_to_string(path).expect("docs/CONFIGURATION.md is there");
    assert!(
        checked_in == page,
        "docs/CONFIGURATION.md is out of date: run `make header`"
    );
}
