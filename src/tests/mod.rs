//! Tests of the whole library that need more than its public interface.

mod abi_layout;
mod allocations;
