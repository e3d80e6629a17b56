//! Tests of the testkit itself.

mod broken;
mod correct;
mod reference_http;
mod reference_stdio;
