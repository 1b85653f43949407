//! Any rtcmsg_message through rtcmsg_client_check: lines of `field=value`, in the order of the header.
//!
//! `size=` is struct_size, `tail=` sets bytes behind the fields this version knows, `null=` and `skew=` make a field's
//! pointer NULL or misaligned and keep its length. Check does no I/O.

#![no_main]

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rtcmsg_fuzz::abi::*;

struct Shared(*mut Client);
// SAFETY: a client serves any number of threads.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

static CLIENT: LazyLock<Shared> = LazyLock::new(|| Shared(demo_client()));

const SIZE: usize = size_of::<Message>();
const MAX_SIZE: usize = 4096;

/// A message of any version, as large as the largest struct_size that is accepted.
#[repr(C)]
struct Large {
    message: Message,
    tail: [u8; MAX_SIZE - SIZE],
}

fuzz_target!(|input: &[u8]| {
    let lines: Vec<(&[u8], &[u8])> = input
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b'=')?;
            Some((&line[..at], &line[at + 1..]))
        })
        .collect();
    let bytes = |name: &str| lines.iter().find(|line| line.0 == name.as_bytes()).map(|line| line.1);
    let number = |name: &str| -> i64 {
        let text = bytes(name).and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    let with = |what: &str, name: &str| {
        lines
            .iter()
            .any(|line| line.0 == what.as_bytes() && line.1 == name.as_bytes())
    };
    let text = |name: &str| match bytes(name) {
        Some(text) if with("null", name) => Str {
            data: ptr::null(),
            len: text.len(),
        },
        Some(text) => Str {
            data: text.as_ptr().cast::<c_char>(),
            len: text.len(),
        },
        None => Str {
            data: ptr::null(),
            len: 0,
        },
    };
    let many = |name: &'static str| {
        lines
            .iter()
            .filter(move |line| line.0 == name.as_bytes())
            .map(|line| line.1)
    };

    let to: Vec<Str> = many("to")
        .map(|id| Str {
            data: id.as_ptr().cast(),
            len: id.len(),
        })
        .collect();
    // One item more, so that a misaligned list does not exceed the vector.
    let mut user_ids: Vec<i64> = many("user_id")
        .map(|id| std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()).unwrap_or(0))
        .collect();
    let user_id_count = user_ids.len();
    user_ids.push(0);
    let user_ids = match () {
        () if with("null", "user_ids") => ptr::null(),
        () if with("skew", "user_ids") => user_ids.as_ptr().cast::<u8>().wrapping_add(1).cast(),
        () => user_ids.as_ptr(),
    };
    let struct_size = bytes("size").map_or(SIZE, |_| number("size") as usize);
    let payload = text("payload");
    let mut large = Large {
        message: Message {
            struct_size,
            action: number("action") as u32,
            flags: number("flags") as u32,
            room_id: text("room_id"),
            from: text("from"),
            to: if with("null", "to") { ptr::null() } else { to.as_ptr() },
            to_count: to.len(),
            conversation_id: number("conversation_id"),
            sender_id: number("sender_id"),
            user_ids,
            user_id_count,
            msg_type: number("msg_type") as i32,
            reserved: number("reserved") as u32,
            payload: payload.data.cast::<c_void>(),
            payload_len: payload.len,
        },
        tail: [0; MAX_SIZE - SIZE],
    };
    let tail = bytes("tail").unwrap_or_default();
    let tail = &tail[..tail.len().min(large.tail.len())];
    large.tail[..tail.len()].copy_from_slice(tail);
    let known_tail = struct_size.clamp(SIZE, MAX_SIZE) - SIZE;

    let (client, mut error) = (CLIENT.0, Error::dirty());
    // SAFETY: the header's rules; the struct is as large as the largest size that is accepted.
    let code = unsafe { rtcmsg_client_check(client, &raw const large.message, &mut error) };
    error.checked(code);
    let message = &large.message;
    match code {
        OK => {
            assert!((SIZE..=MAX_SIZE).contains(&struct_size) && large.tail[..known_tail].iter().all(|byte| *byte == 0));
            assert!(message.reserved == 0 && message.flags <= 1);
            assert!(
                matches!(message.action, 101..=104 | 111..=113 | 201..=202),
                "{}",
                message.action
            );
            assert!(!message.payload.is_null() && message.payload_len > 0);
            let payload = bytes("payload").expect("given");
            assert!(message.flags == 1 || std::str::from_utf8(payload).is_ok());
            assert!(message.payload_len <= if message.action > 200 { 1024 } else { 65536 });
            let im = (111..=113).contains(&message.action);
            assert_eq!(
                im,
                message.conversation_id > 0 && message.sender_id > 0 && message.msg_type > 0
            );
            assert_eq!(im, message.from.len == 0);
            assert!(std::str::from_utf8(bytes("from").unwrap_or_default()).is_ok());
            let named = message.to_count.max(message.user_id_count);
            let (least, most) = match message.action {
                101 | 102 => (1, 1),
                103 => (1, 600),
                111 | 113 => (1, 500),
                201 => (1, 10),
                _ => (0, 0),
            };
            assert!((least..=most).contains(&named), "{named}");
        }
        UNSUPPORTED => assert!(large.tail[..known_tail].iter().any(|byte| *byte != 0)),
        code => assert_eq!(code, INVALID_ARGUMENT),
    }
    // The same call without an error struct, and a valid message, which the client still accepts.
    // SAFETY: as above.
    unsafe {
        assert_eq!(
            rtcmsg_client_check(client, &raw const large.message, ptr::null_mut()),
            code
        );
        let alice = Str {
            data: c"alice".as_ptr(),
            len: 5,
        };
        let good = Message {
            struct_size: SIZE,
            action: 101,
            flags: 0,
            from: alice,
            to: &alice,
            to_count: 1,
            payload: alice.data.cast(),
            payload_len: 5,
            room_id: Str {
                data: ptr::null(),
                len: 0,
            },
            conversation_id: 0,
            sender_id: 0,
            user_ids: ptr::null(),
            user_id_count: 0,
            msg_type: 0,
            reserved: 0,
        };
        assert_eq!(rtcmsg_client_check(client, &good, ptr::null_mut()), OK);
    }
});
