//! Tests of the testkit itself.

mod broken;
mod correct;
mod reference_conformance;
mod reference_http;
mod reference_stdio;
