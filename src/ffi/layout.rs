//! The layout of the exported structs, as tables: one in docs/ABI.md for people, one in tests/c/abi_layout.h that a C
//! compiler is held to. `make header` writes them, and this test holds them.

use std::fmt::Write;
use std::fs;
use std::mem::{offset_of, size_of};

use super::client::rtcmsg_send_options;
use super::error::rtcmsg_error;
use super::message::rtcmsg_message;
use super::queue::rtcmsg_completion;
use super::report::{rtcmsg_attempt, rtcmsg_device, rtcmsg_recipient, rtcmsg_request};
use super::rtcmsg_str;

struct Struct {
    name: &'static str,
    size: usize,
    fields: Vec<Field>,
}

struct Field {
    name: &'static str,
    offset: usize,
    size: usize,
}

/// Names every field of a struct: where one is left out, "pattern requires `..`" stops the compiler.
macro_rules! layout {
    ($struct:ident { $($field:ident),* $(,)? }) => {{
        let _ = |$struct { $($field: _),* }: $struct| ();
        Struct {
            name: stringify!($struct),
            size: size_of::<$struct>(),
            fields: vec![$(Field {
                name: stringify!($field),
                offset: offset_of!($struct, $field),
                size: size_of_field(|it: &$struct| &it.$field),
            }),*],
        }
    }};
}

fn size_of_field<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

fn exported_structs() -> Vec<Struct> {
    vec![
        layout!(rtcmsg_str { data, len }),
        layout!(rtcmsg_error {
            struct_size,
            code,
            reserved,
            field,
            message
        }),
        layout!(rtcmsg_message {
            struct_size,
            action,
            flags,
            room_id,
            from,
            to,
            to_count,
            conversation_id,
            sender_id,
            user_ids,
            user_id_count,
            msg_type,
            reserved,
            payload,
            payload_len,
        }),
        layout!(rtcmsg_send_options {
            struct_size,
            timeout_ms,
            expires_in_ms,
            priority,
            flags,
            user_data,
            order_key,
        }),
        layout!(rtcmsg_completion {
            id,
            user_data,
            code,
            delivery,
            report
        }),
        layout!(rtcmsg_attempt {
            error_message,
            code,
            delivery,
            http_status,
            reserved
        }),
        layout!(rtcmsg_request {
            request_id,
            vendor_error,
            vendor_message,
            error_message,
            vendor_code,
            code,
            delivery,
            http_status,
            retry_after_ms,
            first_attempt,
            attempt_count,
            reserved,
        }),
        layout!(rtcmsg_recipient {
            user,
            user_id,
            delivery,
            code,
            vendor_code,
            request,
            first_device,
            device_count,
            vendor_message,
        }),
        layout!(rtcmsg_device {
            platform,
            vendor_message,
            delivery,
            reserved
        }),
    ]
}

const BEGIN: &str = "<!-- written by `make header` -->\n";
const END: &str = "<!-- end -->\n";

fn markdown(structs: &[Struct]) -> String {
    let mut out = String::from("| struct | field | offset | size |\n|---|---|---:|---:|\n");
    for Struct { name, size, fields } in structs {
        writeln!(out, "| **{name}** | | | **{size}** |").unwrap();
        for Field { name, offset, size } in fields {
            writeln!(out, "| | {name} | {offset} | {size} |").unwrap();
        }
    }
    out
}

fn c_table(structs: &[Struct]) -> String {
    let mut out = String::from(
        "/* Written by `make header` from src/ffi, for 64 bit. For whoever defines STRUCT(type, size) and FIELD(type, \
         field, offset, size). */\n",
    );
    for Struct { name: of, size, fields } in structs {
        writeln!(out, "STRUCT({of}, {size})").unwrap();
        for Field { name, offset, size } in fields {
            writeln!(out, "FIELD({of}, {name}, {offset}, {size})").unwrap();
        }
    }
    out
}

fn path(below: &str) -> String {
    format!("{}/{below}", env!("CARGO_MANIFEST_DIR"))
}

/// Holds a checked-in file to what it should be, or writes it when asked to.
fn hold(file: &str, expected: &str) {
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(path(file), expected).expect("the file can be written");
    }
    let checked_in = fs::read_to_string(path(file)).unwrap_or_default();
    assert!(checked_in == expected, "{file} is out of date: run `make header`");
}

#[test]
#[cfg(target_pointer_width = "64")]
fn the_layout_tables_are_those_of_the_structs() {
    let structs = exported_structs();
    hold("tests/c/abi_layout.h", &c_table(&structs));
    let page = fs::read_to_string(path("docs/ABI.md")).expect("docs/ABI.md is there");
    let (before, rest) = page.split_once(BEGIN).expect("docs/ABI.md has a place for the table");
    let (_, after) = rest.split_once(END).expect("docs/ABI.md says where the table ends");
    let table = markdown(&structs);
    hold("docs/ABI.md", &format!("{before}{BEGIN}{table}{END}{after}"));
}

#[test]
fn every_struct_of_the_header_is_in_the_tables() {
    let header = fs::read_to_string(path("include/rtcmsg.h")).expect("the header is there");
    let in_header = header
        .lines()
        .filter_map(|line| line.strip_prefix("typedef struct ")?.strip_suffix(" {"));
    let mut in_header: Vec<&str> = in_header.collect();
    let mut in_tables: Vec<&str> = exported_structs().iter().map(|it| it.name).collect();
    in_header.sort_unstable();
    in_tables.sort_unstable();
    assert_eq!(in_tables, in_header);
}
