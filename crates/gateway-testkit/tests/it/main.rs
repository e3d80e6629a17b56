//! Tests of the testkit itself.

mod reference_http;
mod reference_stdio;
