//! placeholder, filled with golden bytes
