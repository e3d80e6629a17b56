//! The gateway inside another program, in a few lines.

fn main() {}
