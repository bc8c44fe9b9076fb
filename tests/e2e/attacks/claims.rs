//! Who holds an account, and for how long.
