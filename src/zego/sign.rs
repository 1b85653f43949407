//! The signature of ZEGO's server API: MD5 of AppId, nonce, ServerSecret and timestamp. It does not cover the rest of the
//! request. VENDORS.md, ZEGO, Request.

use md5::{Digest, Md5};

use crate::secret::Secret;
use crate::util::ascii::Ascii;

/// MD5 in lower-case hexadecimal of the values as they are in the query, without separators.
pub fn signature(app_id: &str, nonce: &str, server_secret: &Secret, timestamp: &str) -> Ascii<32> {
    let digest = Md5::new()
        .chain_update(app_id)
        .chain_update(nonce)
        .chain_update(server_secret.expose())
        .chain_update(timestamp)
        .finalize();
    Ascii::hex(&digest)
}

/// `SignatureNonce` as ZEGO requires it: 16 hexadecimal digits.
pub fn nonce(random: [u8; 8]) -> Ascii<16> {
    Ascii::hex(&random)
}
