//! Runs the code of the guide to writing a router.

#[doc = include_str!("../../../docs/write-your-own.md")]
struct WriteYourOwn;
