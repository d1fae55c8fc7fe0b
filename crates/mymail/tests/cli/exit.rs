//! Exit codes, as docs/interface.md promises them.

pub(crate) const USAGE: i32 = 64;
pub(crate) const DATA: i32 = 65;
pub(crate) const NO_USER: i32 = 67;
pub(crate) const UNAVAILABLE: i32 = 69;
pub(crate) const CANT_CREATE: i32 = 73;
pub(crate) const TEMP_FAIL: i32 = 75;
pub(crate) const PROTOCOL: i32 = 76;
pub(crate) const NO_PERMISSION: i32 = 77;
pub(crate) const CONFIG: i32 = 78;
