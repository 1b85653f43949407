//! Names the shared library for the loader, and writes the C header when asked to (`make header`, `make check`).

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let version = |part: &str| env::var(format!("CARGO_PKG_VERSION_{part}")).expect("cargo sets it");
        let soname = format!("librtcmsg.so.{}.{}", version("MAJOR"), version("MINOR"));
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{soname}");
        // Library threads and the fork handler outlive a dlclose.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    #[cfg(feature = "header")]
    write_header();
}

#[cfg(feature = "header")]
fn write_header() {
    println!("cargo::rerun-if-env-changed=RTCMSG_HEADER");
    for input in ["src/ffi", "cbindgen.toml"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let path = env::var("RTCMSG_HEADER").expect("RTCMSG_HEADER names the file to write");
    let crate_dir = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    cbindgen::generate(crate_dir)
        .expect("src/ffi is what cbindgen reads")
        .write_to_file(path);
}
