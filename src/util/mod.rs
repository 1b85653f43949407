//! Helpers that belong to no domain.

pub(crate) mod ascii;
pub(crate) mod deadline;
pub(crate) mod host;
pub(crate) mod json;
pub(crate) mod percent;
pub(crate) mod swap;
pub(crate) mod sync;
pub(crate) mod text_file;
