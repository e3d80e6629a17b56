//! Runs the code of the guide to writing parts of one's own.

#[doc = include_str!("../../../docs/write-your-own.md")]
struct WriteYourOwn;
