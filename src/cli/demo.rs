//! `payg demo`.
